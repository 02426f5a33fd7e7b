"""The decode form: one new query, no mask, two products for each group and nothing else.

`grouped.py` is the plain form; a test proves them equal. The measured reasons are in results/REPORT.md.

Dimensions: as in grouped.py.
"""

import torch
from jaxtyping import Float
from torch import Tensor


@torch.no_grad()
def decode_attention(
    q: Float[Tensor, "B G R D"], k: Float[Tensor, "B G T D"], v: Float[Tensor, "B G T D"]
) -> Float[Tensor, "B G R D"]:
    """Attention of the newest token, which sees every key. No gradients.

    The queries are scaled, not the scores: there are D of them where there are T scores. One group follows another, and
    all use the same memory for their scores. It is small, so it stays near the processor and is allocated once.
    """
    B, G, R, D = q.shape
    scaled = q.flatten(0, 1) * D**-0.5  # B·G R D
    out = torch.empty_like(scaled)
    scores = q.new_empty(R, k.shape[2])
    for rows, keys, values, result in zip(scaled, k.flatten(0, 1), v.flatten(0, 1), out, strict=True):
        torch.mm(rows, keys.mT, out=scores)
        torch.softmax(scores, dim=-1, out=scores)
        torch.mm(scores, values, out=result)
    return out.unflatten(0, (B, G))
