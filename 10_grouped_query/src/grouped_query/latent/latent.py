"""What multi-head latent attention caches, and the plain form that expands it (DeepSeek-V2, section 2.1).

A key has two parts. The first is made from the latent by an up-projection of each head. The second is rotated, and all
heads share it. The rotation cannot be part of the latent: see README, "Questions".

Dimensions:
    W  d_model    C  width of the latent       P  width of the rotated part     E = C + P
    H  heads      N  width of a key's part that is not rotated     V  width of a value
"""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..grouped import mask_future
from ..rotary import rotate


def rms_norm(x: Float[Tensor, "*batch C"], weight: Float[Tensor, "C"], eps: float = 1e-6) -> Float[Tensor, "*batch C"]:
    """x / √(mean of x² + eps), times a weight."""
    return x * (x.square().mean(-1, keepdim=True) + eps).rsqrt() * weight


def compress_latent(
    x: Float[Tensor, "B T W"],
    kv_down: Float[Tensor, "E W"],
    norm_weight: Float[Tensor, "C"],
    positions: Int[Tensor, "T"],
) -> tuple[Float[Tensor, "B T C"], Float[Tensor, "B T P"]]:
    """The normalised latent, and the rotated key that all heads share: what the cache holds of a token.

    The first C rows of `kv_down` make the latent, the last P the key that is rotated (equations 41 and 43).
    """
    C = len(norm_weight)
    both = x @ kv_down.T  # B T C+P
    latent, k_rope = both[..., :C], both[..., C:]
    return rms_norm(latent, norm_weight), rotate(k_rope, positions)


def expanded_attention(
    q_nope: Float[Tensor, "B H Tq N"],
    q_rope: Float[Tensor, "B H Tq P"],
    latent: Float[Tensor, "B Tk C"],
    k_rope: Float[Tensor, "B Tk P"],
    k_up: Float[Tensor, "H N C"],
    v_up: Float[Tensor, "H V C"],
) -> Float[Tensor, "B H Tq V"]:
    """The plain form: keys and values of every head are made from the latent, then attended to.

    Raises:
        ValueError: there are more queries than keys.
    """
    k_nope = torch.einsum("btc,hnc->bhtn", latent, k_up)  # B H Tk N
    v = torch.einsum("btc,hvc->bhtv", latent, v_up)  # B H Tk V
    k = torch.cat((k_nope, k_rope[:, None].expand(-1, len(k_up), -1, -1)), dim=-1)  # B H Tk N+P
    q = torch.cat((q_nope, q_rope), dim=-1)  # B H Tq N+P
    scores = mask_future(q @ k.mT / math.sqrt(q.shape[-1]))
    return scores.softmax(dim=-1) @ v
