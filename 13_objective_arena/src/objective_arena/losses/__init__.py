"""Losses beside cross-entropy: for imbalance, for outliers, for margins and for contrast."""

from .imbalance import focal_loss
from .info_nce import info_nce
from .margins import contrastive_loss, hinge_loss, margin_ranking_loss, triplet_loss
from .regression import huber_loss, mae_loss, mse_loss

__all__ = ["contrastive_loss", "focal_loss", "hinge_loss", "huber_loss", "info_nce", "mae_loss"]
__all__ += ["margin_ranking_loss", "mse_loss", "triplet_loss"]
