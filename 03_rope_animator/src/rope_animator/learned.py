"""Positions as rows of a trained table (GPT-2, BERT): the simplest scheme, and the one that ends."""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn


class LearnedPositions(nn.Module):
    """A row of parameters for each position, added to the embeddings.

    Row p is trained only by tokens that stood at position p. Beyond the table there is nothing to add, so asking for
    such a position is an error: wrapping round or clamping would return a row that means another place.
    """

    def __init__(self, length: int, dim: int) -> None:
        super().__init__()
        self.table = nn.Parameter(0.02 * torch.randn(length, dim))  # 0.02: GPT-2's initialisation

    def forward(self, positions: Shaped[Tensor, "*N"]) -> Float[Tensor, "*N D"]:
        """Rows at the given integer positions. Raises ValueError if one lies outside the table."""
        if positions.numel() and (positions.min() < 0 or positions.max() >= len(self.table)):
            raise ValueError(
                f"positions = {int(positions.min())}..{int(positions.max())}: the learned table has "
                f"{len(self.table)} rows (0..{len(self.table) - 1}) and no row for a position it never saw; "
                "train a longer table or use a scheme that extrapolates"
            )
        return self.table[positions]
