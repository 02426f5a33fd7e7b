"""The number of threads, set for a while and given back."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def training_threads() -> int:
    """A small model trains no faster on more than four."""
    return min(4, os.cpu_count() or 1)
