"""The sizes of a model, in one frozen place."""

from dataclasses import dataclass

import torch.nn.functional as F

ACTIVATIONS = {"gelu": F.gelu, "relu": F.relu}


@dataclass(frozen=True)
class Config:
    """Sizes and choices that every part of a model shares.

    `expansion` is the width of the feed-forward layer over the width of the stream. `norm_first` is True for Pre-LN
    and False for Post-LN. `dropout` is the probability that a number of a sublayer's output is set to zero.

    Raises:
        ValueError: a size is not positive, the heads do not divide the width, or a choice is unknown.
    """

    vocab_size: int
    context_length: int
    layers: int
    heads: int
    width: int
    expansion: int = 4
    dropout: float = 0.0
    norm_first: bool = True
    activation: str = "gelu"

    def __post_init__(self):
        for name in ("vocab_size", "context_length", "layers", "heads", "width", "expansion"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: must be at least 1; choose a positive size")
        if self.width % self.heads:
            raise ValueError(f"heads={self.heads}: must divide width={self.width}; choose another number of heads")
        if not 0 <= self.dropout <= 1:
            raise ValueError(f"dropout={self.dropout}: must be a probability; choose a number from 0 to 1")
        if self.activation not in ACTIVATIONS:
            raise ValueError(f"activation={self.activation!r}: must be one of {', '.join(ACTIVATIONS)}")
