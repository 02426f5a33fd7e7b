"""Attention over keys and values that lie in blocks (Kwon et al. 2023, section 4.1): the plain form.

Dimensions:
    N   tokens of the step, of all requests    G   key/value heads
    H   query heads                            R   query heads a group, H / G
    P   blocks of the pool                     S   tokens in a block
    D   width of a head                        T   tokens of one request so far
    n   tokens of one request in this step
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor


def paged_attention(
    q: Float[Tensor, "N H D"],
    keys: Float[Tensor, "P G S D"],
    values: Float[Tensor, "P G S D"],
    tables: list[list[int]],
    query_lens: list[int],
    context_lens: list[int],
) -> Float[Tensor, "N H D"]:
    """Causal attention for the tokens of several requests, one after the other in `q`.

    Request i has `query_lens[i]` rows of `q`. They are the last of its `context_lens[i]` tokens, whose keys and values
    lie in the blocks `tables[i]`. A table may be longer than its tokens need, and the rest of its last block is stale.
    """
    outputs = []
    rows = q.split(query_lens)
    for queries, table, length in zip(rows, tables, context_lens, strict=True):
        k = gather(keys, table, length)  # G T D
        v = gather(values, table, length)
        outputs.append(causal_attention(queries, k, v))
    return torch.cat(outputs)


def gather(pool: Float[Tensor, "P G S D"], table: list[int], length: int) -> Float[Tensor, "G T D"]:
    """The first `length` keys or values of a request, in the order of its tokens."""
    blocks = pool[torch.tensor(table)]  # blocks G S D
    return blocks.transpose(0, 1).flatten(1, 2)[:, :length]


def causal_attention(
    q: Float[Tensor, "n H D"], k: Float[Tensor, "G T D"], v: Float[Tensor, "G T D"]
) -> Float[Tensor, "n H D"]:
    """Attention of one request's last n tokens. Query head h reads key/value head h // R."""
    n, H, D = q.shape
    G, T, _ = k.shape
    grouped = q.view(n, G, H // G, D).permute(1, 2, 0, 3)  # G R n D
    scores = grouped @ k[:, None].mT / math.sqrt(D)  # G R n T
    visible = scores.new_ones(n, T, dtype=torch.bool).tril(T - n)
    weights = scores.masked_fill(~visible, -math.inf).softmax(-1)
    return (weights @ v[:, None]).permute(2, 0, 1, 3).reshape(n, H, D)
