"""What eight, four and sixteen bits can hold.

Read in this order:
    floats.py     FP32, FP16, BF16, E4M3, E5M2 by sign, exponent and mantissa
    nf4.py        sixteen levels for normal weights, packed; scales quantized too
    kmeans.py     levels that are fitted to the numbers
    hardware.py   which accelerator multiplies which format
"""

from .floats import BF16, E4M3, E5M2, FLOATS, FP16, FP32, FloatFormat, integer_levels, levels_of
from .hardware import ACCELERATORS, COLUMNS, Accelerator
from .kmeans import kmeans_levels, nearest, round_to
from .nf4 import NF4_LEVELS, double_dequantize, double_quantize, nf4_dequantize, nf4_quantize

__all__ = ["ACCELERATORS", "BF16", "COLUMNS", "E4M3", "E5M2", "FLOATS", "FP16", "FP32", "NF4_LEVELS", "Accelerator"]
__all__ += ["FloatFormat", "double_dequantize", "double_quantize", "integer_levels", "kmeans_levels", "levels_of"]
__all__ += ["nearest", "nf4_dequantize", "nf4_quantize", "round_to"]
