"""A few channels that are a hundred times larger than the rest, and the decomposition that lives with them.

Dettmers et al. (2022) found that large language models put such values into the same few channels for all tokens. Each
stretches the scale of its token, and the codes of the other channels become zeros. LLM.int8 takes these channels out of
the int8 product and multiplies them in floating point.

Dimensions:
    T tokens   I input channels   O output channels   K chosen channels
"""

import copy

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from .granularity import quantize_channels
from .linear import int8_linear


def outlier_channels(x: Float[Tensor, "T I"], threshold: int | float) -> Bool[Tensor, "I"]:
    """The channels in which any token is larger than the threshold."""
    return (x.abs() > threshold).any(dim=0)


def llm_int8_linear(
    x: Float[Tensor, "T I"], weight: Float[Tensor, "O I"], threshold: int | float = 6.0
) -> Float[Tensor, "T O"]:
    """LLM.int8: columns with an outlier in floating point, all others in int8 (Dettmers et al. 2022, eq. 8).

    The int8 part sees zeros in the outlier columns, of x and of the weight: they stretch no scale.
    """
    outliers = (x.abs() > threshold).any(dim=0)  # I
    codes, scales = quantize_channels(weight.masked_fill(outliers, 0))
    regular = int8_linear(x.masked_fill(outliers, 0), codes, scales)
    return regular + x[:, outliers] @ weight[:, outliers].T


@torch.no_grad()
def inject_outliers(model: nn.Module, channels: int, factor: int | float, seed: int = 0) -> nn.Module:
    """A copy that computes the same function with `channels` outlier channels before each linear layer that allows it.

    The gain of a norm is multiplied, the columns of the weights that read it are divided; the same for up_proj and
    down_proj. Rounding apart, no output changes. Where real models get theirs from: they grow in training, in norm
    gains and feed-forward layers, and serve attention as a no-op (Bondarenko et al. 2023).
    """
    generator = torch.Generator().manual_seed(seed)
    made = copy.deepcopy(model)
    for block in made.blocks:
        attn = block.attn
        pairs = [
            (block.attn_norm.weight, [attn.q_proj, attn.k_proj, attn.v_proj]),
            (block.ffn_norm.weight, [block.gate_proj, block.up_proj]),
            (block.up_proj.weight, [block.down_proj]),
        ]
        for source, readers in pairs:
            chosen = torch.randperm(source.shape[0], generator=generator)[:channels]  # K
            source[chosen] *= factor
            for linear in readers:
                linear.weight[:, chosen] /= factor
    return made
