"""Positions as rows of a trained table (GPT-2, BERT): the simplest scheme, and the only one with an end."""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn


class LearnedPositionalEmbedding(nn.Module):
    """One row of parameters for each position, added to the embeddings.

    Row p is trained only by tokens at position p. Beyond the last row there is nothing to add, so such a position is
    an error. Wrapping round or clamping would return the row of another position without a warning.
    """

    def __init__(self, max_seq_len: int, dim: int) -> None:
        """A table of random rows.

        Raises:
            ValueError: `max_seq_len` or `dim` is below 1.
        """
        super().__init__()
        if max_seq_len < 1 or dim < 1:
            raise ValueError(f"max_seq_len={max_seq_len}, dim={dim}: a table needs rows and columns; use 1 or more")
        self.weight = nn.Parameter(0.02 * torch.randn(max_seq_len, dim))  # 0.02: GPT-2's initialisation

    def forward(self, positions: Shaped[Tensor, "*N"]) -> Float[Tensor, "*N D"]:
        """The rows at the given positions.

        Raises:
            ValueError: `positions` are not integers, or one of them has no row.
        """
        if positions.is_floating_point() or positions.dtype == torch.bool:
            raise ValueError(f"positions.dtype={positions.dtype}: rows are counted with integers; use positions.long()")
        rows = len(self.weight)
        if positions.numel() and (positions.min() < 0 or positions.max() >= rows):
            raise ValueError(
                f"positions={int(positions.min())}..{int(positions.max())}: the learned table has {rows} rows "
                f"(0..{rows - 1}) and no row for other positions; train a longer table or use another scheme"
            )
        return self.weight[positions.long()]
