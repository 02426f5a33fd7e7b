"""Generation as it is served: prompts of different lengths, stop tokens, and each token as soon as it is known.

Prefill and decode are separate functions because they are different work. Prefill puts many tokens through each
weight and is bound by arithmetic. Decode puts one token through each weight and is bound by memory bandwidth.

Dimensions: B batch, T longest prompt, V vocabulary.
"""

from collections.abc import Collection, Iterator, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..cache import KVCache
from ..checks import check_request
from ..model import GPT
from .sampling import SamplingParams, sample

TokenIds = Collection[int] | Int[Tensor, "_"]
Prompts = Sequence[TokenIds] | Int[Tensor, "B T"]


@torch.no_grad()
def prefill(
    model: GPT, tokens: Int[Tensor, "B T"], cache: KVCache, num_pad: Int[Tensor, "B"] | None = None
) -> Float[Tensor, "B V"]:
    """Reset the cache, run the whole prompt, return the logits of the token after it."""
    cache.reset()
    return model(tokens, cache, num_pad, last_only=True)[:, -1]


@torch.no_grad()
def decode(
    model: GPT, token: Int[Tensor, "B"], cache: KVCache, num_pad: Int[Tensor, "B"] | None = None
) -> Float[Tensor, "B V"]:
    """Run one more token of each row, return the logits of the token after it."""
    return model(token[:, None], cache, num_pad, last_only=True)[:, -1]


def stream(
    model: GPT,
    prompts: Prompts,
    max_new_tokens: int,
    cache: KVCache,
    sampling_params: SamplingParams | None = None,
    stop_token_ids: TokenIds = (),
    generator: torch.Generator | None = None,
) -> Iterator[list[int | None]]:
    """Yield one list per step: each row's new token, or None once the row has ended.

    A row ends with the first token of `stop_token_ids`, which is yielded too. Rows that have ended are still fed,
    because a batch is one tensor. The loop ends when every row has ended. `generator` makes sampling repeatable.

    Raises:
        ValueError: before any work, when a prompt is empty, `max_new_tokens` is negative, the longest prompt and the
            new tokens exceed the model's positions or the cache, or a stop token is not in the vocabulary.
    """
    tokens, num_pad = pad_left(prompts)
    device = model.wte.weight.device
    tokens = tokens.to(device)
    num_pad = num_pad.to(device) if num_pad.any() else None
    check_request(model.config, tokens, max_new_tokens, cache.max_seq_len)
    stop = check_stop(stop_token_ids, model.config.vocab_size)
    return _steps(model, tokens, num_pad, max_new_tokens, cache, sampling_params or SamplingParams(), stop, generator)


def _steps(model, tokens, num_pad, max_new_tokens, cache, sampling_params, stop, generator):
    ended = [False] * tokens.shape[0]
    logits = prefill(model, tokens, cache, num_pad) if max_new_tokens else None
    for n in range(max_new_tokens):
        token = sample(logits, sampling_params, generator)
        row = [None if done else t for t, done in zip(token.tolist(), ended, strict=True)]
        yield row
        ended = [done or t in stop for t, done in zip(row, ended, strict=True)]
        if all(ended) or n == max_new_tokens - 1:
            return
        logits = decode(model, token, cache, num_pad)


def complete(
    model: GPT,
    prompts: Prompts,
    max_new_tokens: int,
    cache: KVCache,
    sampling_params: SamplingParams | None = None,
    stop_token_ids: TokenIds = (),
    generator: torch.Generator | None = None,
) -> list[list[int]]:
    """`stream` to its end: the new tokens of each row, its stop token included."""
    rows: list[list[int]] = [[] for _ in prompts]
    for step in stream(model, prompts, max_new_tokens, cache, sampling_params, stop_token_ids, generator):
        for row, token in zip(rows, step, strict=True):
            if token is not None:
                row.append(token)
    return rows


def pad_left(prompts: Prompts) -> tuple[Int[Tensor, "B T"], Int[Tensor, "B"]]:
    """Prompts of different lengths as one tensor, and the number of padding tokens at the left of each row.

    With padding at the left, the last prompt token of every row is in the last column, so all rows decode in step.
    The padding token is 0. Its value does not matter, because attention never sees it.

    Raises:
        ValueError: there is no prompt, a prompt is empty, or a prompt is not a list of token ids.
    """
    rows = [_token_ids(prompt) for prompt in prompts]
    if not rows or any(len(row) == 0 for row in rows):
        raise ValueError(f"prompt lengths={[len(row) for row in rows]}: pass at least one prompt, with one token each")
    T = max(len(row) for row in rows)
    padded = [[0] * (T - len(row)) + row for row in rows]
    return torch.tensor(padded), torch.tensor([T - len(row) for row in rows])


def _token_ids(prompt: object) -> list[int]:
    """The prompt as plain integers, whether it is a list or a tensor."""
    try:
        if not isinstance(prompt, (str, bytes)):
            return [int(token) for token in prompt]
    except (TypeError, ValueError):
        pass
    raise ValueError(f"prompt={prompt!r:.60}: must be a list of token ids; pass a list of such lists")


def check_stop(stop_token_ids: TokenIds, vocab_size: int) -> frozenset[int]:
    """Stop tokens as plain integers: a tensor's elements are equal to nothing in a set."""
    stop = frozenset(int(token) for token in stop_token_ids)
    if any(not 0 <= token < vocab_size for token in stop):
        raise ValueError(f"stop_token_ids={sorted(stop)}: must be tokens from 0 to {vocab_size - 1}")
    return stop
