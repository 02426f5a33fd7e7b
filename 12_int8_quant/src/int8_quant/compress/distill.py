"""Distillation: a student learns from the teacher's probabilities, which say more than a label (Hinton et al. 2015).

Dimensions:
    B rows   C classes
"""

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor


def distillation_loss(
    student: Float[Tensor, "B C"],
    teacher: Float[Tensor, "B C"],
    labels: Int[Tensor, "B"],
    temperature: int | float = 2.0,
    alpha: int | float = 0.5,
) -> Float[Tensor, ""]:
    """α · T² · KL(teacher ∥ student) of the softened probabilities + (1 − α) · cross-entropy with the labels.

    Means over the rows. Both arguments are logits; the teacher gets no gradient. A softened gradient is smaller by T²,
    and the factor T² brings it back.
    """
    soft = F.log_softmax(student / temperature, dim=1)
    target = F.log_softmax(teacher.detach() / temperature, dim=1)
    divergence = (target.exp() * (target - soft)).sum(dim=1).mean()
    return alpha * temperature**2 * divergence + (1 - alpha) * F.cross_entropy(student, labels)
