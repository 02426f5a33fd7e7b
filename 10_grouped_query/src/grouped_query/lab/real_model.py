"""SmolLM2: the cache that it has, the one that MHA would need, its heads pooled, and rank against loss."""

import argparse
import copy
import gc
from collections.abc import Callable

import torch

from ..cache import Cache
from ..convert import RULES, convert
from ..latent import low_rank
from ..model import Decoder
from ..smollm2 import load_decoder, read_checkpoint
from ..uptrain import evaluate, train
from . import fetch

Log = Callable[[str], None]
RANKS = (256, 192, 128, 64)
STEPS, LR, BATCH, LENGTH = 24, 1e-3, 2, 128
CONTEXT = 2048


def real_model(options: argparse.Namespace, log: Log) -> dict:
    """All parts; about five minutes on one core."""
    log("reading the model")
    checkpoint = read_checkpoint(fetch.model(options.model or "smollm2", log))
    model = load_decoder(checkpoint)
    ids = torch.tensor(checkpoint.tokens.encode(fetch.load_text(options.data)[:600_000]))
    cut = int(0.9 * len(ids))
    text, unseen = ids[:cut], ids[cut:]
    steps, count, ranks = (1, 1, RANKS[-1:]) if options.quick else (STEPS, 6, RANKS)
    length = 32 if options.quick else 256

    def loss(m: Decoder) -> float:
        return evaluate(m, unseen, count, length, options.seed)

    log("loss of the model as it is")
    found = {"cache": caches(model), "tokens": len(ids), "windows": [count, length], "base": loss(model)}
    found["rank"] = {}
    for rank in ranks:
        log(f"keys and values of rank {rank}")
        found["rank"][str(rank)] = loss(low_rank(model, rank))
    found["pooled"] = {}
    for rule in RULES:
        log(f"three heads pooled to one: {rule}")
        found["pooled"][rule] = loss(convert(model, 1, rule, options.seed))
    found["uptrained"] = {"steps": steps, "tokens": steps * BATCH * LENGTH}
    names = ("mean", "no pooling") if options.quick else ("mean", "first", "no pooling")
    for name in names:
        made = copy.deepcopy(model) if name == "no pooling" else convert(model, 1, name)
        uptrain_attention(made, text, steps, options.seed, lambda line, name=name: log(f"{name}: {line}"))
        found["uptrained"][name] = loss(made)
        del made
        gc.collect()
    return found


def caches(model: Decoder) -> dict:
    """Bytes that a cache of 2,048 tokens allocates, for the heads that there are and for other numbers."""
    c = model.config
    kinds = {"MHA": c.heads, "as it is": c.kv_heads, "MQA": 1}
    return {name: Cache(c.layers, 1, CONTEXT, [(g, c.head_dim)] * 2).nbytes for name, g in kinds.items()}


def uptrain_attention(model: Decoder, text: torch.Tensor, steps: int, seed: int, log: Log) -> None:
    """A few steps for the attention's four matrices of each layer; the rest stays as it is."""
    chosen = [p for block in model.blocks for p in block.attn.parameters()]
    for parameter in chosen:
        parameter.requires_grad_(True)
    train(model, text, steps, LR, BATCH, LENGTH, seed, chosen, log)
    model.requires_grad_(False)
