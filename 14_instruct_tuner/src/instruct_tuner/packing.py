"""Packing: short conversations share a row, and none sees the other.

Padding to the longest wastes most of a batch. Best-fit decreasing fills rows almost completely; a block-diagonal mask
and positions that restart keep each sequence's logits as they would be alone.

Dimensions:
    N sequences   C capacity of a row, in tokens
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Int
from torch import Tensor


def pack_best_fit(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """Which sequences share a row: best-fit decreasing (Johnson 1973). Rows in the order in which they are opened.

    Longest first, and of equal lengths the earlier index first. Each goes where it leaves the least room, of equal
    rooms into the row that was opened first, and into a new row where it fits in none.

    Raises:
        ValueError: a sequence is longer than a row. Nothing is split or cut off.
    """
    rows: list[list[int]] = []
    used: list[int] = []  # tokens in each row
    for i in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        if lengths[i] > capacity:
            raise ValueError(f"lengths[{i}]={lengths[i]}: longer than capacity={capacity}; leave it out or cut it")
        fits = [row for row in range(len(rows)) if used[row] + lengths[i] <= capacity]
        if fits:
            best = max(fits, key=lambda row: used[row])
        else:
            best = len(rows)
            rows.append([])
            used.append(0)
        rows[best].append(i)
        used[best] += lengths[i]
    return rows


def lower_bound(lengths: Sequence[int], capacity: int) -> int:
    """No packing has fewer rows than all tokens fill."""
    return -(-sum(lengths) // capacity)


def packed_layout(lengths: Sequence[int], capacity: int) -> tuple[Int[Tensor, "C"], Bool[Tensor, "C C"]]:
    """(position_ids, attention_mask) of a row in which sequences of these lengths stand one after the other.

    Positions restart at 0 with each sequence. `attention_mask[q, k]` is True where query q may see key k: of the same
    sequence, and not later. What the sequences leave free is padding: position 0, and each sees only itself, so
    that no softmax is empty.

    Raises:
        ValueError: the sequences do not fit.
    """
    if sum(lengths) > capacity:
        raise ValueError(f"lengths={list(lengths)}: more than capacity={capacity}; pack them into several rows")
    padding = capacity - sum(lengths)
    parts = torch.tensor([*lengths, *[1] * padding])  # each padding token is a sequence of its own
    starts = parts.cumsum(0) - parts
    sequence = torch.arange(len(parts)).repeat_interleave(parts)  # C
    positions = torch.arange(capacity) - starts[sequence]
    return positions, (sequence[:, None] == sequence).tril()
