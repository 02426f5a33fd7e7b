"""SmolLM2, which has outliers of its own: Dettmers' table, the threshold, the layers, and weights alone."""

import argparse
import gc
from collections.abc import Callable

import torch
from torch import Tensor

from ..gptq import collect_hessians
from ..outliers import outlier_channels
from ..quantize_model import METHODS, activation_absmax, linears, quantize_model, weights_only
from ..smollm2 import load_decoder, read_checkpoint
from ..train import evaluate
from . import fetch
from .experiment import rounding

Log = Callable[[str], None]
THRESHOLDS = (0.0, 3.0, 6.0, 50.0, float("inf"))
CALIBRATION = 24  # windows
BITS, GROUP = (8, 4, 3), 64
# Dettmers et al. (2022), table 1: perplexity on C4 of a model of 13 billion weights
DETTMERS_13B = {
    "fp32": 12.45,
    "absmax": 19.08,
    "zero-point": 13.94,
    "row-wise": 16.49,
    "vector-wise": 16.48,
    "LLM.int8": 12.45,
}


def real_model(options: argparse.Namespace, log: Log) -> dict:
    """All parts; about six minutes on one core."""
    log("reading the model")
    model, ids = load(options, log)
    count, length = (1, 33) if options.quick else (6, 257)
    many = 1 if options.quick else CALIBRATION
    calibration, test = ids[: many * length].view(many, length), ids[-count * length :].view(count, length)
    thresholds = THRESHOLDS[2:3] if options.quick else THRESHOLDS
    log("loss of the model as it is")
    found: dict = {"windows": [count, length, many], "fp32": evaluate(model, test), "dettmers": DETTMERS_13B}
    act_absmax = activation_absmax(model, calibration[:4])
    found["outliers"] = outliers_of(act_absmax)
    found["first token"] = first_token(model, test[:1])
    found["methods"] = {}
    for method in ("vector-wise", "LLM.int8") if options.quick else METHODS:
        log(method)
        found["methods"][method] = evaluate(quantize_model(model, method, act_absmax), test)
    found["thresholds"] = {}
    for threshold in thresholds:
        log(f"LLM.int8 with the threshold {threshold}")
        share = outlier_share(act_absmax, threshold)
        loss = evaluate(quantize_model(model, "LLM.int8", threshold=threshold), test)
        found["thresholds"][str(threshold)] = [loss, share]
    log("Hessians")
    hessians = collect_hessians(model, calibration)
    found["weights"] = {}
    for bits in BITS[2:] if options.quick else BITS:
        for name in ("RTN",) if options.quick else ("RTN", "GPTQ", "AWQ"):
            for group in (None, GROUP):
                log(f"weights alone: {name}, {bits} bits, {'per channel' if group is None else f'groups of {group}'}")
                made = weights_only(model, rounding(name, bits, hessians, group))
                found["weights"].setdefault(str(bits), {}).setdefault(name, {})[str(group)] = evaluate(made, test)
                del made
                gc.collect()
    return found


def load(options: argparse.Namespace, log: Log) -> tuple[torch.nn.Module, Tensor]:
    """The model, and the tokens of a text."""
    checkpoint = read_checkpoint(fetch.model(options.model or "smollm2", log))
    text = fetch.load_text(options.data)
    return load_decoder(checkpoint), torch.tensor(checkpoint.tokens.encode(text[:80_000]))


def outliers_of(act_absmax: dict[str, Tensor]) -> list:
    """[layer, largest input, its channel, median over the channels] of the ten layers with the largest inputs."""
    rows = [[n, float(v.max()), int(v.argmax()), float(v.median())] for n, v in act_absmax.items()]
    return sorted(rows, key=lambda row: -row[1])[:10]


def outlier_share(act_absmax: dict[str, Tensor], threshold: float) -> float:
    """The share of input channels that pass the threshold on the calibration data."""
    return float(torch.cat([v > threshold for v in act_absmax.values()]).float().mean())


@torch.no_grad()
def first_token(model: torch.nn.Module, row: Tensor) -> dict:
    """The largest inputs of the loudest layer at the first token and at all others."""
    inputs: dict[str, Tensor] = {}
    hooks = [
        m.register_forward_pre_hook(lambda module, args, n=n: inputs.__setitem__(n, args[0][0]))
        for n, m in linears(model).items()
    ]
    model(row)
    for hook in hooks:
        hook.remove()
    loudest = max(inputs, key=lambda n: float(inputs[n].abs().max()))
    x = inputs[loudest].abs()
    channels = int(outlier_channels(inputs[loudest], 6.0).sum())
    return {"layer": loudest, "first": float(x[0].max()), "others": float(x[1:].max()), "channels above 6": channels}
