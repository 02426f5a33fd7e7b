"""The key-value cache by hand.

Read in this order:

    attention, attention_fast   the mask of a chunk that comes after cached keys
    config, cache, model        the caches, and a model that works with and without one
    step, generation            the idea of the chapter: one step, then a loop
    cost                        operations, bytes, and the limit that memory sets
    checks                      what is refused, and what the error says

Side quests: int8_cache, serving, prefix_cache, weight_layouts, checkpoints. Everything that measures is in lab.
"""

from .attention import attend
from .attention_fast import attend_fast
from .cache import GrowingCache, KVCache, StaticCache
from .config import Config
from .cost import cache_bytes, decode_flops, forward_flops, matmul_tokens, roofline
from .generation import generate, generate_without_cache
from .int8_cache import Int8Cache, dequantize, quantize
from .model import GPT
from .serving import SamplingParams, complete, decode, pad_left, prefill, sample, stream
from .step import forward_with_cache

__all__ = [
    "GPT",
    "Config",
    "GrowingCache",
    "Int8Cache",
    "KVCache",
    "SamplingParams",
    "StaticCache",
    "attend",
    "attend_fast",
    "cache_bytes",
    "complete",
    "decode",
    "decode_flops",
    "dequantize",
    "forward_flops",
    "forward_with_cache",
    "generate",
    "generate_without_cache",
    "matmul_tokens",
    "pad_left",
    "prefill",
    "quantize",
    "roofline",
    "sample",
    "stream",
]
