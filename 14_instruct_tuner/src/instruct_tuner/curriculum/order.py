"""A curriculum (Bengio et al. 2009): the easy examples first, and more of the hard ones as training goes on."""

from collections.abc import Iterator, Sequence

import torch

from ..finetune import Batch, Example, pad_batch
from ..labels import IGNORE


def difficulty(example: Example) -> int:
    """How many tokens the answers have."""
    return int((example.labels != IGNORE).sum())


def curriculum_batches(
    examples: Sequence[Example], steps: int, size: int, generator: torch.Generator, start: int | float = 0.2
) -> Iterator[Batch]:
    """`steps` batches. Step s draws from the easiest `start` of the examples at first, and from all in the second half.

    Raises:
        ValueError: a start that is no share.
    """
    if not 0 < start <= 1:
        raise ValueError(f"start={start}: the share of examples at first must be above 0 and at most 1")
    ordered = sorted(examples, key=difficulty)
    for step in range(steps):
        share = min(1.0, start + (1 - start) * 2 * step / steps)
        known = ordered[: max(size, round(share * len(ordered)))]
        chosen = torch.randint(len(known), (size,), generator=generator).tolist()
        yield pad_batch([known[i] for i in chosen])
