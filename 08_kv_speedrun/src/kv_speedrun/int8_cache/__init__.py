"""Side quest: keys and values in one byte each. Read quantization, then cache."""

from .cache import Int8Cache
from .quantization import dequantize, quantize

__all__ = ["Int8Cache", "dequantize", "quantize"]
