"""Gated feed-forward layers: one projection decides how much of the other passes.

Dimensions:
    D   width of the model
    H   hidden width; weights are stored as nn.Linear does, (out, in)

    y = down_proj · (act(gate_proj · x) · (up_proj · x))

A gated layer has three matrices where an ordinary one has two. An ordinary layer with H = 4D has 8D² weights, so a
gated one has the same number at H = 8D/3.
"""

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor

from .activations import gelu, sigmoid, silu, silu_grad

Inputs = Float[Tensor, "*batch D"]
In = Float[Tensor, "H D"]
Out = Float[Tensor, "D H"]


def swiglu_width(d_model: int, multiple_of: int = 1) -> int:
    """The hidden width at which three matrices have the weights of two of width 4D: 8D/3, cut to a whole number.

    It is then raised to a multiple of `multiple_of`, which suits the hardware (Llama's rule).

    Raises:
        ValueError: a width or a multiple below 1.
    """
    if d_model < 1 or multiple_of < 1:
        raise ValueError(f"d_model={d_model}, multiple_of={multiple_of}: both must be at least 1")
    width = 8 * d_model // 3
    blocks = (width + multiple_of - 1) // multiple_of
    return blocks * multiple_of


def swiglu(x: Inputs, gate_proj: In, up_proj: In, down_proj: Out) -> Inputs:
    """down(silu(gate(x)) · up(x)) without biases (Shazeer 2020, eq. 6): Llama's feed-forward layer."""
    gate = x @ gate_proj.T  # *batch H
    up = x @ up_proj.T  # *batch H
    return (silu(gate) * up) @ down_proj.T


def swiglu_backward(dy: Inputs, x: Inputs, gate_proj: In, up_proj: In, down_proj: Out) -> tuple[Inputs, In, In, Out]:
    """(dx, dgate_proj, dup_proj, ddown_proj). The product rule gives each branch the other one as its factor."""
    gate, up = x @ gate_proj.T, x @ up_proj.T  # *batch H
    dhidden = dy @ down_proj
    dgate = dhidden * up * silu_grad(gate)
    dup = dhidden * silu(gate)
    dx = dgate @ gate_proj + dup @ up_proj
    return dx, _outer(dgate, x), _outer(dup, x), _outer(dy, silu(gate) * up)


def gated(activation: Callable[[Tensor], Tensor], x: Inputs, gate_proj: In, up_proj: In, down_proj: Out) -> Inputs:
    """The family: GLU gates with `sigmoid`, GEGLU with `gelu`, ReGLU with `relu`, SwiGLU with `silu`."""
    return (activation(x @ gate_proj.T) * (x @ up_proj.T)) @ down_proj.T


def glu(x: Inputs, gate_proj: In, up_proj: In, down_proj: Out) -> Inputs:
    """The first gated layer (Dauphin et al. 2016)."""
    return gated(sigmoid, x, gate_proj, up_proj, down_proj)


def geglu(x: Inputs, gate_proj: In, up_proj: In, down_proj: Out) -> Inputs:
    """Gated by GELU (Shazeer 2020, eq. 6)."""
    return gated(gelu, x, gate_proj, up_proj, down_proj)


def _outer(d_out: Tensor, d_in: Tensor) -> Tensor:
    """Σ over the batch of the outer products: the gradient of a weight that is stored (out, in)."""
    return d_out.reshape(-1, d_out.shape[-1]).T @ d_in.reshape(-1, d_in.shape[-1])
