"""A trained model's keys and values from a shared latent of width r: the best such latent by SVD.

By Eckart and Young, no other matrix of rank r is nearer to the stacked weights of k_proj and v_proj. Keys are rotated
after they are made, so this latent is not absorbed: it saves bytes, and pays for them with a product at every step.

Dimensions:
    W  d_model   N  kv_heads · head_dim   K = 2N, keys and values   r  rank
"""

import copy

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..model import Decoder


def joint_factors(
    k_weight: Float[Tensor, "N W"], v_weight: Float[Tensor, "N W"], rank: int
) -> tuple[Float[Tensor, "r W"], Float[Tensor, "K r"]]:
    """(down, up) with up @ down the best matrix of this rank for keys and values together.

    Raises:
        ValueError: the rank is not between 1 and the number of rows.
    """
    both = torch.cat((k_weight, v_weight))  # K W
    most = min(both.shape)
    if not 1 <= rank <= most:
        raise ValueError(f"rank={rank}: must be between 1 and {most}")
    u, s, vt = torch.linalg.svd(both, full_matrices=False)
    return vt[:rank], u[:, :rank] * s[:rank]


class SharedDown(nn.Module):
    """up(down(x)); keys and values have the same `down`, whose output would be cached."""

    def __init__(self, down: nn.Parameter, up: nn.Parameter):
        super().__init__()
        self.down, self.up = down, up

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.down.T @ self.up.T


@torch.no_grad()
def low_rank(model: Decoder, rank: int) -> Decoder:
    """A copy whose keys and values come from a latent of width `rank` in each layer."""
    made = copy.deepcopy(model)
    for block in made.blocks:
        attn = block.attn
        down, up = joint_factors(attn.k_proj.weight, attn.v_proj.weight, rank)
        shared = nn.Parameter(down.contiguous())
        k_up, v_up = (nn.Parameter(part.contiguous()) for part in up.chunk(2))
        attn.k_proj, attn.v_proj = SharedDown(shared, k_up), SharedDown(shared, v_up)
    return made
