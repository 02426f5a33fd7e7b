"""What each format does to numbers: a normal, a normal with one per cent of outliers, numbers after a ReLU."""

import argparse
from collections.abc import Callable

import torch
from torch import Tensor

from ..absmax import absmax_quantize, dequantize, rms_error
from ..formats import E4M3, E5M2, kmeans_levels, levels_of, nearest, nf4_dequantize, nf4_quantize, round_to
from ..granularity import dequantize_groups, quantize_channels, quantize_groups
from ..zeropoint import zeropoint_dequantize, zeropoint_quantize
from .cli import seeds_of

ROWS, COLUMNS, OUTLIER = 64, 1024, 50.0


def tensors(seed: int) -> dict[str, Tensor]:
    """Three tensors of 64 rows of 1,024."""
    generator = torch.Generator().manual_seed(seed)
    normal = torch.randn(ROWS, COLUMNS, generator=generator)
    loud = torch.rand(ROWS, COLUMNS, generator=generator) < 0.01
    rows = torch.rand(ROWS, 1, generator=generator) < 0.25  # outliers are in a quarter of the rows
    return {
        "normal": normal,
        "1 % outliers": torch.where(loud & rows, OUTLIER * normal, normal),
        "after ReLU": normal.relu(),
    }


def kmeans(x: Tensor) -> Tensor:
    levels = kmeans_levels(x.flatten(), 4)
    return levels[nearest(x, levels)]


WAYS: dict[str, Callable[[Tensor], Tensor]] = {
    "INT8, one scale": lambda x: dequantize(*absmax_quantize(x)),
    "INT8, zero point": lambda x: zeropoint_dequantize(*zeropoint_quantize(x)),
    "INT8, per channel": lambda x: dequantize_groups(*quantize_channels(x)),
    "FP8 E4M3, one scale": lambda x: round_to(x, levels_of(E4M3)),
    "FP8 E5M2, one scale": lambda x: round_to(x, levels_of(E5M2)),
    "INT4, one scale": lambda x: dequantize(*absmax_quantize(x, 4)),
    "INT4, per channel": lambda x: dequantize_groups(*quantize_channels(x, 4)),
    "INT4, groups of 64": lambda x: dequantize_groups(*quantize_groups(x, 64, 4)),
    "NF4, blocks of 64": lambda x: nf4_dequantize(*nf4_quantize(x)).view(x.shape),
    "k-means, 16 levels": kmeans,
}


def formats(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """The error of each way on each tensor, and that on the ordinary numbers alone; half a minute."""
    seeds = seeds_of(options, 1 if options.quick else 5)
    found: dict = {"seeds": seeds, "error": {name: {} for name in WAYS}, "ordinary": {name: [] for name in WAYS}}
    for seed in seeds:
        for kind, x in tensors(seed).items():
            for name, way in WAYS.items():
                log(f"seed {seed}: {kind}, {name}")
                y = way(x)
                found["error"][name].setdefault(kind, []).append(rms_error(x, y))
                if kind == "1 % outliers":
                    small = x.abs() < 4
                    found["ordinary"][name].append(rms_error(x[small], y[small]))
    return found
