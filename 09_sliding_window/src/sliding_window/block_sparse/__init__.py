"""Attention that computes some blocks of the square only: Longformer's and BigBird's patterns.

Read in this order:
    patterns.py    which pairs are seen, as masks and as lists of blocks
    attention.py   attention over the listed blocks, O(T · blocks in a row)
"""

from .attention import block_sparse_attention
from .patterns import bigbird_blocks, blocks_of, dilated_window, longformer, longformer_reach, to_mask

__all__ = ["bigbird_blocks", "block_sparse_attention", "blocks_of", "dilated_window", "longformer"]
__all__ += ["longformer_reach", "to_mask"]
