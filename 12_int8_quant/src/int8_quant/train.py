"""Training a small decoder, and the loss in nats a token, whose exponential is the perplexity.

Dimensions:
    N tokens of the text   B windows   T tokens of a window
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, Integer
from torch import Tensor, nn


def windows(tokens: Integer[Tensor, "N"], count: int, length: int, generator: torch.Generator) -> Int[Tensor, "B T"]:
    """`count` random stretches of the text.

    Raises:
        ValueError: the text is shorter than a window.
    """
    if len(tokens) < length:
        raise ValueError(f"length={length}: the text has only {len(tokens)} tokens; give more text")
    starts = torch.randint(len(tokens) - length + 1, (count,), generator=generator)
    return tokens.unfold(0, length, 1)[starts].long()


def next_token_loss(model: nn.Module, tokens: Int[Tensor, "B T"]) -> Float[Tensor, ""]:
    """Mean cross-entropy of each next token, in nats."""
    logits = model(tokens[:, :-1])
    return F.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())


@torch.no_grad()
def evaluate(model: nn.Module, batch: Int[Tensor, "B T"]) -> float:
    """The loss on windows that were not trained on, one row at a time to save memory."""
    return float(torch.stack([next_token_loss(model, row[None]) for row in batch]).mean())


def perplexity(loss: float) -> float:
    """The number of equally likely tokens with the same loss."""
    return math.exp(loss)


def train(
    model: nn.Module,
    tokens: Integer[Tensor, "N"],
    steps: int,
    lr: float = 3e-3,
    batch: int = 16,
    length: int = 64,
    seed: int = 0,
    log: Callable[[str], None] = lambda line: None,
) -> nn.Module:
    """AdamW on random windows, warm-up and cosine; changes the model and returns it.

    Raises:
        ValueError: the text is too short, or the loss is not a number any more.
    """
    generator = torch.Generator().manual_seed(seed)
    chosen = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(chosen, lr=lr, betas=(0.9, 0.95), weight_decay=0.1)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = lr * min((step + 1) / 20, (1 + math.cos(math.pi * step / steps)) / 2)
        loss = next_token_loss(model, windows(tokens, batch, length + 1, generator))
        if not torch.isfinite(loss):
            raise ValueError(f"lr={lr}: the loss is {loss.item()} at step {step + 1}; train with a smaller lr")
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(chosen, 1.0)
        optimizer.step()
        log(f"step {step + 1} of {steps}, loss {loss.item():.2f}")
    return model
