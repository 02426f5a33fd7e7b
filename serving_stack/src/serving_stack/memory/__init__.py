"""Keys and values in blocks of equal size.

Read in this order:
    blocks.py                  who holds which block; a shared block is copied before it is written
    prefix_cache.py            blocks found again by the tokens that they hold
    pool.py                    the memory itself
    paged_attention.py         attention that reads keys and values through a table of blocks
    paged_attention_fast.py    the same without a gather, and in an order that no neighbour changes
    paged_attention_padded.py  the same with few kernels, for a GPU
"""

from .blocks import BlockAllocator, blocks_for, copy_on_write
from .paged_attention import paged_attention
from .paged_attention_fast import AttentionPlan
from .pool import KVPool
from .prefix_cache import PrefixCache

__all__ = ["AttentionPlan", "BlockAllocator", "KVPool", "PrefixCache"]
__all__ += ["blocks_for", "copy_on_write", "paged_attention"]
