"""Training, and a few per cent more of it after the heads were pooled (Ainslie et al. 2023: "uptraining").

Dimensions:
    N tokens of the text   B windows   T tokens of a window
"""

import copy
import math
from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, Integer
from torch import Tensor, nn

from .model import Decoder


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


def schedule(step: int, steps: int, warmup: int = 20) -> float:
    """The fraction of the learning rate: linear warm-up, then a cosine to zero."""
    return min((step + 1) / min(warmup, steps), (1 + math.cos(math.pi * step / steps)) / 2)


def train(
    model: Decoder,
    tokens: Integer[Tensor, "N"],
    steps: int,
    lr: float = 3e-3,
    batch: int = 16,
    length: int = 64,
    seed: int = 0,
    parameters: Iterable[nn.Parameter] | None = None,
    log: Callable[[str], None] = lambda line: None,
) -> Decoder:
    """AdamW on random windows; changes the model and returns it. `parameters`: only these are trained.

    Raises:
        ValueError: the text is too short, or the loss is not a number any more.
    """
    generator = torch.Generator().manual_seed(seed)
    chosen = list(model.parameters() if parameters is None else parameters)
    optimizer = torch.optim.AdamW(chosen, lr=lr, betas=(0.9, 0.95), weight_decay=0.1)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = lr * schedule(step, steps)
        loss = next_token_loss(model, windows(tokens, batch, length + 1, generator))
        if not torch.isfinite(loss):
            raise ValueError(f"lr={lr}: the loss is {loss.item()} at step {step + 1}; train with a smaller lr")
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(chosen, 1.0)
        optimizer.step()
        log(f"step {step + 1} of {steps}, loss {loss.item():.2f}")
    return model


def uptrain(
    model: Decoder,
    tokens: Integer[Tensor, "N"],
    trained_steps: int,
    fraction: float = 0.05,
    lr: float = 3e-3,
    seed: int = 0,
) -> Decoder:
    """A copy of a converted model, trained for `fraction` of the steps that made the original, with a new schedule."""
    return train(copy.deepcopy(model), tokens, max(1, round(fraction * trained_steps)), lr, seed=seed + 1000)


@torch.no_grad()
def evaluate(model: nn.Module, tokens: Integer[Tensor, "N"], count: int = 64, length: int = 64, seed: int = 0) -> float:
    """Loss in nats per token on windows of text that was not trained on."""
    return float(next_token_loss(model, windows(tokens, count, length + 1, torch.Generator().manual_seed(seed))))
