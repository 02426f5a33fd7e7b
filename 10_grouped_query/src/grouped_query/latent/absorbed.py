"""The absorbed form: the up-projections move to the side of the query, so keys and values are never made.

    q · (U_k c) = (U_kᵀ q) · c        and        Σ w (U_v c) = U_v (Σ w c)

What is left is multi-query attention: one key of width C + P for all heads.

Dimensions: as in latent.py.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from ..grouped import mask_future


def absorbed_attention(
    q_nope: Float[Tensor, "B H Tq N"],
    q_rope: Float[Tensor, "B H Tq P"],
    latent: Float[Tensor, "B Tk C"],
    k_rope: Float[Tensor, "B Tk P"],
    k_up: Float[Tensor, "H N C"],
    v_up: Float[Tensor, "H V C"],
) -> Float[Tensor, "B H Tq V"]:
    """The numbers of `expanded_attention`, from the latent alone. The scale is still that of a key: √(N + P).

    Raises:
        ValueError: there are more queries than keys.
    """
    q_latent = torch.einsum("bhtn,hnc->bhtc", q_nope, k_up)
    scores = q_latent.flatten(1, 2) @ latent.mT + q_rope.flatten(1, 2) @ k_rope.mT  # B H·Tq Tk
    scores = scores.unflatten(1, q_nope.shape[1:3]) / math.sqrt(q_nope.shape[-1] + q_rope.shape[-1])
    weights = mask_future(scores).softmax(dim=-1)  # B H Tq Tk
    latent_out = (weights.flatten(1, 2) @ latent).unflatten(1, q_nope.shape[1:3])  # B H Tq C
    return torch.einsum("bhtc,hvc->bhtv", latent_out, v_up)
