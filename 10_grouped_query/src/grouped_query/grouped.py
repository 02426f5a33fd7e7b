"""Grouped-query attention: several query heads read one key/value head.

One function is all three kinds. The number of key/value heads decides which:

    G = H        multi-head attention (MHA): each query head has its own keys
    1 < G < H    grouped-query attention (GQA)
    G = 1        multi-query attention (MQA): all query heads share one

Dimensions:
    B   rows of the batch           T    tokens (Tq queries, Tk keys)
    H   query heads = G · R         D    width of a head     W = H · D, width of the model
    G   groups = key/value heads    R    query heads that share a key/value head
"""

import math

from jaxtyping import Float
from torch import Tensor


def split_groups(x: Float[Tensor, "B T W"], heads: int, kv_heads: int) -> Float[Tensor, "B G R T D"]:
    """The projection of all heads, cut into groups. Neighbouring heads share a group (Ainslie et al. 2023).

    Keys are split in the same way, with `heads == kv_heads`.

    Raises:
        ValueError: the heads cannot be shared out equally, or do not divide the width.
    """
    width = x.shape[-1]
    if heads % kv_heads:
        raise ValueError(f"heads={heads}: must be a multiple of kv_heads={kv_heads}; each group gets equally many")
    if width % heads:
        raise ValueError(f"width={width}: must be a multiple of heads={heads}; each head gets equally many numbers")
    grouped = x.unflatten(-1, (kv_heads, heads // kv_heads, width // heads))  # B T G R D
    return grouped.permute(0, 2, 3, 1, 4)  # B G R T D


def merge_groups(x: Float[Tensor, "B G R T D"]) -> Float[Tensor, "B T W"]:
    """The outputs of all heads side by side, in the order that `split_groups` took them from."""
    return x.permute(0, 3, 1, 2, 4).flatten(2)


def mask_future(scores: Float[Tensor, "*batch Tq Tk"]) -> Float[Tensor, "*batch Tq Tk"]:
    """Scores with -inf where a key is later than its query. The last query stands at the last key.

    Raises:
        ValueError: there are more queries than keys.
    """
    Tq, Tk = scores.shape[-2:]
    if Tq > Tk:
        raise ValueError(f"queries={Tq}: there are only {Tk} keys; write the new keys into the cache first")
    hidden = scores.new_ones(Tq, Tk).triu(Tk - Tq + 1).bool()
    return scores.masked_fill(hidden, -math.inf)


def grouped_attention(
    q: Float[Tensor, "B G R Tq D"], k: Float[Tensor, "B G Tk D"], v: Float[Tensor, "B G Tk D"]
) -> Float[Tensor, "B G R Tq D"]:
    """Causal attention in which the R query heads of a group read the same keys and values.

    The R · Tq queries of a group are the rows of one matrix product. So each key is read once for all of them, and no
    copy of the keys is made. `repeat_interleave` gives the same numbers and writes H/G times the bytes first.

    Raises:
        ValueError: there are more queries than keys.
    """
    rows = q.flatten(2, 3)  # B G R·Tq D
    scores = rows @ k.mT / math.sqrt(q.shape[-1])  # B G R·Tq Tk
    scores = mask_future(scores.unflatten(2, q.shape[2:4]))  # B G R Tq Tk
    weights = scores.softmax(dim=-1)
    return (weights.flatten(2, 3) @ v).unflatten(2, q.shape[2:4])  # B G R Tq D
