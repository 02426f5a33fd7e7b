"""The text of the sweep: its pieces in random order, so that the first D tokens are a sample of the whole."""

import torch
from torch import Tensor

from ..sweep import Batch
from .fetch import load_text

PIECE = 512  # bytes that stay together
VALIDATION = 32_768  # bytes at the end that no run trains on
CONTEXT = 32


def corpus(name: str) -> tuple[Tensor, Batch]:
    """(bytes to train on, the validation batch). The order is the same for every seed.

    Raises:
        ValueError: the text has fewer than three times the bytes that validation needs.
    """
    data = torch.frombuffer(bytearray(load_text(name).encode()), dtype=torch.uint8)
    if len(data) < 3 * VALIDATION:
        raise ValueError(f"data={name!r}: {len(data)} bytes; a sweep needs at least {3 * VALIDATION}")
    pieces = data[: len(data) // PIECE * PIECE].view(-1, PIECE)
    order = torch.randperm(len(pieces), generator=torch.Generator().manual_seed(0))
    mixed = pieces[order].flatten()
    text, last = mixed[: -VALIDATION - 1], mixed[-VALIDATION - 1 :].long()
    return text, (last[:-1].view(-1, CONTEXT), last[1:].view(-1, CONTEXT))
