"""A gradient check: is a backward pass written by hand the derivative of its forward pass?

A derivative is a limit of differences, so differences can test it. The central difference

    (f(x + h) - f(x - h)) / 2h  =  f'(x) + f'''(x) h² / 6 + ...

has an error of order h². The one-sided difference has one of order h. Rounding adds about 1e-16 · f / h in float64,
so h = 1e-6 leaves some nine digits. In float32 it leaves none.
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor


def numerical_gradient(
    function: Callable[[Tensor], Tensor], x: Float[Tensor, "*shape"], h: float = 1e-6
) -> Float[Tensor, "*shape"]:
    """The central difference of a scalar function in each entry of x. x itself is not changed.

    Raises:
        ValueError: x is not float64: rounding would hide the derivative.
    """
    if x.dtype != torch.float64:
        raise ValueError(f"x.dtype={x.dtype}: use x.double(); float32 has too few digits for differences")
    differences = []
    for i in range(x.numel()):
        step = x.new_zeros(x.numel())
        step[i] = h
        step = step.view(x.shape)
        differences.append((function(x + step) - function(x - step)) / (2 * h))
    return torch.stack(differences).reshape(x.shape)


def gradcheck(
    forward: Callable[..., Tensor],
    backward: Callable[..., Sequence[Tensor]],
    inputs: Sequence[Tensor],
    dy: Tensor,
    h: float = 1e-6,
    rtol: float = 1e-4,
    atol: float = 1e-7,
) -> bool:
    """Does backward(dy, *inputs) give the gradient of sum(dy · forward(*inputs)) for every input, in its shape?

    An entry is right when it differs from the central difference by at most atol + rtol · |central difference|.

    Raises:
        ValueError: backward does not return one gradient for each input.
    """
    gradients = backward(dy, *inputs)
    if len(gradients) != len(inputs):
        raise ValueError(f"{len(gradients)} gradients for {len(inputs)} inputs: return one for each")
    for i, gradient in enumerate(gradients):
        wanted = numerical_gradient(lambda x, i=i: (dy * forward(*inputs[:i], x, *inputs[i + 1 :])).sum(), inputs[i], h)
        if gradient.shape != wanted.shape or not torch.allclose(gradient, wanted, rtol=rtol, atol=atol):
            return False
    return True
