"""The headline: quality against bytes, and decode time against groups and context.

The plain and the fast form, absorbed and expanded, are compared before anything is timed.
"""

import argparse
from collections.abc import Callable
from statistics import median

import torch

from ..cache_bytes import cache_bytes_per_token
from ..convert import RULES, convert
from ..grouped import grouped_attention
from ..grouped_fast import decode_attention
from ..latent import absorbed_attention, expanded_attention, low_rank
from ..model import Config, Decoder
from ..published import Shape
from ..uptrain import evaluate, train, uptrain
from .bandwidth import measure_bandwidth
from .bench import OTHER_BYTES, milliseconds
from .cli import seeds_of
from .fetch import load_text

Log = Callable[[str], None]
CONFIG = Config(vocab_size=256, d_model=96, layers=2, heads=8, kv_heads=8, ffn=288)
STEPS, LR, FRACTION = 600, 5e-3, 0.05
KV_HEADS = (4, 2, 1)
LOW_RANK = "low rank"

HEADS, HEAD_DIM = 32, 64  # of the decode times
GROUPS = (32, 8, 4, 1)
CONTEXTS = (512, 1024, 2048, 4096)
LATENT_DIM, ROPE_DIM = 4 * HEAD_DIM, HEAD_DIM // 2  # DeepSeek's proportions


def headline(options: argparse.Namespace, log: Log) -> dict:
    """Both parts; about two minutes on one core."""
    seeds = seeds_of(options, 1 if options.quick else 3)
    return {"seeds": seeds, "quality": quality(options, seeds, log), "decode": decode(options, log)}


# ---------------------------------------------------------------- quality against bytes


def text_bytes(name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """The first nine tenths of a text's bytes for training, the rest for testing."""
    data = torch.frombuffer(bytearray(load_text(name).encode()), dtype=torch.uint8)
    cut = int(0.9 * len(data))
    return data[:cut], data[cut:]


def quality(options: argparse.Namespace, seeds: list[int], log: Log) -> dict:
    """Loss of the converted models at 0 % and after 5 % of uptraining. Each list has one entry a seed."""
    text, unseen = text_bytes(options.data)
    steps, kv_heads = (20, KV_HEADS[:1]) if options.quick else (STEPS, KV_HEADS)
    found = {"steps": steps, "fraction": FRACTION, "base": [], "base uptrained": []}
    found["points"] = {rule: {str(g): {"0": [], "5": []} for g in kv_heads} for rule in (*RULES, LOW_RANK)}
    found["bytes"] = {str(g): bytes_of(g) for g in (CONFIG.heads, *kv_heads)}
    for seed in seeds:
        model = Decoder(CONFIG, seed=seed)
        train(model, text, steps, LR, seed=seed, log=lambda line, seed=seed: log(f"seed {seed}: {line}"))
        found["base"].append(evaluate(model, unseen))
        found["base uptrained"].append(evaluate(uptrain(model, text, steps, FRACTION, LR, seed), unseen))
        for rule, by_heads in found["points"].items():
            for g in kv_heads:
                log(f"seed {seed}: {rule}, {g} key/value heads")
                made = low_rank(model, rank_of(g)) if rule == LOW_RANK else convert(model, g, rule, seed)
                by_heads[str(g)]["0"].append(evaluate(made, unseen))
                by_heads[str(g)]["5"].append(evaluate(uptrain(made, text, steps, FRACTION, LR, seed), unseen))
    return found


def rank_of(kv_heads: int) -> int:
    """The rank whose latent takes as many bytes as the keys and values of so many heads."""
    return 2 * kv_heads * CONFIG.head_dim


def bytes_of(kv_heads: int) -> int:
    """Bytes a token in float32."""
    return cache_bytes_per_token(Shape("", CONFIG.layers, CONFIG.heads, kv_heads, CONFIG.head_dim, 0), 4)


# ---------------------------------------------------------------- decode time


def decode(options: argparse.Namespace, log: Log) -> dict:
    """Milliseconds of one decode step's attention (one layer, batch 1, float32), beside the bytes' limit."""
    contexts, repeats = (CONTEXTS[:1], 2) if options.quick else (CONTEXTS, 25)
    bandwidth = measure_bandwidth(megabytes=16 if options.quick else 256)
    found = {"heads": HEADS, "head_dim": HEAD_DIM, "latent_dim": LATENT_DIM, "rope_dim": ROPE_DIM}
    found |= {"bandwidth": bandwidth, "contexts": list(contexts), "milliseconds": {}, "limit": {}}
    with torch.no_grad():
        for name in [*map(str, GROUPS), "latent"]:
            found["milliseconds"][name], found["limit"][name] = [], []
            for T in contexts:
                log(f"decode, {name}, context {T}")
                call, size = latent_step(T) if name == "latent" else grouped_step(int(name), T)
                found["milliseconds"][name].append(times(call, repeats))
                found["limit"][name].append(1e3 * size / bandwidth)
    return found


def grouped_step(groups: int, T: int) -> tuple[Callable, int]:
    """A decode step with so many key/value heads, checked against the plain form; and its cache's bytes."""
    generator = torch.Generator().manual_seed(groups)
    q = torch.randn(1, groups, HEADS // groups, 1, HEAD_DIM, generator=generator)
    k, v = (torch.randn(1, groups, T, HEAD_DIM, generator=generator) for _ in range(2))
    newest = q[:, :, :, 0]
    check(decode_attention(newest, k, v), grouped_attention(q, k, v)[:, :, :, 0])
    return lambda: decode_attention(newest, k, v), k.nbytes + v.nbytes


def latent_step(T: int) -> tuple[Callable, int]:
    """The same of the absorbed form, checked against the expanded one."""
    generator = torch.Generator().manual_seed(0)
    C, P, N, H = LATENT_DIM, ROPE_DIM, HEAD_DIM, HEADS
    shapes = ((1, H, 1, N), (1, H, 1, P), (1, T, C), (1, T, P), (H, N, C), (H, N, C))
    args = [torch.randn(shape, generator=generator) / shape[-1] ** 0.25 for shape in shapes]
    check(absorbed_attention(*args), expanded_attention(*args))
    return lambda: absorbed_attention(*args), args[2].nbytes + args[3].nbytes


def check(got: torch.Tensor, want: torch.Tensor) -> None:
    """Raises ValueError where two forms do not agree."""
    error = float((got - want).abs().max() / want.abs().max())
    if error > 1e-4:
        raise ValueError(f"error={error:.1e}: the two forms must agree before they are timed")


def times(call: Callable, repeats: int) -> list[float]:
    """Lowest, median and highest milliseconds, after two calls that are not counted.

    Between the calls other memory is read, as in a model whose other layers do so: the keys come from memory.
    """
    call()
    call()
    found, buffer = [], torch.ones(OTHER_BYTES // 4)
    for _ in range(repeats):
        buffer.sum()
        found.append(milliseconds(call))
    return [min(found), median(found), max(found)]
