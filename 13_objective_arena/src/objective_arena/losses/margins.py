"""Losses with a margin: what is right by enough costs nothing.

Dimensions:
    N examples, D width of a vector
"""

import torch
from jaxtyping import Float
from torch import Tensor


def hinge_loss(scores: Float[Tensor, " N"], signs: Float[Tensor, " N"], margin: float = 1.0) -> Float[Tensor, ""]:
    """max(0, margin - sign·score): signs are +1 and -1."""
    return (margin - signs * scores).clamp(min=0).mean()


def margin_ranking_loss(
    better: Float[Tensor, " N"], worse: Float[Tensor, " N"], margin: float = 0.0
) -> Float[Tensor, ""]:
    """max(0, margin - (better - worse)): the better one scores higher by the margin."""
    return (margin - (better - worse)).clamp(min=0).mean()


def triplet_loss(
    anchor: Float[Tensor, "N D"], positive: Float[Tensor, "N D"], negative: Float[Tensor, "N D"], margin: float = 1.0
) -> Float[Tensor, ""]:
    """max(0, d(anchor, positive) - d(anchor, negative) + margin), FaceNet (Schroff et al. 2015) without the squares."""
    near = torch.linalg.vector_norm(anchor - positive, dim=-1)
    far = torch.linalg.vector_norm(anchor - negative, dim=-1)
    return (near - far + margin).clamp(min=0).mean()


def contrastive_loss(
    distances: Float[Tensor, " N"], same: Float[Tensor, " N"], margin: float = 1.0
) -> Float[Tensor, ""]:
    """d² for pairs of the same thing, max(0, margin - d)² for others (Hadsell et al. 2006, without their factor ½)."""
    apart = (margin - distances).clamp(min=0).square()
    return (same * distances.square() + (1 - same) * apart).mean()
