"""The key-value cache by hand.

Read in this order: attention, model, cache, step, generate, cost, quantize; then stream, prefix, and layouts.
"""

from .attention import attend, attend_fast
from .cache import GrowingCache, Int8Cache, StaticCache
from .cost import cache_bytes, decode_flops, forward_flops, matmul_tokens, measure_bandwidth, roofline
from .generate import generate, generate_without_cache
from .model import GPT, Config
from .quantize import dequantize, quantize
from .step import forward_with_cache

__all__ = [
    "GPT", "Config", "GrowingCache", "Int8Cache", "StaticCache", "attend", "attend_fast", "cache_bytes",
    "decode_flops", "dequantize", "forward_flops", "forward_with_cache", "generate",
    "generate_without_cache", "matmul_tokens", "measure_bandwidth", "quantize", "roofline",
]
