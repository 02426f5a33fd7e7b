"""Files of images: MNIST's idx format and CIFAR-10's binary one. Each is checked before it is used.

Dimensions:
    N   images
    C   channels
    H W height and width
"""

import gzip
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

CIFAR_ROW = 1 + 3 * 32 * 32  # a label, then 1,024 red, 1,024 green and 1,024 blue bytes


def read_idx(path: Path) -> np.ndarray:
    """The bytes of an idx file, gzipped or not, in their shape (LeCun's format).

    Raises:
        ValueError: it is no idx file of bytes, or its length is another than its header says.
    """
    data = path.read_bytes()
    data = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    if data[:3] != b"\x00\x00\x08" or len(data) < 4:
        raise ValueError(f"path={path}: not an idx file of bytes; get MNIST's files")
    axes = data[3]
    shape = tuple(np.frombuffer(data, ">u4", axes, offset=4).astype(int))
    found = np.frombuffer(data, np.uint8, offset=4 + 4 * axes)
    if found.size != np.prod(shape):
        raise ValueError(f"path={path}: {found.size} bytes where the header says {shape}; get the file again")
    return found.reshape(shape)


def read_mnist(images: Path, labels: Path) -> tuple[Float[Tensor, "N 1 H W"], Int[Tensor, "N"]]:
    """Images from 0 to 1, and their digits.

    Raises:
        ValueError: a file is damaged, or the two do not belong together.
    """
    pixels, digits = read_idx(images), read_idx(labels)
    if len(pixels) != len(digits):
        raise ValueError(f"labels={len(digits)}: there are {len(pixels)} images; give the files of one set")
    return torch.tensor(pixels[:, None] / np.float32(255)), torch.tensor(digits, dtype=torch.long)


def read_cifar10(path: Path) -> tuple[Float[Tensor, "N 3 32 32"], Int[Tensor, "N"]]:
    """A batch of the binary version of CIFAR-10 (`data_batch_1.bin`). It holds numbers only, so it is safe to read.

    Raises:
        ValueError: the length is not a whole number of rows, or a label is above 9.
    """
    data = np.frombuffer(path.read_bytes(), np.uint8)
    if not data.size or data.size % CIFAR_ROW:
        raise ValueError(f"path={path}: {data.size} bytes are no rows of {CIFAR_ROW}; get the binary version")
    rows = data.reshape(-1, CIFAR_ROW)
    if rows[:, 0].max() > 9:
        raise ValueError(f"path={path}: label {rows[:, 0].max()}: must be 0 to 9; this is not CIFAR-10")
    images = rows[:, 1:].reshape(-1, 3, 32, 32) / np.float32(255)
    return torch.tensor(images), torch.tensor(rows[:, 0], dtype=torch.long)
