"""Ours beside the peer, alternating in one run. Correctness comes first."""

import argparse
import time
from collections.abc import Callable

import torch

from ..softmax import softmax

SHAPE = (512, 1024)


def bench(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """Milliseconds a call of both sides.

    Raises:
        ValueError: the two sides do not agree.
    """
    scores = torch.randn(SHAPE, generator=torch.Generator().manual_seed(options.seed))
    contenders = {"ours": lambda: softmax(scores), "torch.softmax": lambda: torch.softmax(scores, -1)}
    error = float((contenders["ours"]() - contenders["torch.softmax"]()).abs().max())
    if error > 1e-6:
        raise ValueError(f"error={error}: the two sides must agree before they are timed")
    times = {name: [] for name in contenders}
    for repeat in range(5 if options.quick else 50):
        log(f"repeat {repeat}")
        for name, call in contenders.items():
            start = time.perf_counter()
            call()
            times[name].append(1e3 * (time.perf_counter() - start))
    return {"shape": SHAPE, "error": error, "milliseconds": {name: values[1:] for name, values in times.items()}}
