"""Samples by index: from memory, or lazily from a file that is larger than memory; and a thread that reads ahead."""

import os
import queue
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset


class Pairs(Dataset):
    """Inputs and targets in memory. Indexed with a tensor of indices, it gives a whole batch."""

    def __init__(self, x: Tensor, y: Tensor):
        if len(x) != len(y):
            raise ValueError(f"x={len(x)}: y has {len(y)} samples; each input needs one target")
        self.x, self.y = x, y

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, index: Tensor | int) -> tuple[Tensor, Tensor]:
        return self.x[index], self.y[index]


def write_tokens(path: Path | str, tokens: list[int] | Tensor, vocab_size: int) -> Path:
    """Tokens as a flat file of 16-bit (or 32-bit) numbers, written as a whole or not at all.

    Raises:
        ValueError: a token outside of the vocabulary.
    """
    array = np.asarray(tokens)
    if array.size and not 0 <= int(array.min()) <= int(array.max()) < vocab_size:
        raise ValueError(f"tokens={int(array.max())}: outside of a vocabulary of {vocab_size}")
    path = Path(path)
    tmp = path.with_name(f".{path.name}.tmp")
    array.astype(np.uint16 if vocab_size <= 1 << 16 else np.uint32).tofile(tmp)
    os.replace(tmp, path)
    return path


class TokenFile(Dataset):
    """Windows of a file of `write_tokens`, mapped into memory: only the pages that a batch touches are read."""

    def __init__(self, path: Path | str, seq_len: int, vocab_size: int):
        dtype = np.dtype(np.uint16 if vocab_size <= 1 << 16 else np.uint32)
        size = os.path.getsize(path)
        if size % dtype.itemsize or size // dtype.itemsize <= seq_len:
            raise ValueError(f"{path}: {size} bytes are no file of tokens for windows of {seq_len}")
        self.tokens, self.seq_len = np.memmap(path, dtype=dtype, mode="r"), seq_len

    def __len__(self) -> int:
        return (len(self.tokens) - 1) // self.seq_len

    def __getitem__(self, index: Tensor | int) -> tuple[Tensor, Tensor]:
        first = torch.as_tensor(index)[..., None] * self.seq_len
        rows = self.tokens[(first + torch.arange(self.seq_len + 1)).numpy()].astype(np.int64)
        both = torch.from_numpy(rows)
        return both[..., :-1], both[..., 1:]


def prefetch(items: Iterator[Any], depth: int = 2) -> Iterator[Any]:
    """The same items, made by a thread that is up to `depth` items ahead. Its exceptions come out here.

    A sampler behind it is ahead too: save the state that came with the item, not the sampler's own.
    """
    done, buffer = object(), queue.Queue(maxsize=depth)

    def work() -> None:
        try:
            for item in items:
                buffer.put((item, None))
            buffer.put((done, None))
        except Exception as error:
            buffer.put((done, error))

    threading.Thread(target=work, daemon=True).start()
    while True:
        item, error = buffer.get()
        if error is not None:
            raise error
        if item is done:
            return
        yield item
