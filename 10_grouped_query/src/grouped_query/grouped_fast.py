"""The decode form: one new query, no mask, two batched products and nothing else.

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

    The queries are scaled, not the scores: there are D of them where there are T scores. The softmax writes into the
    scores, which saves the first touch of new memory. `bmm` works on views of the cache: nothing of it is copied.
    """
    B, G = q.shape[:2]
    scaled = q.flatten(0, 1) * q.shape[-1] ** -0.5  # B·G R D
    scores = torch.bmm(scaled, k.flatten(0, 1).mT)  # B·G R T
    weights = torch.softmax(scores, dim=-1, out=scores)
    return torch.bmm(weights, v.flatten(0, 1)).unflatten(0, (B, G))
