"""How fast this machine's memory delivers bytes: the limit that `roofline` needs."""

import time

import torch

from .threads import threads as set_threads


def measure_bandwidth(threads: int, megabytes: int = 256, repeats: int = 7) -> float:
    """Bytes/s of a streaming read (a sum) over a buffer that no cache holds: the best of `repeats`.

    The best and not the median, because it is used as a limit. Other programs only ever make it slower.
    """
    buffer = torch.ones(megabytes * 2**20 // 4)
    with set_threads(threads):
        return max(buffer.nbytes / _seconds_to_sum(buffer) for _ in range(repeats))


def _seconds_to_sum(buffer: torch.Tensor) -> float:
    start = time.perf_counter()
    buffer.sum()
    return time.perf_counter() - start
