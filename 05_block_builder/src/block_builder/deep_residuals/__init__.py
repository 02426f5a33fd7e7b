"""Side quest: three other ways to make a deep stack learn. Read rezero.py, layer_scale.py, deepnorm.py."""

from .deepnorm import DeepNormBlock, deepnorm_constants
from .layer_scale import LayerScaleBlock
from .rezero import ReZeroBlock

__all__ = ["DeepNormBlock", "LayerScaleBlock", "ReZeroBlock", "deepnorm_constants"]
