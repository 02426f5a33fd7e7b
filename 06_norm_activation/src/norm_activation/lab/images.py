"""Images as rows of numbers: scikit-learn's digits (8 × 8), and MNIST (28 × 28) through `--data mnist`."""

import functools
import gzip
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from .catalogue import MNIST_TEST_IMAGES, MNIST_TEST_LABELS, MNIST_TRAIN_IMAGES, MNIST_TRAIN_LABELS
from .fetch import fetch


@functools.lru_cache(1)
def digits() -> tuple[Float[Tensor, "1797 64"], Int[Tensor, "1797"]]:
    """All 1,797 digits in a fixed shuffled order, with values from -1 to 1."""
    from sklearn.datasets import load_digits  # here: scikit-learn takes two seconds to load

    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    return torch.tensor(data.data[order] / 8 - 1).float(), torch.tensor(data.target[order]).long()


def mnist() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """(x, classes, test x, test classes) with values from -1 to 1."""
    parts = []
    pairs = ((MNIST_TRAIN_IMAGES, MNIST_TRAIN_LABELS), (MNIST_TEST_IMAGES, MNIST_TEST_LABELS))
    for images, labels in pairs:
        parts.append(idx(fetch(images)).reshape(-1, 784) / 127.5 - 1)
        parts.append(idx(fetch(labels)).astype(np.int64))
    return tuple(parts)


def idx(path: Path) -> np.ndarray:
    """An IDX file of bytes: two zeros, a type, the number of axes, each axis as four bytes, the data.

    Raises:
        ValueError: the file is something else, or is not whole.
    """
    with gzip.open(path) as file:
        raw = file.read()
    if len(raw) < 4 or raw[:3] != b"\0\0\x08":
        raise ValueError(f"{path}: this is no IDX file of bytes; fetch it again")
    axes = raw[3]
    shape = tuple(int.from_bytes(raw[4 + 4 * i : 8 + 4 * i], "big") for i in range(axes))
    data = np.frombuffer(raw, np.uint8, offset=4 + 4 * axes)
    if data.size != np.prod(shape):
        raise ValueError(f"{path}: {data.size} bytes where {shape} needs {np.prod(shape)}; fetch it again")
    return data.reshape(shape)
