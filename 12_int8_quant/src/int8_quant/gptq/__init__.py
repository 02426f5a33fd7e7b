"""GPTQ: rounding that looks at what the layer is fed.

Read in this order:
    column.py        one column at a time: the algorithm
    blocks.py        in blocks, with groups and act-order: the fast form
    obq.py           optimal brain quantization, where it comes from
    calibration.py   the Hessians of a model's layers
"""

from .blocks import GRIDS, GPTQResult, gptq_blocks
from .calibration import collect_hessians
from .column import gptq_quantize, inverse_factor, output_error
from .obq import obq_quantize

__all__ = ["GRIDS", "GPTQResult", "collect_hessians", "gptq_blocks", "gptq_quantize", "inverse_factor"]
__all__ += ["obq_quantize", "output_error"]
