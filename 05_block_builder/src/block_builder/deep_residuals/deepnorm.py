"""DeepNorm: Post-LN with a heavier stream and smaller weights (Wang et al. 2022, figure 2)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..attention import MultiHeadAttention, causal_mask
from ..block import FeedForward
from ..config import Config


def deepnorm_constants(layers: int) -> tuple[float, float]:
    """(alpha, beta) of a decoder-only model: (2L)^(1/4) and (8L)^(-1/4)."""
    return (2 * layers) ** 0.25, (8 * layers) ** -0.25


class DeepNormBlock(nn.Module):
    """A Post-LN block that adds each branch to `alpha` times the stream."""

    def __init__(self, config: Config):
        super().__init__()
        self.alpha, beta = deepnorm_constants(config.layers)
        self.ln_1, self.ln_2 = nn.LayerNorm(config.width), nn.LayerNorm(config.width)
        self.attn = MultiHeadAttention(config.width, config.heads)
        self.mlp = FeedForward(config)
        self.shrink(beta)

    @torch.no_grad()
    def shrink(self, beta: float) -> None:
        """Xavier's initialization, with gain `beta` for every matrix that changes what a branch adds."""
        smaller = (self.attn.v_proj, self.attn.o_proj, self.mlp.fc_in, self.mlp.fc_out)
        for linear in (*smaller, self.attn.q_proj, self.attn.k_proj):
            nn.init.xavier_normal_(linear.weight, gain=beta if linear in smaller else 1.0)
            linear.bias.zero_()

    def forward(self, x: Float[Tensor, "B T C"]) -> Float[Tensor, "B T C"]:
        mask = causal_mask(x.shape[1], x.device)
        x = self.ln_1(self.alpha * x + self.attn(x, x, mask))
        return self.ln_2(self.alpha * x + self.mlp(x))
