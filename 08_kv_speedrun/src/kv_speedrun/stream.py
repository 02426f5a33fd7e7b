"""Generation as it is served: ragged batches, sampling, stop tokens, and each token handed out as soon as it is known.

Prefill and decode stand apart because they are different work. Prefill puts many tokens through each weight and is
bound by arithmetic; decode puts one through each and is bound by the speed at which weights arrive.

Dimensions: B batch, T longest prompt, V vocabulary.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Sampling:
    """How a token is drawn: temperature 0 takes the most likely, top_k restricts the draw to the k most likely."""

    temperature: float = 0.0
    top_k: int | None = None

    def __post_init__(self):
        if not 0 <= self.temperature < float("inf"):
            raise ValueError(f"temperature={self.temperature}: must be finite and >= 0 (0 is greedy)")
        if self.top_k is not None and self.top_k < 1:
            raise ValueError(f"top_k={self.top_k}: must be at least 1, or None for the whole vocabulary")


def pad_left(prompts: Sequence[Sequence[int]]) -> tuple[Int[Tensor, "B T"], Int[Tensor, "B"]]:
    """Prompts of different lengths as one tensor, and how much padding stands at the left of each row.

    Left and not right, so that the last prompt token of every row is in the last column and all rows decode in step.
    The padding token is 0; what it is does not matter, since attention never sees it.

    Raises ValueError for no prompts or an empty one.
    """
    if not prompts or any(len(p) == 0 for p in prompts):
        raise ValueError(f"prompt lengths {[len(p) for p in prompts]}: need at least one prompt and one token in each")
    T = max(len(p) for p in prompts)
    pad = torch.tensor([T - len(p) for p in prompts])
    return torch.tensor([[0] * (T - len(p)) + list(p) for p in prompts]), pad


@torch.no_grad()
def prefill(
    model, tokens: Int[Tensor, "B T"], cache, pad: Int[Tensor, "B"] | None = None
) -> Float[Tensor, "B V"]:
    """Forget what the cache held, run the whole prompt, return the logits of the token after it."""
    cache.reset()
    return model(tokens, cache, pad, last_only=True)[:, -1]


@torch.no_grad()
def decode(model, token: Int[Tensor, "B"], cache, pad: Int[Tensor, "B"] | None = None) -> Float[Tensor, "B V"]:
    """One more token for each row, and the logits of the one after it."""
    return model(token[:, None], cache, pad, last_only=True)[:, -1]


def pick(
    logits: Float[Tensor, "B V"], how: Sampling, generator: torch.Generator | None = None
) -> Int[Tensor, "B"]:
    """One token per row: the most likely, or a draw from softmax(logits / temperature) over the top k."""
    if how.temperature == 0:
        return logits.argmax(dim=-1)
    if how.top_k is not None and how.top_k < logits.shape[-1]:
        smallest = logits.topk(how.top_k).values[:, -1:]
        logits = logits.masked_fill(logits < smallest, -torch.inf)
    # The largest logit is subtracted before dividing: at temperature 1e-40 the quotient alone would overflow.
    logits = (logits - logits.max(dim=-1, keepdim=True).values) / how.temperature
    return torch.multinomial(logits.softmax(dim=-1), 1, generator=generator)[:, 0]


def stream(
    model,
    prompts: Sequence[Sequence[int]],
    new: int,
    cache,
    how: Sampling | None = None,
    stop: Sequence[int] = (),
    generator: torch.Generator | None = None,
) -> Iterator[list[int | None]]:
    """Yield one list per step: each row's new token, or None once the row has produced a token of `stop`.

    The stop token itself is yielded, so that the caller sees why a row ended. Rows that have ended are still fed
    (a batch is one tensor) and their output dropped; the loop ends when every row has.

    `generator` makes sampling repeatable. Raises ValueError, before any work, when the prompts are empty, `new` is
    negative, or the longest prompt and the new tokens exceed the position table.
    """
    tokens, pad = pad_left(prompts)
    if new < 0:
        raise ValueError(f"new={new}: the number of new tokens cannot be negative")
    if tokens.shape[1] + new - 1 > model.config.context:
        raise ValueError(f"the longest prompt ({tokens.shape[1]} tokens) and new={new} exceed the model's "
                         f"context={model.config.context}; shorten the prompts or ask for fewer")
    device = next(model.parameters()).device
    tokens, pad = tokens.to(device), pad.to(device) if pad.any() else None
    return _steps(model, tokens, pad, new, cache, how or Sampling(), frozenset(stop), generator)


def _steps(model, tokens, pad, new, cache, how, stop, generator) -> Iterator[list[int | None]]:
    ended = [False] * tokens.shape[0]
    logits = prefill(model, tokens, cache, pad) if new else None
    for n in range(new):
        token = pick(logits, how, generator)
        row = [None if done else t for t, done in zip(token.tolist(), ended, strict=True)]
        yield row
        ended = [done or t in stop for t, done in zip(row, ended, strict=True)]
        if all(ended) or n == new - 1:
            return
        logits = decode(model, token, cache, pad)


def complete(
    model,
    prompts: Sequence[Sequence[int]],
    new: int,
    cache,
    how: Sampling | None = None,
    stop: Sequence[int] = (),
    generator: torch.Generator | None = None,
) -> list[list[int]]:
    """`stream` to its end: the new tokens of each row, a stop token included."""
    rows: list[list[int]] = [[] for _ in prompts]
    for step in stream(model, prompts, new, cache, how, stop, generator):
        for row, token in zip(rows, step, strict=True):
            if token is not None:
                row.append(token)
    return rows
