"""Images to train on: the bundled digits, MNIST, or CIFAR-10 where the data folder has it."""

import argparse
import os
from pathlib import Path

import torch
from torch import Tensor

from ..vision import read_cifar10, read_mnist
from .catalogue import MNIST_TEST_IMAGES, MNIST_TEST_LABELS, MNIST_TRAIN_IMAGES, MNIST_TRAIN_LABELS
from .fetch import fetch

Set = tuple[Tensor, Tensor]
NAMES = ("digits", "mnist", "cifar10")


def digits() -> tuple[Set, Set]:
    """1,797 images of 8 x 8 pixels (UCI), of which 397 are for testing."""
    from sklearn.datasets import load_digits

    bunch = load_digits()
    images = torch.tensor(bunch.images, dtype=torch.float32)[:, None] / 16
    labels = torch.tensor(bunch.target, dtype=torch.long)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    train, test = order[:1400], order[1400:]
    return (images[train], labels[train]), (images[test], labels[test])


def mnist() -> tuple[Set, Set]:
    """60,000 images of 28 x 28 pixels, and 10,000 for testing."""
    train = read_mnist(fetch(MNIST_TRAIN_IMAGES), fetch(MNIST_TRAIN_LABELS))
    return train, read_mnist(fetch(MNIST_TEST_IMAGES), fetch(MNIST_TEST_LABELS))


def cifar10() -> tuple[Set, Set]:
    """50,000 images of 32 x 32 pixels in color, and 10,000 for testing.

    Raises:
        OSError: the data folder does not have them.
    """
    folder = Path(os.environ.get("HARDWAY_DATA") or ".") / "cifar-10-batches-bin"
    paths = [folder / f"data_batch_{n}.bin" for n in range(1, 6)]
    if missing := [path for path in (*paths, folder / "test_batch.bin") if not path.is_file()]:
        raise OSError(
            f"{missing[0].name} is not on this machine. Get cifar-10-binary.tar.gz from "
            "https://www.cs.toronto.edu/~kriz/cifar.html, unpack it in a folder, and set HARDWAY_DATA to that folder"
        )
    parts = [read_cifar10(path) for path in paths]
    train = torch.cat([images for images, _ in parts]), torch.cat([labels for _, labels in parts])
    return train, read_cifar10(folder / "test_batch.bin")


def load(options: argparse.Namespace) -> tuple[str, Set, Set]:
    """(name, training set, test set) of what --data asks for; the digits if it asks for nothing.

    Raises:
        ValueError: an unknown name.
    """
    name = "digits" if options.data == "pydoc" else options.data
    if name not in NAMES:
        raise ValueError(f"data={name!r}: choose one of {', '.join(NAMES)}")
    train, test = {"digits": digits, "mnist": mnist, "cifar10": cifar10}[name]()
    return name, train, test
