"""The shape of a model, as one frozen dataclass."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Config:
    """The shape of a model. `context_length` is the number of positions: the longest sequence it can read.

    Raises:
        ValueError: a field is not a positive whole number, or `width` is not divisible by `heads`.
    """

    vocab_size: int
    context_length: int
    layers: int
    heads: int
    width: int

    def __post_init__(self):
        for name, value in asdict(self).items():
            if not isinstance(value, int) or value < 1:
                raise ValueError(f"{name}={value!r}: must be a positive whole number")
        if self.width % self.heads:
            raise ValueError(f"width={self.width}: must be divisible by heads={self.heads}; change one of the two")

    @property
    def head_dim(self) -> int:
        return self.width // self.heads

    @classmethod
    def gpt2(cls) -> "Config":
        """GPT-2 small: 124 million parameters, 38.6 million of them in the embedding, which is also the head."""
        return cls(vocab_size=50257, context_length=1024, layers=12, heads=12, width=768)
