"""The block: attention and a feed-forward layer, each added to the stream.

Dimensions:
    B   sequences in a batch
    T   positions
    C   width of the stream
"""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from .attention import MultiHeadAttention, causal_mask
from .config import ACTIVATIONS, Config


class FeedForward(nn.Module):
    """Two linear layers with an activation between them, at each position alone (Vaswani et al. 2017, eq. 2).

    `fc_in` widens the stream by `config.expansion`, and `fc_out` brings it back.
    """

    def __init__(self, config: Config):
        super().__init__()
        self.activation = ACTIVATIONS[config.activation]
        self.fc_in = nn.Linear(config.width, config.expansion * config.width)
        self.fc_out = nn.Linear(config.expansion * config.width, config.width)

    def forward(self, x: Float[Tensor, "B T C"]) -> Float[Tensor, "B T C"]:
        hidden = self.activation(self.fc_in(x))  # B T 4C
        return self.fc_out(hidden)


def residual(
    x: Float[Tensor, "B T C"],
    sublayer: Callable,
    norm: Callable,
    dropout: Callable,
    norm_first: bool = True,
) -> Float[Tensor, "B T C"]:
    """The stream with a sublayer's output added to it (He et al. 2015; Xiong et al. 2020, table 1).

    Pre-LN normalizes what the sublayer reads, so nothing stands on the way of `x` itself. Post-LN normalizes the sum.
    """
    if norm_first:
        return x + dropout(sublayer(norm(x)))
    return norm(x + dropout(sublayer(x)))


class Block(nn.Module):
    """A decoder-only block, as in GPT-2: causal attention, then the feed-forward layer."""

    def __init__(self, config: Config):
        super().__init__()
        self.norm_first = config.norm_first
        self.ln_1 = nn.LayerNorm(config.width)
        self.attn = MultiHeadAttention(config.width, config.heads)
        self.ln_2 = nn.LayerNorm(config.width)
        self.mlp = FeedForward(config)
        self.dropout = nn.Dropout(config.dropout)

    def forward(self, x: Float[Tensor, "B T C"]) -> Float[Tensor, "B T C"]:
        mask = causal_mask(x.shape[1], x.device)  # 1 1 T T
        x = residual(x, lambda h: self.attn(h, h, mask), self.ln_1, self.dropout, self.norm_first)
        return residual(x, self.mlp, self.ln_2, self.dropout, self.norm_first)
