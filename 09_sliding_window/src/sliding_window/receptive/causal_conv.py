"""A dilated causal convolution: each output sees K inputs, `dilation` apart, none of them later than itself.

Dimensions:
    B   sequences        T   positions
    I   input channels   O   output channels        K   kernel size
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def causal_conv1d(
    x: Float[Tensor, "B I T"], weight: Float[Tensor, "O I K"], dilation: int = 1
) -> Float[Tensor, "B O T"]:
    """out[t] = Σᵢ weight[i] · x[t - (K - 1 - i)·dilation], with zeros before the text (van den Oord et al. 2016).

    The last weight meets the current input, as in `F.conv1d`.

    Raises:
        ValueError: the dilation is smaller than one.
    """
    if dilation < 1:
        raise ValueError(f"dilation={dilation}: the distance of two taps; use 1 or more")
    T, K = x.shape[2], weight.shape[2]
    padded = F.pad(x, ((K - 1) * dilation, 0))  # zeros on the left only
    taps = [weight[:, :, i] @ padded[:, :, i * dilation : i * dilation + T] for i in range(K)]  # K times B O T
    return torch.stack(taps).sum(dim=0)
