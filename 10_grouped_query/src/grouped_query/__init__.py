"""Decoding is paid in bytes of keys and values: share them between heads, or compress them.

Read in this order:
    grouped.py        MHA, GQA and MQA as one function of the number of key/value heads
    grouped_fast.py   the decode form
    published.py      the shapes of published models
    cache_bytes.py    bytes per token, and the batch that fits
    rotary.py         RoPE, as short as possible
    cache.py          memory for keys and values
    model.py          a decoder with any number of key/value heads
    convert.py        a trained model's heads pooled
    uptrain.py        a few per cent of training more

Side quests: latent/ (multi-head latent attention, low rank), smollm2/ (the real model's file).
"""

from .cache import Cache
from .cache_bytes import cache_bytes_per_token, largest_batch
from .convert import RULES, convert, first_heads, mean_pool_heads, random_heads
from .grouped import grouped_attention, mask_future, merge_groups, split_groups
from .grouped_fast import decode_attention
from .latent import absorbed_attention, compress_latent, expanded_attention, rms_norm
from .model import Config, Decoder, GroupedAttention, RMSNorm
from .published import PUBLISHED, Shape
from .rotary import rotate
from .uptrain import evaluate, next_token_loss, train, uptrain, windows

__all__ = ["PUBLISHED", "RULES", "Cache", "Config", "Decoder", "GroupedAttention", "RMSNorm", "Shape"]
__all__ += ["absorbed_attention", "cache_bytes_per_token", "compress_latent", "convert", "decode_attention"]
__all__ += ["evaluate", "expanded_attention", "first_heads", "grouped_attention", "largest_batch", "mask_future"]
__all__ += ["mean_pool_heads", "merge_groups", "next_token_loss", "random_heads", "rms_norm", "rotate"]
__all__ += ["split_groups", "train", "uptrain", "windows"]
