"""A trained model with fewer key/value heads: each group's heads become one (Ainslie et al. 2023, section 2.1).

Dimensions:
    W  d_model   D  width of a head   G  key/value heads before   g  after
"""

import copy
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .model import Decoder

RULES = ("mean", "first", "random")


def mean_pool_heads(
    k_weight: Float[Tensor, "old W"], v_weight: Float[Tensor, "old W"], kv_heads: int, new_kv_heads: int
) -> tuple[Float[Tensor, "new W"], Float[Tensor, "new W"]]:
    """The weights of k_proj and v_proj with neighbouring heads averaged, so that `new_kv_heads` are left.

    Raises:
        ValueError: the heads cannot be shared out equally.
    """
    if kv_heads % new_kv_heads:
        raise ValueError(f"new_kv_heads={new_kv_heads}: must divide kv_heads={kv_heads}; every group is equally large")
    return _pooled(k_weight, kv_heads, new_kv_heads), _pooled(v_weight, kv_heads, new_kv_heads)


def _pooled(weight: Tensor, kv_heads: int, new_kv_heads: int) -> Tensor:
    heads = weight.unflatten(0, (new_kv_heads, kv_heads // new_kv_heads, -1))  # g G/g D W
    return heads.mean(dim=1).flatten(0, 1)  # g·D W


def first_heads(k_weight: Tensor, v_weight: Tensor, kv_heads: int, new_kv_heads: int) -> tuple[Tensor, Tensor]:
    """The first head of each group stays, the others are dropped: the paper's second rule."""
    size = kv_heads // new_kv_heads
    k, v = (w.unflatten(0, (kv_heads, -1))[::size].flatten(0, 1) for w in (k_weight, v_weight))
    return k, v


def random_heads(like: Tensor, new_rows: int, generator: torch.Generator) -> Tensor:
    """New weights of the old ones' deviation: the paper's third rule."""
    return torch.randn(new_rows, like.shape[1], generator=generator, dtype=like.dtype) * like.std()


@torch.no_grad()
def convert(model: Decoder, kv_heads: int, rule: str = "mean", seed: int = 0) -> Decoder:
    """A copy of the model with fewer key/value heads. `rule` is one of RULES; only "random" uses the seed.

    Raises:
        ValueError: an unknown rule, or heads that cannot be shared out.
    """
    if rule not in RULES:
        raise ValueError(f"rule={rule!r}: must be one of {', '.join(RULES)}")
    old = model.config
    config = replace(old, kv_heads=kv_heads)
    if old.kv_heads % kv_heads:
        raise ValueError(f"kv_heads={kv_heads}: must divide the model's {old.kv_heads}; heads are pooled, not added")
    generator = torch.Generator().manual_seed(seed)
    made = copy.deepcopy(model)
    made.config = config
    for block in made.blocks:
        attn = block.attn
        attn.config = config
        k, v = attn.k_proj.weight, attn.v_proj.weight
        if rule == "random":
            rows = kv_heads * old.head_dim
            pooled = random_heads(k, rows, generator), random_heads(v, rows, generator)
        else:
            pool = mean_pool_heads if rule == "mean" else first_heads
            pooled = pool(k, v, old.kv_heads, kv_heads)
        attn.k_proj, attn.v_proj = (_linear(weight) for weight in pooled)
    return made


def _linear(weight: Tensor) -> nn.Linear:
    """A linear layer that holds this weight."""
    made = nn.Linear(weight.shape[1], weight.shape[0], bias=False, device="meta")
    made.weight = nn.Parameter(weight.contiguous())
    return made
