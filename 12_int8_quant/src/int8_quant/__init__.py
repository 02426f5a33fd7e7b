"""Eight bits hold a layer until one outlier makes its scale too large; what shares a scale is the question since.

Read in this order:
    absmax.py           one scale, symmetric codes
    zeropoint.py        one scale and a zero point: all codes used, zero exact
    granularity.py      a scale for a tensor, a channel, a token, a group
    linear.py           layers on int8 products: weights alone, or activations too
    linear_fast.py      the same on the processor's own int8 products
    outliers.py         channels that stretch every scale, and LLM.int8
    smoothquant.py      the difficulty moved from activations to weights
    model.py            the decoder that is quantized
    train.py            its training, and its loss
    quantize_model.py   every linear layer replaced, by seven methods

Side quests: formats/ (floating point, NF4, k-means), calibrate/ (LeNet-5, static, dynamic, QAT), gptq/, awq/,
compress/ (pruning, lottery ticket, distillation), qlora_vs_gptq/, smollm2/ (the real model's file).
"""

from .absmax import absmax_quantize, check_finite, dequantize, largest_code, rms_error
from .calibrate import fake_quantize
from .compress import distillation_loss
from .formats import NF4_LEVELS, nf4_dequantize, nf4_quantize
from .gptq import gptq_quantize
from .granularity import (
    bits_per_weight,
    dequantize_groups,
    quantize_channels,
    quantize_groups,
    quantize_tokens,
)
from .linear import W8A8Linear, WeightOnlyLinear, int8_linear, int_product
from .linear_fast import FastW8A8Linear, fast_int8_linear, whole_int8_linear
from .model import Config, Decoder, RMSNorm, generate
from .outliers import inject_outliers, llm_int8_linear, outlier_channels
from .quantize_model import METHODS, activation_absmax, linears, quantize_model, replace_linears, weights_only
from .smoothquant import smooth_factors, smooth_fold
from .train import evaluate, next_token_loss, perplexity, train, windows
from .zeropoint import zeropoint_dequantize, zeropoint_quantize

__all__ = ["METHODS", "NF4_LEVELS", "Config", "Decoder", "FastW8A8Linear", "RMSNorm", "W8A8Linear", "WeightOnlyLinear"]
__all__ += ["absmax_quantize", "activation_absmax", "bits_per_weight", "check_finite", "dequantize"]
__all__ += ["dequantize_groups", "distillation_loss", "evaluate", "fake_quantize", "fast_int8_linear", "generate"]
__all__ += ["whole_int8_linear"]
__all__ += ["gptq_quantize", "inject_outliers", "int8_linear", "int_product", "largest_code", "linears"]
__all__ += ["llm_int8_linear", "next_token_loss", "nf4_dequantize", "nf4_quantize", "outlier_channels", "perplexity"]
__all__ += ["quantize_channels", "quantize_groups", "quantize_model", "quantize_tokens", "replace_linears", "rms_error"]
__all__ += ["smooth_factors", "smooth_fold", "train", "weights_only", "windows", "zeropoint_dequantize"]
__all__ += ["zeropoint_quantize"]
