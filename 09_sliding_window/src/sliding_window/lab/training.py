"""Small models trained on the spot, and the texts they are trained on."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..model import Config, Llama

CONTEXT = 128
BYTES = Config(256, d_model=96, layers=2, heads=4, kv_heads=4, ffn=256)


def as_bytes(text: str) -> Tensor:
    """A text as token ids from 0 to 255."""
    return torch.frombuffer(bytearray(text.encode()), dtype=torch.uint8).long()


def windows(data: Tensor, length: int, count: int, generator: torch.Generator) -> Tensor:
    """`count` pieces of the data, drawn at random."""
    starts = torch.randint(len(data) - length, (count,), generator=generator)
    return torch.stack([data[s : s + length] for s in starts.tolist()])


def fit(
    model: nn.Module,
    batches: Callable[[int], Tensor],
    steps: int,
    lr: float,
    loss_of: Callable[[Tensor, Tensor], Tensor] | None = None,
    log: Callable[[str], None] | None = None,
) -> list[float]:
    """AdamW with a short warm-up and a cosine; returns the losses. `batches(step)` gives tokens (B, T)."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr, weight_decay=0.01)
    shape = torch.optim.lr_scheduler.OneCycleLR(optimizer, lr, total_steps=steps, pct_start=0.1)
    losses = []
    for step in range(steps):
        tokens = batches(step)
        loss = (loss_of or next_token_loss)(model(tokens[:, :-1]), tokens)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        shape.step()
        losses.append(loss.item())
        if log and step % 20 == 0:
            log(f"step {step} of {steps}, loss {loss.item():.2f}")
    return losses


def next_token_loss(logits: Tensor, tokens: Tensor) -> Tensor:
    return F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())


def byte_model(data: Tensor, seed: int, steps: int, log: Callable[[str], None]) -> Llama:
    """A dense model of two layers, trained on texts of CONTEXT bytes."""
    torch.manual_seed(seed)
    model = Llama(BYTES)
    generator = torch.Generator().manual_seed(seed)
    fit(model, lambda step: windows(data, CONTEXT + 1, 12, generator), steps, 4e-3, log=log)
    return model.eval().requires_grad_(False)
