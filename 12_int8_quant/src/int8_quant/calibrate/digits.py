"""Images for the small classifier: MNIST where its files are, else scikit-learn's bundled digits, enlarged."""

import gzip
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor


class Images(NamedTuple):
    """Images (N, 1, 28, 28) with numbers in 0…1, and labels."""

    train: Tensor
    train_labels: Tensor
    test: Tensor
    test_labels: Tensor


def read_idx(path: Path | str) -> np.ndarray:
    """A gzipped file of MNIST's own format: magic, sizes, bytes.

    Raises:
        ValueError: the file does not begin as it should, or has another length than it says.
    """
    with gzip.open(path) as file:
        data = file.read()
    if data[:3] != b"\x00\x00\x08":
        raise ValueError(f"{path}: begins with {data[:3]!r}, not with an idx file of bytes; get it again")
    axes = data[3]
    shape = np.frombuffer(data, ">i4", axes, 4)
    if len(data) != 4 + 4 * axes + shape.prod():
        raise ValueError(f"{path}: holds {len(data)} bytes, its header says {shape.tolist()}; get it again")
    return np.frombuffer(data, np.uint8, offset=4 + 4 * axes).reshape(shape)


def mnist(paths: list[Path]) -> Images:
    """From its four files: training images, training labels, test images, test labels."""
    train, train_labels, test, test_labels = (torch.from_numpy(read_idx(path).copy()) for path in paths)
    return Images(train[:, None] / 255, train_labels.long(), test[:, None] / 255, test_labels.long())


def digits(seed: int = 0) -> Images:
    """1,797 images of 8 × 8, each pixel three times as wide and high, with a border of two: 28 × 28."""
    from sklearn.datasets import load_digits

    data = load_digits()
    small = torch.from_numpy(data.images).float() / 16
    images = torch.nn.functional.pad(small.repeat_interleave(3, 1).repeat_interleave(3, 2), (2, 2, 2, 2))[:, None]
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(seed))
    images, labels = images[order], torch.from_numpy(data.target)[order].long()
    return Images(images[:1297], labels[:1297], images[1297:], labels[1297:])
