"""Nine ways to keep a network from learning its examples by heart. Every draw is an argument, so a test can repeat it.

Dimensions: S networks that train side by side, N examples of a batch, D width, C classes.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor


def dropconnect(
    weight: Float[Tensor, "*shape"], p: float, uniforms: Float[Tensor, "*shape"]
) -> Float[Tensor, "*shape"]:
    """Drop single WEIGHTS instead of units (Wan et al. 2013), and enlarge the others by 1 / (1 - p)."""
    return torch.where(uniforms < p, 0.0, weight / (1 - p))


def drop_path(branch: Float[Tensor, "S N D"], p: float, uniforms: Float[Tensor, "S N 1"]) -> Float[Tensor, "S N D"]:
    """Drop a whole residual branch of an example (stochastic depth, Huang et al. 2016), rescaled like dropout."""
    return torch.where(uniforms < p, 0.0, branch / (1 - p))


def l1(weights: list[Tensor]) -> Float[Tensor, ""]:
    """Σ |w|: pulls every weight by the same force, so that small ones reach zero."""
    return sum(w.abs().sum() for w in weights)


def l2(weights: list[Tensor]) -> Float[Tensor, ""]:
    """Σ w² / 2: pulls large weights hardest. With plain SGD this is weight decay; with Adam it is not."""
    return sum(w.square().sum() for w in weights) / 2


def elastic_net(weights: list[Tensor], l1_ratio: float = 0.5) -> Float[Tensor, ""]:
    """Both at once (Zou and Hastie 2005)."""
    return l1_ratio * l1(weights) + (1 - l1_ratio) * l2(weights)


def one_hot(classes: Int[Tensor, "S N"], C: int) -> Float[Tensor, "S N C"]:
    return torch.nn.functional.one_hot(classes, C).float()


def label_smoothing(targets: Float[Tensor, "S N C"], epsilon: float = 0.1) -> Float[Tensor, "S N C"]:
    """(1 - ε) of the target and ε spread over all classes (Szegedy et al. 2016, section 7)."""
    return (1 - epsilon) * targets + epsilon / targets.shape[-1]


def mixup(
    x: Float[Tensor, "S N D"],
    targets: Float[Tensor, "S N C"],
    partner: Int[Tensor, "S N"],
    share: Float[Tensor, " S"],
) -> tuple[Float[Tensor, "S N D"], Float[Tensor, "S N C"]]:
    """share · own + (1 - share) · partner's, of inputs and targets alike (Zhang et al. 2018)."""
    own = share[:, None, None]
    return own * x + (1 - own) * _of(x, partner), own * targets + (1 - own) * _of(targets, partner)


def cutmix(
    x: Float[Tensor, "S N D"],
    targets: Float[Tensor, "S N C"],
    partner: Int[Tensor, "S N"],
    box: tuple[int, int, int, int],
    side: int,
) -> tuple[Float[Tensor, "S N D"], Float[Tensor, "S N C"]]:
    """Paste a box (top, bottom, left, right) of the partner's image; targets mix by area (Yun et al. 2019)."""
    top, bottom, left, right = box
    inside = torch.zeros(side, side, dtype=torch.bool)
    inside[top:bottom, left:right] = True
    area = inside.float().mean()
    mixed = torch.where(inside.reshape(-1), _of(x, partner), x)
    return mixed, (1 - area) * targets + area * _of(targets, partner)


def _of(values: Float[Tensor, "S N D"], partner: Int[Tensor, "S N"]) -> Float[Tensor, "S N D"]:
    """The rows of each example's partner."""
    return values.gather(1, partner[:, :, None].expand_as(values))
