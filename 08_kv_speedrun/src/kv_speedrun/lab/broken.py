"""What goes wrong, measured: the five experiments of `break_it`.

The broken parts are small classes and functions with the interface of the right ones.

Dimensions: B batch, T tokens, H heads, D width of a head.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from ..cache import GrowingCache, KVCache, StaticCache
from ..int8_cache import Int8Cache
from ..model import GPT

Passages = Int[Tensor, "B T"]


@torch.no_grad()
def losses(model: GPT, passages: Passages, cache: KVCache, sizes: list[int]) -> Float[Tensor, "_"]:
    """Nats per byte at each position, averaged over rows, when the tokens are fed in chunks of these sizes."""
    length = sum(sizes)
    logits = torch.cat([model(chunk, cache) for chunk in passages[:, :length].split(sizes, dim=1)], dim=1)
    return F.cross_entropy(logits.transpose(1, 2), passages[:, 1 : length + 1], reduction="none").mean(dim=0)


def cache_for(model: GPT, passages: Passages, kind: type = StaticCache) -> KVCache:
    return kind(model.config, passages.shape[0], passages.shape[1])


# -- 1 -----------------------------------------------------------------------------------------------------------------


class NoOffset(StaticCache):
    """Holds everything, and tells the model that it holds nothing: every step starts at position 0."""

    @property
    def position(self) -> int:
        return 0


def no_offset(model: GPT, passages: Passages) -> dict:
    """Half a passage fed at once, then byte by byte."""
    half = (passages.shape[1] - 1) // 2
    sizes = [half] + [1] * half
    right = losses(model, passages, cache_for(model, passages), sizes)
    wrong = losses(model, passages, cache_for(model, passages, NoOffset), sizes)
    decoded = [right[half:].mean().item(), wrong[half:].mean().item()]
    return {"right": right.tolist(), "wrong": wrong.tolist(), "prompt_len": half, "loss": decoded}


# -- 2 -----------------------------------------------------------------------------------------------------------------


def attend_top_left(q: Tensor, k: Tensor, v: Tensor, attention_mask: Tensor | None = None) -> Tensor:
    """The mask of a square cut to the queries: query i sees keys 0 to i, whatever came before the chunk."""
    allowed = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool).tril()
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    return scores.masked_fill(~allowed, -math.inf).softmax(dim=-1) @ v


def top_left(model: GPT, passages: Passages) -> dict:
    """The passage in one chunk, in two, in four, and so on."""
    length, attend = passages.shape[1] - 1, model.attend
    right = losses(model, passages, cache_for(model, passages), [length]).mean().item()
    wrong = {}
    try:
        model.attend = attend_top_left
        for chunk in (length, length // 2, length // 4, 16, 1):
            sizes = [chunk] * (length // chunk)
            wrong[str(chunk)] = losses(model, passages, cache_for(model, passages), sizes).mean().item()
    finally:
        model.attend = attend
    return {"right": right, "wrong": wrong}


# -- 3 -----------------------------------------------------------------------------------------------------------------


@torch.no_grad()
def not_cleared(model: GPT, passages: Passages) -> dict:
    """The same prompts after other prompts, with a reset between the two and without one."""
    prompt, other = passages[:, :33], passages.roll(1, dims=0)[:, 64:128]
    answers, loss = [], []
    for reset in (True, False):
        cache = StaticCache(model.config, passages.shape[0], 160)
        model(other, cache)
        if reset:
            cache.reset()
        loss.append(losses(model, prompt, cache, [32]).mean().item())
        cache.crop(cache.position - 1)
        answers.append(_greedy(model, prompt[:, 31:32], cache, 32))
    return {"loss": loss, "answers_that_differ": (answers[0] != answers[1]).any(dim=1).float().mean().item()}


def _greedy(model: GPT, token: Int[Tensor, "B 1"], cache: KVCache, new: int) -> Int[Tensor, "B N"]:
    """Without the reset that `generate` begins with."""
    out = [token]
    for _ in range(new):
        out.append(model(out[-1], cache)[:, -1].argmax(dim=-1, keepdim=True))
    return torch.cat(out[1:], dim=1)


# -- 4 -----------------------------------------------------------------------------------------------------------------


class Int4Cache(StaticCache):
    """Fifteen codes, -7 to 7, with a scale per token and head as in Int8Cache. Stored in fp32: what it shows is the
    error, not the memory."""

    def update(self, layer: int, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        return super().update(layer, _to_int4(k), _to_int4(v))


def _to_int4(x: Tensor) -> Tensor:
    scale = x.abs().amax(dim=-1, keepdim=True).clamp(min=1e-30) / 7
    return (x / scale).round() * scale


@torch.no_grad()
def int4(model: GPT, passages: Passages) -> dict:
    """Loss, and the error of the logits, through fp32, int8 and int4 caches on the same text."""
    tokens, target = passages[:, :-1], passages[:, 1:]
    kinds = {"fp32": StaticCache, "int8": Int8Cache, "int4": Int4Cache}
    logits = {name: model(tokens, cache_for(model, passages, kind)) for name, kind in kinds.items()}
    loss = {name: F.cross_entropy(x.transpose(1, 2), target).item() for name, x in logits.items()}
    rough = ("int8", "int4")
    return {
        "loss": loss,
        "change": {name: loss[name] - loss["fp32"] for name in rough},
        "logit_error": {name: (logits[name] - logits["fp32"]).square().mean().sqrt().item() for name in rough},
    }


# -- 5 -----------------------------------------------------------------------------------------------------------------


class CountCopies(TorchDispatchMode):
    """Bytes written by copy_ and cat, the two ways in which keys get into a cache."""

    def __init__(self):
        super().__init__()
        self.bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if func.overloadpacket in (torch.ops.aten.cat, torch.ops.aten.copy_):
            self.bytes += out.nbytes
        return out


def concatenate(model: GPT, passages: Passages) -> dict:
    """Bytes copied so far, one token at a time, by a cache that grows and by one that is written in place."""
    config, longest = model.config, model.config.context_length
    column = torch.zeros(1, config.heads, 1, config.head_dim)
    caches = {"growing": GrowingCache(config), "static": StaticCache(config, 1, longest)}
    lengths = [2**i for i in range(longest.bit_length()) if 2**i <= longest]
    copied = {name: [] for name in caches}
    for name, cache in caches.items():
        with CountCopies() as count:
            for n in range(1, lengths[-1] + 1):
                for layer in range(config.layers):
                    cache.update(layer, column, column)
                if n in lengths:
                    copied[name].append(count.bytes)
    return {"lengths": lengths, "bytes": copied}


def ratio_of_copies(result: dict) -> float:
    return result["bytes"]["growing"][-1] / result["bytes"]["static"][-1]
