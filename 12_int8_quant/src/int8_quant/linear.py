"""Linear layers on eight-bit numbers: weights alone (W8A16), or weights and activations (W8A8).

Sums of products of codes are int32: one product takes 15 bits, so a thousand of them need 25. The two scales of an
output, its token's and its channel's, are outside of the sum. That is why they may differ by row and by column, and why
a scale for each *input* channel is not possible without splitting the sum.

Dimensions:
    T tokens   I input channels   O output channels
"""

from jaxtyping import Float, Int8, Int32
from torch import Tensor, nn

from .granularity import quantize_channels, quantize_tokens


def int_product(a: Int8[Tensor, "T I"], b: Int8[Tensor, "O I"]) -> Int32[Tensor, "T O"]:
    """a · bᵀ, exact: the codes are widened to int32 before they are multiplied."""
    return a.int() @ b.int().T


def int8_linear(
    x: Float[Tensor, "T I"],
    codes: Int8[Tensor, "O I"],
    scales: Float[Tensor, "O 1"],
    bias: Float[Tensor, "O"] | None = None,
) -> Float[Tensor, "T O"]:
    """W8A8: each token gets its own scale, the products are summed in int32, and both scales are applied to the sum."""
    x_codes, x_scales = quantize_tokens(x)
    sums = int_product(x_codes, codes)
    y = sums * x_scales * scales.T
    y = y if bias is None else y + bias
    return y.to(x.dtype)


class WeightOnlyLinear(nn.Module):
    """Eight-bit weights, one scale a channel. They are widened for the product: memory is saved, arithmetic is not."""

    def __init__(self, linear: nn.Linear):
        super().__init__()
        codes, scales = quantize_channels(linear.weight.detach())
        self.register_buffer("codes", codes)
        self.register_buffer("scales", scales)
        self.bias = linear.bias

    def forward(self, x: Float[Tensor, "*batch I"]) -> Float[Tensor, "*batch O"]:
        y = (x @ self.codes.to(x.dtype).T) * self.scales[:, 0].to(x.dtype)
        return y if self.bias is None else y + self.bias


class W8A8Linear(WeightOnlyLinear):
    """Eight-bit weights and activations."""

    def forward(self, x: Float[Tensor, "*batch I"]) -> Float[Tensor, "*batch O"]:
        y = int8_linear(x.flatten(0, -2), self.codes, self.scales, self.bias)
        return y.unflatten(0, x.shape[:-1])
