"""The headline: why √d, the bottleneck that attention opens, and the patterns of a small trained model."""

import argparse
from collections.abc import Callable

import torch
import torch.nn.functional as F

from ..attention import scaled_dot_product_attention
from ..masks import causal_mask
from .bottleneck import bottleneck
from .cli import seeds_of
from .fetch import load_text
from .patterns import patterns
from .scaling import scaling


def headline(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """All three, after attention has been compared with PyTorch's.

    Raises:
        ValueError: `--model` was given; the real model has a command of its own.
    """
    if options.model:
        raise ValueError(f"model={options.model!r}: the real model belongs to the command induction")
    check()
    seeds = seeds_of(options, 1 if options.quick else 3)
    log("why the square root of d")
    content = {"seeds": seeds, "scaling": scaling(seeds)}
    content["bottleneck"] = bottleneck(seeds, 5 if options.quick else 1000, log)
    content["patterns"] = patterns(load_text(options.data), seeds[:2], 5 if options.quick else 1000, log)
    return content


def check() -> None:
    """Correctness first. Raises ValueError if attention is not PyTorch's."""
    generator = torch.Generator().manual_seed(0)
    q, k, v = torch.randn(3, 2, 3, 37, 16, generator=generator)
    ours = scaled_dot_product_attention(q, k, v, causal_mask(37))[0]
    error = float((ours - F.scaled_dot_product_attention(q, k, v, is_causal=True)).abs().max())
    if error > 2e-6:
        raise ValueError(f"error={error}: attention must agree with PyTorch before anything is measured")
