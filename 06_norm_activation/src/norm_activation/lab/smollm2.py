"""SmolLM2-135M: our RMSNorm and SwiGLU in place of its own, and what each classic mistake costs it in nats."""

import argparse
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from jaxtyping import Int
from torch import Tensor, nn

from ..layer_norm import layer_norm
from . import smollm2_model as real
from .fetch import load_text
from .fetch import model as model_file

Log = Callable[[str], None]


def _norm(change: Callable[[Tensor, Tensor, float], Tensor]) -> dict:
    return {"norm": partial(real.Replaced, function=lambda n, x: change(x, n.weight, n.variance_epsilon))}


def _mlp(change: Callable[[Tensor, Tensor], Tensor]) -> dict:
    def function(m: nn.Module, x: Tensor) -> Tensor:
        return m.down_proj(change(m.gate_proj(x), m.up_proj(x)))

    return {"mlp": partial(real.Replaced, function=function)}


def _rms(x: Tensor, eps: float) -> Tensor:
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + eps)


MISTAKES = {  # name: what is exchanged
    "eps 1e-2 for 1e-5": _norm(lambda x, w, eps: w * _rms(x, 1e-2)),
    "eps outside the root": _norm(lambda x, w, eps: w * x / (x.square().mean(-1, keepdim=True).sqrt() + eps)),
    "D - 1 for D": _norm(lambda x, w, eps: w * _rms(x, eps) * ((x.shape[-1] - 1) / x.shape[-1]) ** 0.5),
    "statistics in bfloat16": _norm(lambda x, w, eps: w * x * _rms_factor_bf16(x, eps)),
    "LayerNorm in its place": _norm(lambda x, w, eps: layer_norm(x, w, torch.zeros_like(w), eps)),
    "the gain left out": _norm(lambda x, w, eps: _rms(x, eps)),
    "no norm, gain only": _norm(lambda x, w, eps: w * x),
    "GELU for SiLU": _mlp(lambda gate, up: F.gelu(gate) * up),
    "ReLU for SiLU": _mlp(lambda gate, up: F.relu(gate) * up),
    "the sigmoid for SiLU": _mlp(lambda gate, up: torch.sigmoid(gate) * up),
    "SiLU on the up branch": _mlp(lambda gate, up: gate * F.silu(up)),
}


def _rms_factor_bf16(x: Tensor, eps: float) -> Tensor:
    low = x.bfloat16()
    return torch.rsqrt(low.square().mean(-1, keepdim=True) + eps).float()


def smollm2(options: argparse.Namespace, log: Log) -> dict:
    """Loss of each version on the same windows. About three minutes on one core; `--quick` keeps two layers."""
    path = model_file("smollm2", log)
    log("reading the model")
    model, tokenizer = real.load(path, 2 if options.quick else None)
    rows, length = (1, 32) if options.quick else (4, 256)
    tokens = batch_of(tokenizer, load_text(options.data), rows, length)
    log("its own layers")
    base = loss_of(model, tokens)
    first = loss_of(model, tokens[:1])
    same = ours(model, tokens[:2], log)
    put_back = real.replace(model, real.OurNorm, real.OurMLP)
    same["loss"] = loss_of(model, tokens)
    put_back()
    costs = {}
    for name, change in MISTAKES.items():
        log(name)
        put_back = real.replace(model, **change)
        costs[name] = loss_of(model, tokens)
        put_back()
    if loss_of(model, tokens[:1]) != first:
        raise ValueError("the model is not the same after the exchange")
    return {"windows": [rows, length], "base": base, "ours": same, "costs": costs, "gains": gains(model)}


def batch_of(tokenizer, text: str, rows: int, length: int) -> Int[Tensor, "rows length"]:
    """Windows spread evenly over the text."""
    ids = torch.tensor(tokenizer(text[:400_000], verbose=False)["input_ids"])
    starts = torch.linspace(0, len(ids) - length - 1, rows).long()
    return ids[starts[:, None] + torch.arange(length)]


@torch.no_grad()
def loss_of(model: nn.Module, tokens: Int[Tensor, "B T"]) -> float:
    """Nats a token, window by window."""
    total = 0.0
    for row in tokens.split(1):
        logits = model(row).logits[:, :-1]
        total += F.cross_entropy(logits.flatten(0, 1), row[:, 1:].flatten()).item()
    return total / len(tokens)


def ours(model: nn.Module, tokens: Int[Tensor, "B T"], log: Log) -> dict:
    """Forward and backward through every layer: the largest differences to the model's own."""
    log("our layers, forward and backward")
    watched = {"down_proj, layer 0": model.model.layers[0].mlp.down_proj.weight,
               "gate_proj, layer 0": model.model.layers[0].mlp.gate_proj.weight,
               "gain, layer 0": model.model.layers[0].input_layernorm.weight,
               "last gain": model.model.norm.weight}  # fmt: skip
    found = []
    for exchange in ({}, {"norm": real.OurNorm, "mlp": real.OurMLP}):
        put_back = real.replace(model, **exchange)
        logits = model(tokens).logits
        loss = F.cross_entropy(logits[:, :-1].flatten(0, 1), tokens[:, 1:].flatten())
        found.append((logits.detach(), torch.autograd.grad(loss, list(watched.values()))))
        put_back()
    (logits, theirs), (our_logits, mine) = found
    gradients = {
        name: float((a - b).abs().max() / a.abs().max()) for name, a, b in zip(watched, theirs, mine, strict=True)
    }
    return {"logits": float((logits - our_logits).abs().max()), "gradients": gradients}


def gains(model: nn.Module) -> dict[str, list]:
    """The gains of each norm by layer: median and the range of the middle 90 %, of absolute values."""
    found: dict[str, list] = {}
    for name in ("input_layernorm", "post_attention_layernorm"):
        weights = torch.stack([getattr(layer, name).weight.detach() for layer in model.model.layers]).abs()
        levels = torch.tensor([0.05, 0.5, 0.95])
        found[name] = torch.quantile(weights, levels, dim=1).T.tolist()  # layer 3
    found["norm"] = torch.quantile(model.model.norm.weight.detach().abs(), torch.tensor([0.05, 0.5, 0.95])).tolist()
    return found
