"""DoRA (Liu et al. 2024): the weight's rows as direction times length; LoRA turns the direction, the length is learnt.

Dimensions:
    r rank   in, out: the widths of the layer
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ..lora import LoRALinear


class DoRALinear(LoRALinear):
    """y = m · (V / ‖V‖) x with V = W + (α/r) B A and ‖·‖ of each row; m begins as ‖W‖, so y begins as W x."""

    def __init__(self, base: nn.Linear, r: int, alpha: int | float):
        super().__init__(base, r, alpha)
        self.magnitude = nn.Parameter(base.weight.norm(dim=1))

    def forward(self, x: Float[Tensor, "*batch in"]) -> Float[Tensor, "*batch out"]:
        direction = self.base.weight + self.scale * (self.B @ self.A)
        length = direction.norm(dim=1).detach()  # the paper's section 4.3: no gradient through the length
        return F.linear(x, direction * (self.magnitude / length)[:, None], self.base.bias)

    @torch.no_grad()
    def merged(self) -> Float[Tensor, "out in"]:
        """The one matrix that does the same."""
        direction = self.base.weight + self.scale * (self.B @ self.A)
        return direction * (self.magnitude / direction.norm(dim=1))[:, None]
