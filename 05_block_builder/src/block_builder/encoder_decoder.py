"""The two other blocks: one that sees the whole text, and one that also reads another text.

Dimensions:
    B   sequences in a batch
    T   positions of this text, S positions of the other text
    C   width of the stream
"""

from jaxtyping import Bool, Float
from torch import Tensor, nn

from .attention import MultiHeadAttention, causal_mask, padding_mask
from .block import FeedForward, residual
from .config import Config


class EncoderBlock(nn.Module):
    """A block whose positions see the whole text, except its padding (Vaswani et al. 2017, section 3.1; BERT)."""

    def __init__(self, config: Config):
        super().__init__()
        self.norm_first = config.norm_first
        self.ln_1 = nn.LayerNorm(config.width)
        self.attn = MultiHeadAttention(config.width, config.heads)
        self.ln_2 = nn.LayerNorm(config.width)
        self.mlp = FeedForward(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self, x: Float[Tensor, "B T C"], attention_mask: Bool[Tensor, "B T"] | None = None
    ) -> Float[Tensor, "B T C"]:
        """`attention_mask` is True at real tokens and False at padding."""
        mask = padding_mask(attention_mask)  # B 1 1 T
        x = residual(x, lambda h: self.attn(h, h, mask), self.ln_1, self.dropout, self.norm_first)
        return residual(x, self.mlp, self.ln_2, self.dropout, self.norm_first)


class DecoderBlock(nn.Module):
    """A block with a third sublayer between the two: attention to another text, the memory (same, section 3.1).

    Queries come from this text, keys and values from the memory. The memory is whole, so only its padding is hidden.
    The memory is normalized where it was made, and not here.
    """

    def __init__(self, config: Config):
        super().__init__()
        self.norm_first = config.norm_first
        self.ln_1 = nn.LayerNorm(config.width)
        self.self_attn = MultiHeadAttention(config.width, config.heads)
        self.ln_2 = nn.LayerNorm(config.width)
        self.cross_attn = MultiHeadAttention(config.width, config.heads)
        self.ln_3 = nn.LayerNorm(config.width)
        self.mlp = FeedForward(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(
        self,
        x: Float[Tensor, "B T C"],
        memory: Float[Tensor, "B S C"],
        memory_mask: Bool[Tensor, "B S"] | None = None,
    ) -> Float[Tensor, "B T C"]:
        """`memory_mask` is True at real tokens of the memory. Padding at the end of `x` is hidden by causality."""
        causal = causal_mask(x.shape[1], x.device)  # 1 1 T T
        visible = padding_mask(memory_mask)  # B 1 1 S
        x = residual(x, lambda h: self.self_attn(h, h, causal), self.ln_1, self.dropout, self.norm_first)
        x = residual(x, lambda h: self.cross_attn(h, memory, visible), self.ln_2, self.dropout, self.norm_first)
        return residual(x, self.mlp, self.ln_3, self.dropout, self.norm_first)
