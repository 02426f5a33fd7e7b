"""Break it: five experiments with a mistake switched on. A test compares the outcomes with what the workbook says."""

import argparse
import copy
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import nn

from ..cache_bytes import cache_bytes_per_token
from ..convert import convert
from ..latent import LatentAttention, LatentConfig
from ..model import Config, Decoder, GroupedAttention
from ..published import Shape
from ..rotary import rotate
from ..uptrain import evaluate, train, uptrain
from .experiment import text_bytes

Log = Callable[[str], None]
CONFIG = Config(vocab_size=256, d_model=64, layers=2, heads=8, kv_heads=8, ffn=192)
LATENT = LatentConfig(vocab_size=256, d_model=64, layers=2, heads=8, kv_heads=8, ffn=192, latent_dim=24, rope_dim=8)
STEPS, LR = 400, 6e-3


def break_it(options: argparse.Namespace, log: Log) -> dict:
    """All five, each on the same text and with the same steps; about a minute and a half."""
    steps = 15 if options.quick else STEPS
    text, unseen = text_bytes(options.data)
    log("training the model whose heads are pooled")
    base = train(Decoder(CONFIG, seed=options.seed), text, steps, LR, seed=options.seed, log=log)
    found = {"steps": steps, "base": evaluate(base, unseen)}
    found["pool after the rotation"] = after_rotation()
    log("heads pooled at random")
    found["pool heads at random"] = shuffled_heads(base, text, unseen, steps)
    log("MQA from the start")
    found["MQA from the start"] = from_the_start(text, unseen, steps, options.seed)
    for name, change in (("latent", {}), ("latent of width 4", {"latent_dim": 4}), ("no norm", {"latent_norm": False})):
        log(name)
        found[name] = latent(replace(LATENT, **change), text, unseen, steps, options.seed)
    return found


def after_rotation() -> dict:
    """The largest difference between the mean of rotated keys and the rotated mean, heads and then tokens pooled."""
    k = torch.randn(1, 8, 64, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    positions = torch.arange(64)
    rotated = rotate(k, positions)
    heads = (rotated.unflatten(1, (2, 4)).mean(2) - rotate(k.unflatten(1, (2, 4)).mean(2), positions)).abs().max()
    pairs = rotate(k.unflatten(2, (32, 2)).mean(3), positions[::2])  # neighbouring TOKENS pooled
    tokens = (rotated.unflatten(2, (32, 2)).mean(3) - pairs).abs().max()
    return {"heads": float(heads), "tokens": float(tokens)}


def shuffled(model: Decoder, seed: int) -> Decoder:
    """The same function with its heads in another order: neighbours are strangers."""
    made = copy.deepcopy(model)
    order = torch.randperm(model.config.heads, generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        for block in made.blocks:
            for proj in (block.attn.q_proj, block.attn.k_proj, block.attn.v_proj):
                heads = proj.weight.unflatten(0, (model.config.heads, -1))
                proj.weight.copy_(heads[order].flatten(0, 1))
            columns = block.attn.o_proj.weight.unflatten(1, (model.config.heads, -1))
            block.attn.o_proj.weight.copy_(columns[:, order].flatten(1))
    return made


def shuffled_heads(base: Decoder, text, unseen, steps: int) -> dict:
    """Eight heads pooled into two as neighbours, and in four random orders; at 0 % and after 5 %."""
    tokens = unseen[None, :64].long()
    with torch.no_grad():
        found = {"same function": float((shuffled(base, 0)(tokens) - base(tokens)).abs().max())}
    models = {"neighbours": base} | {f"order {seed}": shuffled(base, seed) for seed in range(4)}
    for name, model in models.items():
        pooled = convert(model, 2)
        found[name] = [evaluate(pooled, unseen), evaluate(uptrain(pooled, text, steps, 0.05, LR), unseen)]
    return found


def from_the_start(text, unseen, steps: int, seed: int) -> dict:
    """MHA, MQA, and MQA with a wider feed-forward layer so that it has MHA's parameters: [loss, parameters]."""
    config = CONFIG
    saved = 2 * (config.heads - 1) * config.head_dim  # rows of k_proj and v_proj
    wider = replace(config, kv_heads=1, ffn=config.ffn + round(saved / 3))  # three matrices share them
    found = {}
    for name, c in (("MHA", config), ("MQA", replace(config, kv_heads=1)), ("MQA, equal parameters", wider)):
        found[name] = trained(Decoder(c, GroupedAttention, seed), text, unseen, steps, seed)
    return found


def latent(config: LatentConfig, text, unseen, steps: int, seed: int) -> dict:
    """A decoder with latent attention, trained from the start."""
    c = config
    shape = Shape("", c.layers, c.heads, c.kv_heads, c.head_dim, 0, c.latent_dim, c.rope_dim)
    loss, _ = trained(Decoder(c, LatentAttention, seed), text, unseen, steps, seed)
    return {"loss": loss, "bytes": cache_bytes_per_token(shape, 4)}


def trained(model: nn.Module, text, unseen, steps: int, seed: int) -> list:
    """[loss, parameters] after training."""
    train(model, text, steps, LR, seed=seed)
    return [evaluate(model, unseen), sum(p.numel() for p in model.parameters())]
