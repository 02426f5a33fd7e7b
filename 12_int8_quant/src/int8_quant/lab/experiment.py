"""The headline: a model with injected outliers by seven methods, and its weights alone in four, three and two bits.

The fast forms and the plain ones are compared before anything is measured.
"""

import argparse
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ..gptq import collect_hessians, gptq_blocks, gptq_quantize
from ..granularity import dequantize_groups, quantize_channels
from ..linear import int8_linear
from ..linear_fast import fast_int8_linear
from ..model import Config, Decoder
from ..outliers import inject_outliers
from ..quantize_model import METHODS, activation_absmax, quantize_model, weights_only
from ..train import evaluate, train, windows
from .cli import seeds_of
from .fetch import load_text

Log = Callable[[str], None]
CONFIG = Config(vocab_size=256, d_model=96, layers=3, heads=4, kv_heads=2, ffn=256)
STEPS, LR = 400, 5e-3
CHANNELS, FACTORS = 6, (1, 20, 60)
BITS = (4, 3, 2)


def headline(options: argparse.Namespace, log: Log) -> dict:
    """Both tables; about two minutes on one core."""
    check_forms(options.seed)
    seeds = seeds_of(options, 1 if options.quick else 3)
    steps = 15 if options.quick else STEPS
    found: dict = {"steps": steps, "seeds": seeds, "fp32": []}
    found["injected"] = {str(f): {method: [] for method in METHODS} for f in FACTORS}
    found["weights"] = {str(bits): {"RTN": [], "GPTQ": []} for bits in BITS}
    for seed in seeds:
        model, text, unseen = trained(options.data, steps, seed, log)
        calibration, test = batches(text, unseen, 4 if options.quick else 48)
        found["fp32"].append(evaluate(model, test))
        for factor in FACTORS:
            loud = inject_outliers(model, CHANNELS, factor, seed)
            act_absmax = activation_absmax(loud, calibration)
            for method, losses in found["injected"][str(factor)].items():
                log(f"seed {seed}: outliers times {factor}, {method}")
                losses.append(evaluate(quantize_model(loud, method, act_absmax), test))
        hessians = collect_hessians(model, calibration)
        for bits in BITS:
            log(f"seed {seed}: weights alone in {bits} bits")
            for name, losses in found["weights"][str(bits)].items():
                losses.append(evaluate(weights_only(model, rounding(name, bits, hessians)), test))
    return found


def trained(data: str, steps: int, seed: int, log: Log) -> tuple[nn.Module, Tensor, Tensor]:
    """A small decoder of bytes, the text it was trained on, and the rest of it."""
    bytes_ = torch.frombuffer(bytearray(load_text(data).encode()), dtype=torch.uint8)
    cut = int(0.9 * len(bytes_))
    model = Decoder(CONFIG, seed=seed)
    train(model, bytes_[:cut], steps, LR, seed=seed, log=lambda line: log(f"seed {seed}: {line}"))
    return model.requires_grad_(False), bytes_[:cut], bytes_[cut:]


def batches(text: Tensor, unseen: Tensor, count: int, length: int = 65) -> tuple[Tensor, Tensor]:
    """Calibration windows of the training text, test windows of the unseen one. They never meet."""
    return tuple(windows(part, count, length, torch.Generator().manual_seed(0)) for part in (text, unseen))


def rounding(name: str, bits: int, hessians: dict[str, Tensor], group_size: int | None = None) -> Callable:
    """`round_weight(name, weight)` for `weights_only`."""
    from ..awq import awq_search
    from ..granularity import quantize_groups

    def round_weight(layer: str, weight: Tensor) -> Tensor:
        size = group_size or weight.shape[1]
        if name == "RTN":
            return dequantize_groups(*quantize_groups(weight, size, bits))
        if name == "AWQ":
            return awq_search(weight, hessians[layer], bits, size).weight
        block = 128 if group_size is None else group_size * max(1, 128 // group_size)
        return gptq_blocks(weight, hessians[layer], bits, group_size, block).dequantize()

    return round_weight


def check_forms(seed: int) -> None:
    """Raises ValueError where a fast form is not the plain one."""
    generator = torch.Generator().manual_seed(seed)
    x, weight = torch.randn(33, 64, generator=generator), torch.randn(24, 64, generator=generator)
    codes, scales = quantize_channels(weight)
    error = float((fast_int8_linear(x, codes, scales) - int8_linear(x, codes, scales)).abs().max())
    inputs = torch.randn(200, 64, generator=generator, dtype=torch.float64)
    column, _ = gptq_quantize(weight.double(), inputs, 3)
    different = int((gptq_blocks(weight.double(), inputs.T @ inputs, 3, block_size=16).codes != column).sum())
    if error > 1e-4 or different:
        raise ValueError(f"error={error:.1e}, codes={different}: the two forms must agree before anything is measured")
