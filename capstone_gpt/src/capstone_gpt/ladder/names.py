"""Short names as training examples: contexts of fixed length, or whole sequences.

Dimensions:
    n  examples      T  characters of a context or sequence
"""

from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor

IGNORE = -100


class Names:
    """Names split into training (90 %) and validation, shuffled once. Token 0 is the end, and fills the front."""

    def __init__(self, names: Sequence[str], seed: int = 42):
        order = torch.randperm(len(names), generator=torch.Generator().manual_seed(seed)).tolist()
        shuffled = [names[i] for i in order]
        self.letters = sorted(set("".join(names)))
        self.number = {c: i + 1 for i, c in enumerate(self.letters)}
        self.vocab_size = len(self.letters) + 1
        boundary = int(0.9 * len(names))
        self.splits = {"train": shuffled[:boundary], "valid": shuffled[boundary:]}

    def contexts(self, split: str, length: int) -> tuple[Int[Tensor, "n T"], Int[Tensor, "n"]]:
        """Each character with the `length` before it."""
        x, y = [], []
        for name in self.splits[split]:
            context = [0] * length
            for token in [self.number[c] for c in name] + [0]:
                x.append(context)
                y.append(token)
                context = [*context[1:], token]
        return torch.tensor(x).reshape(len(y), length), torch.tensor(y)

    def sequences(self, split: str, length: int) -> tuple[Int[Tensor, "n T"], Int[Tensor, "n T"]]:
        """Whole names: inputs begin with 0, targets end with it, and what is behind is not counted."""
        names = self.splits[split]
        x, y = torch.zeros(len(names), length, dtype=torch.long), torch.full((len(names), length), IGNORE)
        for row, name in enumerate(names):
            tokens = torch.tensor([self.number[c] for c in name][: length - 1])
            x[row, 1 : len(tokens) + 1] = tokens
            y[row, : len(tokens)] = tokens
            y[row, len(tokens)] = 0
        return x, y
