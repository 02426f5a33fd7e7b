"""Five ways to get a cache wrong, run on a trained model so that one sees what each does to the text.

Every experiment returns plain numbers: the right way beside the broken one, and a sentence with the outcome. The
broken parts are small classes and functions with the interface of the right ones, to be swapped in.

Dimensions: B batch, T tokens, H heads, D width of a head.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from .cache import GrowingCache, Int8Cache, StaticCache
from .experiment import SMALL
from .model import GPT
from .train import split, train, windows


def break_it(text, seed: int = 0, quick: bool = False, say: Callable[[str], None] = print) -> dict:
    """Train briefly, then all five."""
    known, unseen = split(text)
    model = train(known, SMALL, 60 if quick else 800, seed, say=say)
    tokens = windows(unseen, 8 if quick else 64, 129, torch.Generator().manual_seed(seed))
    out = {}
    for experiment in (no_offset, top_left, not_cleared, int4):
        say(f"break it: {experiment.__name__.replace('_', ' ')}")
        out[experiment.__name__] = experiment(model, tokens)
    say("break it: concatenation")
    out["concatenate"] = concatenate(128 if quick else 1024)
    return out


@torch.no_grad()
def losses(model: GPT, tokens: Int[Tensor, "B T"], cache, sizes: list[int]) -> Float[Tensor, "_"]:
    """Nats per byte at each position, averaged over rows, feeding the tokens in chunks of these sizes."""
    logits = torch.cat([model(chunk, cache) for chunk in tokens[:, :sum(sizes)].split(sizes, dim=1)], dim=1)
    target = tokens[:, 1:sum(sizes) + 1]
    return F.cross_entropy(logits.transpose(1, 2), target, reduction="none").mean(dim=0)


def _static(model: GPT, tokens: Tensor, kind: type = StaticCache):
    return kind(model.config, tokens.shape[0], tokens.shape[1])


# -- 1 -----------------------------------------------------------------------------------------------------------------

class NoOffset(StaticCache):
    """Keeps everything, and tells the model that it holds nothing: every step starts at position 0."""

    @property
    def position(self) -> int:
        return 0


def no_offset(model: GPT, tokens: Int[Tensor, "B T"]) -> dict:
    """Each byte fed alone gets the position of the first. The prompt, fed at once, is still right."""
    half = (tokens.shape[1] - 1) // 2
    sizes = [half] + [1] * half
    right = losses(model, tokens, _static(model, tokens), sizes)
    wrong = losses(model, tokens, _static(model, tokens, NoOffset), sizes)
    r, w = right[half:].mean().item(), wrong[half:].mean().item()
    return {"right": right.tolist(), "wrong": wrong.tolist(), "prompt": half, "loss": [r, w], "outcome":
            f"The prompt's loss does not change; that of the decoded bytes goes from {r:.2f} to {w:.2f} nats per byte. "
            "Nothing crashes."}


# -- 2 -----------------------------------------------------------------------------------------------------------------

def attend_top_left(q, k, v, keep=None):
    """The mask of a square cut to the queries: query i sees keys 0 to i, whatever came before the chunk."""
    allowed = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool).tril()
    scores = q @ k.transpose(-2, -1) / math.sqrt(q.shape[-1])
    return scores.masked_fill(~allowed, -math.inf).softmax(dim=-1) @ v


def top_left(model: GPT, tokens: Int[Tensor, "B T"]) -> dict:
    """One chunk is right, since queries and keys are the same; the more chunks, the worse."""
    length = tokens.shape[1] - 1
    whole, attend = losses(model, tokens, _static(model, tokens), [length]).mean().item(), model.attend
    broken = {}
    try:
        model.attend = attend_top_left
        for chunk in (length, length // 2, length // 4, 16, 1):
            sizes = [chunk] * (length // chunk)
            broken[str(chunk)] = losses(model, tokens, _static(model, tokens), sizes).mean().item()
    finally:
        model.attend = attend
    return {"right": whole, "wrong": broken, "outcome":
            f"In one chunk the loss is {broken[str(length)]:.2f} nats per byte, as it should be; in chunks of "
            f"{length // 2} it is {broken[str(length // 2)]:.2f}, and byte by byte {broken['1']:.2f}: each new byte "
            "sees the first one and not itself."}


# -- 3 -----------------------------------------------------------------------------------------------------------------

@torch.no_grad()
def not_cleared(model: GPT, tokens: Int[Tensor, "B T"]) -> dict:
    """The same prompts after other prompts, with and without a reset in between: do the answers differ?"""
    prompt, other = tokens[:, :33], tokens.roll(1, dims=0)[:, 64:128]
    answers, loss = [], []
    for reset in (True, False):
        cache = StaticCache(model.config, tokens.shape[0], 160)
        model(other, cache)
        if reset:
            cache.reset()
        loss.append(losses(model, prompt, cache, [32]).mean().item())
        cache.truncate(cache.position - 1)
        answers.append(_greedy(model, prompt[:, 31:32], cache, 32))
    differ = (answers[0] != answers[1]).any(dim=1).float().mean().item()
    return {"loss": loss, "answers_that_differ": differ, "outcome":
            f"{differ:.0%} of the answers of 32 bytes change with what another user asked before; the loss on the "
            f"prompt goes from {loss[0]:.2f} to {loss[1]:.2f} nats per byte. Nothing crashes here either."}


def _greedy(model: GPT, token: Int[Tensor, "B 1"], cache, new: int) -> Int[Tensor, "B N"]:
    out = [token]
    for _ in range(new):
        out.append(model(out[-1], cache)[:, -1].argmax(dim=-1, keepdim=True))
    return torch.cat(out[1:], dim=1)


# -- 4 -----------------------------------------------------------------------------------------------------------------

class Int4Cache(StaticCache):
    """Fifteen codes, -7 to 7, with a scale per token and head as Int8Cache has. Held in fp32: what is shown is the
    error, not the memory."""

    def update(self, layer, k, v):
        return super().update(layer, _to_int4(k), _to_int4(v))


def _to_int4(x: Tensor) -> Tensor:
    scale = x.abs().amax(dim=-1, keepdim=True).clamp(min=1e-30) / 7
    return (x / scale).round() * scale


def int4(model: GPT, tokens: Int[Tensor, "B T"]) -> dict:
    """Loss through fp32, int8 and int4 caches on the same text."""
    length = tokens.shape[1] - 1
    kinds = {"fp32": StaticCache, "int8": Int8Cache, "int4": Int4Cache}
    loss = {name: losses(model, tokens, _static(model, tokens, kind), [length]).mean().item()
            for name, kind in kinds.items()}
    change = {name: loss[name] - loss["fp32"] for name in ("int8", "int4")}
    return {"loss": loss, "change": change, "outcome":
            f"int8 moves the loss by {change['int8']:+.5f} nats per byte, int4 by {change['int4']:+.4f}: steps "
            "18 times as wide, and the error of a dot product grows with them."}


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


def concatenate(tokens: int) -> dict:
    """Bytes copied so far, one token at a time, by a cache that grows and by one that is written in place."""
    column = torch.zeros(1, SMALL.heads, 1, SMALL.head_dim)
    caches = {"growing": GrowingCache(SMALL.layers), "static": StaticCache(SMALL, 1, tokens)}
    lengths = [n for n in (1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024) if n <= tokens]
    copied = {}
    for name, cache in caches.items():
        copied[name] = []
        with CountCopies() as count:
            for n in range(1, tokens + 1):
                for layer in range(SMALL.layers):
                    cache.update(layer, column, column)
                if n in lengths:
                    copied[name].append(count.bytes)
    ratio = copied["growing"][-1] / copied["static"][-1]
    return {"lengths": lengths, "bytes": copied, "outcome":
            f"After {tokens} tokens the growing cache has copied {copied['growing'][-1] / 2**20:,.0f} MiB, the static "
            f"one {copied['static'][-1] / 2**20:,.1f}: {ratio:.0f} times as much, about half the length."}
