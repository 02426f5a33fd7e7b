"""How fast memory delivers bytes: the limit that a decode step cannot pass."""

import time

import torch


def measure_bandwidth(megabytes: int = 256, repeats: int = 7) -> float:
    """Bytes/s of a sum over a buffer: the best of `repeats`, because it is a limit. A small one lies in a cache."""
    buffer = torch.ones(megabytes * 2**20 // 4)
    return max(buffer.nbytes / _seconds(buffer) for _ in range(repeats))


def _seconds(buffer: torch.Tensor) -> float:
    start = time.perf_counter()
    buffer.sum()
    return time.perf_counter() - start
