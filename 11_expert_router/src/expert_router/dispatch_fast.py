"""The forms that are used: assignments sorted by expert, so that each expert gets one block of rows.

The number of products is that of a dense layer with K · N rows: nothing is computed and thrown away.

Dimensions:
    N  tokens    E  experts    K  experts of a token    D  d_model    M  assignments that are kept
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .experts import Experts


def grouped_dispatch(
    residual: Float[Tensor, "N D"],
    x: Float[Tensor, "N D"],
    indices: Int[Tensor, "N K"],
    weights: Float[Tensor, "N K"],
    kept: Bool[Tensor, "N K"],
    experts: Callable,
    shared: Callable | None = None,
) -> Float[Tensor, "N D"]:
    """The residual stream with the experts' weighted outputs added.

    `experts(rows, e)` is called once for each expert that has tokens, with all of them. An assignment that is not kept
    is not computed: such a token keeps its residual. `shared(x)` is an expert for every token, of weight 1.
    """
    tokens, choice = kept.nonzero(as_tuple=True)  # M each
    chosen = indices[tokens, choice]
    order = chosen.argsort()  # M, grouped by expert
    tokens, choice = tokens[order], choice[order]
    outputs = [x[:0]]  # there may be no group at all
    for expert, group in enumerate(tokens.split(chosen.bincount().tolist())):
        if len(group):
            outputs.append(experts(x[group], expert))
    scaled = torch.cat(outputs) * weights[tokens, choice, None]  # M D
    base = residual if shared is None else residual + shared(x)
    return base.index_add(0, tokens, scaled)


def grouped_mm_dispatch(
    x: Float[Tensor, "N D"], indices: Int[Tensor, "N K"], weights: Float[Tensor, "N K"], experts: Experts
) -> Float[Tensor, "N D"]:
    """The same sort, with all experts in two grouped products. The weights and x must be bfloat16.

    `grouped_mm` takes rows, one matrix for each expert, and the row at which each expert's block ends.
    """
    order = indices.flatten().argsort()
    tokens = order // indices.shape[1]
    ends = indices.flatten().bincount(minlength=len(experts)).cumsum(0).int()  # E
    gate, up = F.grouped_mm(x[tokens], experts.gate_up_proj.mT, offs=ends).chunk(2, dim=-1)
    outputs = F.grouped_mm(F.silu(gate) * up, experts.down_proj.mT, offs=ends)  # N·K D
    scaled = outputs.float() * weights.flatten()[order, None]
    return torch.zeros_like(x, dtype=torch.float32).index_add(0, tokens, scaled)
