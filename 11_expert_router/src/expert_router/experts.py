"""The experts: E feed-forward layers of one shape, with their weights in two tensors.

Dimensions:
    E  experts    D  d_model    F  width of an expert, F2 = 2F    N  tokens
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn


def swiglu(x: Float[Tensor, "N D"], gate_up: Float[Tensor, "F2 D"], down: Float[Tensor, "D F"]) -> Float[Tensor, "N D"]:
    """A gated feed-forward layer (Shazeer 2020): down · (silu(gate · x) * (up · x)).

    The rows of `gate_up` are those of `gate`, then those of `up`.
    """
    gate, up = F.linear(x, gate_up).chunk(2, dim=-1)  # N F
    return F.linear(F.silu(gate) * up, down)


class FeedForward(nn.Module):
    """The dense layer that a mixture replaces."""

    def __init__(self, d_model: int, ffn: int):
        super().__init__()
        self.gate_up_proj = nn.Parameter(torch.empty(2 * ffn, d_model))
        self.down_proj = nn.Parameter(torch.empty(d_model, ffn))

    def forward(self, x: Float[Tensor, "*N D"]) -> Float[Tensor, "*N D"]:
        return swiglu(x.flatten(0, -2), self.gate_up_proj, self.down_proj).view_as(x)


class Experts(nn.Module):
    """E layers of the same shape. `experts(x, e)` is what expert number e makes of the rows x.

    The layout of the weights is that of Mixtral's experts in `transformers`.
    """

    def __init__(self, num_experts: int, d_model: int, ffn: int):
        super().__init__()
        self.gate_up_proj = nn.Parameter(torch.empty(num_experts, 2 * ffn, d_model))
        self.down_proj = nn.Parameter(torch.empty(num_experts, d_model, ffn))

    def __len__(self) -> int:
        return len(self.down_proj)

    def forward(self, x: Float[Tensor, "N D"], expert: int) -> Float[Tensor, "N D"]:
        return swiglu(x, self.gate_up_proj[expert], self.down_proj[expert])
