"""The window mask, and how far news travels through a stack of windows.

Dimensions:
    W   window: a token sees itself and the W - 1 tokens before it
    L   layers
    Tq  queries: the newest Tq of the Tk tokens
    Tk  keys
    B   sequences, T positions, C channels: of the input to a stack of layers
"""

from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def window_mask(Tq: int, Tk: int, window: int) -> Bool[Tensor, "Tq Tk"]:
    """True where a query may see a key: its own token and the `window` - 1 tokens before it (Beltagy et al. 2020).

    The queries are the newest of the tokens, so the mask is aligned at the bottom right.

    Raises:
        ValueError: the window is smaller than one, or there are more queries than keys.
    """
    if window < 1:
        raise ValueError(f"window={window}: a token sees at least itself; use 1 or more")
    if Tq > Tk:
        raise ValueError(f"Tq={Tq}: each query has a key of its own among the Tk={Tk}; pass the newest queries only")
    query = torch.arange(Tk - Tq, Tk)[:, None]
    key = torch.arange(Tk)
    return (key <= query) & (query - key < window)


def receptive_field(layers: int, window: int) -> int:
    """How many tokens, itself included, can change the output at one position after `layers` layers of windows.

    One layer reaches back W - 1 tokens. The next reaches W - 1 further, because its keys are outputs of the first.
    """
    return layers * (window - 1) + 1


def receptive_field_by_gradient(
    function: Callable[[Tensor], Tensor], x: Float[Tensor, "B T C"], position: int
) -> list[int]:
    """The input positions with a gradient that is not exactly zero, for the output of `function` at one position."""
    x = x.detach().clone().requires_grad_()
    out = function(x)  # B T C
    out[:, position].sum().backward()
    assert x.grad is not None
    return x.grad.abs().sum(dim=(0, 2)).nonzero().flatten().tolist()
