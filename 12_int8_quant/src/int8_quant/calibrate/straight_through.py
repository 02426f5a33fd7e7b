"""Quantization-aware training: round in the forward pass, and let the gradient pass as if nothing had been rounded.

Rounding has the gradient zero almost everywhere, so nothing would learn. The straight-through estimator (Bengio et al.
2013) takes the gradient of the identity for it. What was clamped gets none: pushing it further changes no code.
"""

from jaxtyping import Float
from torch import Tensor

from ..absmax import largest_code


def fake_quantize(x: Float[Tensor, "*shape"], scale: Tensor, bits: int = 8) -> Float[Tensor, "*shape"]:
    """x rounded to its codes and back. `scale` is broadcast.

    The gradient of x passes where round(x / scale) is one of the codes, and is zero where it was clamped.
    """
    limit = largest_code(bits)
    codes = (x / scale).round()  # its gradient is zero
    inside = codes.abs() <= limit
    return (codes.clamp(-limit, limit) * scale).to(x.dtype) + (x - x.detach()) * inside
