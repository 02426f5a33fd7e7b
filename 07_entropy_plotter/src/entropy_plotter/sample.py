"""From logits to tokens: greedy, and the inverse of the cumulative distribution. Then a loop around it.

Every row has a random stream of its own. So a row's text stays the same when rows are added or taken away.

Dimensions:
    B   rows        V   vocabulary        T   tokens so far        N   tokens at the end: T + max_new_tokens
"""

from collections.abc import Callable
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from .warpers import SamplingParams, warp


@runtime_checkable
class LanguageModel(Protocol):
    """What `generate` needs. All three models of this chapter have it."""

    vocab_size: int

    def __call__(self, tokens: Tensor, cache: object | None = None) -> Tensor:
        """Logits (B, T, V) after each of `tokens`, which follow what the cache holds."""

    def new_cache(self) -> object:
        """An empty cache, with `crop(length)` and `select(rows)`."""


def greedy(logits: Float[Tensor, "*batch V"]) -> Int[Tensor, "*batch"]:
    """The likeliest token: the limit of sampling at temperature 0."""
    return logits.argmax(dim=-1)


def sample(logits: Float[Tensor, "B V"], uniforms: Float[Tensor, "B"]) -> Int[Tensor, "B"]:
    """One token for each row: the first whose cumulative probability is above the row's uniform number in [0, 1).

    A token of probability zero is never drawn, not even by 0 or by the last number below 1.
    """
    cumulative = logits.double().softmax(dim=-1).cumsum(dim=-1)  # B V; float32 would lose rare tokens
    targets = uniforms[:, None] * cumulative[:, -1:]  # rounding may leave the sum a little off 1
    return torch.searchsorted(cumulative, targets, right=True).squeeze(1)


def streams(seed: int, rows: int) -> list[torch.Generator]:
    """A generator for each row. Row i is the same whatever `rows` is."""
    return [torch.Generator().manual_seed(1_000_003 * seed + row) for row in range(rows)]


def draw(generators: list[torch.Generator]) -> Float[Tensor, "B"]:
    """The next uniform number of each row's stream."""
    return torch.stack([torch.rand((), generator=g, dtype=torch.float64) for g in generators])


@torch.no_grad()
def generate(
    model: LanguageModel,
    tokens: Int[Tensor, "B T"],
    max_new_tokens: int,
    params: SamplingParams | None = None,
    seed: int = 0,
    log: Callable[[str], None] | None = None,
) -> Int[Tensor, "B N"]:
    """The prompts with `max_new_tokens` more. Without `params` greedy, with an empty SamplingParams ancestral.

    Raises:
        ValueError: the prompt is empty, or max_new_tokens is negative.
    """
    if tokens.shape[1] == 0 or max_new_tokens < 0:
        raise ValueError(f"tokens={tuple(tokens.shape)}, max_new_tokens={max_new_tokens}: need a prompt, and 0 or more")
    cache, generators = model.new_cache(), streams(seed, len(tokens))
    new = tokens
    for step in range(max_new_tokens):
        logits = model(new, cache)[:, -1]  # B V
        new = next_tokens(logits, tokens, params, generators)[:, None]  # B 1
        tokens = torch.cat((tokens, new), dim=1)
        if log:
            log(f"token {step + 1} of {max_new_tokens}")
    return tokens


def next_tokens(
    logits: Float[Tensor, "B V"],
    tokens: Int[Tensor, "B T"],
    params: SamplingParams | None,
    generators: list[torch.Generator],
) -> Int[Tensor, "B"]:
    """One decoding step: greedy without `params`, else warp and sample."""
    if params is None:
        return greedy(logits)
    return sample(warp(logits, tokens, params), draw(generators))
