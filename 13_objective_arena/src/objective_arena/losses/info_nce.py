"""InfoNCE (van den Oord et al. 2018) in the form of SimCLR (Chen et al. 2020): find the other view of the same thing.

Dimensions:
    B things, each with two views; D width of a view
"""

import torch
from jaxtyping import Float
from torch import Tensor

from ..cross_entropy import cross_entropy


def info_nce(a: Float[Tensor, "B D"], b: Float[Tensor, "B D"], temperature: float = 0.1) -> Float[Tensor, ""]:
    """Cross-entropy of choosing a view's partner among the other 2B - 1 views, by cosine similarity / temperature.

    a[i] and b[i] are views of the same thing. All 2B views choose; none may choose itself.

    Raises:
        ValueError: a temperature that is not positive.
    """
    if temperature <= 0:
        raise ValueError(f"temperature={temperature}: similarities are divided by it; choose one above 0")
    views = torch.cat([a, b])  # 2B D
    unit = views / views.norm(dim=-1, keepdim=True)
    scores = unit @ unit.T / temperature  # 2B 2B
    itself = torch.eye(len(views), dtype=torch.bool)
    partner = torch.arange(len(views)).roll(len(a))
    return cross_entropy(scores.masked_fill(itself, -torch.inf), partner)
