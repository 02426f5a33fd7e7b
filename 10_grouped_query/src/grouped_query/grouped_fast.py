"""The decode form: one new query, no mask, two products for each group and nothing else.

`grouped.py` is the plain form; a test proves them equal. The measured reasons are in results/REPORT.md.

Dimensions: as in grouped.py.
"""

import torch
from jaxtyping import Float
from torch import Tensor


def decode_attention(
    q: Float[Tensor, "B G R D"], k: Float[Tensor, "B G T D"], v: Float[Tensor, "B G T D"]
) -> Float[Tensor, "B G R D"]:
    """Attention of the newest token, which sees every key.

    The queries are scaled, not the scores: there are D of them where there are T scores. One group follows another:
    the scores of a group are few enough to stay near the processor until they are used.
    """
    B, G = q.shape[:2]
    scaled = q.flatten(0, 1) * q.shape[-1] ** -0.5  # B·G R D
    outs = []
    for rows, keys, values in zip(scaled, k.flatten(0, 1), v.flatten(0, 1), strict=True):
        weights = (rows @ keys.mT).softmax(dim=-1)  # R T
        outs.append(weights @ values)
    return torch.stack(outs).unflatten(0, (B, G))
