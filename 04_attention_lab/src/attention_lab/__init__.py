"""Attention by hand: every token takes an average of what other tokens give, weighted by how well they match.

Read in this order:
    shapes.py           the five tensor operations, and a tracer of shapes
    puzzles.py          ten shape puzzles
    softmax.py          scores into weights, without overflow
    attention.py        scaled dot-product attention, step by step
    worked_example.py   three tokens, two channels, every number
    masks.py            who may see whom
    multihead.py        several heads side by side
    online.py           softmax in one pass over blocks
    flash.py            tiled attention: memory grows with T, forward and backward
    flash_fast.py       the same, as fast as a CPU allows

Side quests:
    road/               how we got here: RNN, LSTM, GRU with back-propagation through time, seq2seq, language models
    transformer/        a small attention-only language model, its patterns, its heads removed one by one
    induction/          the heads of a real model that copy, found and removed
"""

from .attention import Steps, attention_steps, scaled_dot_product_attention
from .flash import flash_attention
from .flash_fast import blocked_attention
from .masks import causal_mask, combine_masks, padding_mask
from .multihead import MultiHeadAttention, Projections, merge_heads, multi_head_attention, split_heads
from .online import online_softmax
from .puzzles import PUZZLES, shape_puzzles
from .shapes import trace_modules, trace_operations
from .softmax import softmax
from .worked_example import worked_example

__all__ = [
    "PUZZLES",
    "MultiHeadAttention",
    "Projections",
    "Steps",
    "attention_steps",
    "blocked_attention",
    "causal_mask",
    "combine_masks",
    "flash_attention",
    "merge_heads",
    "multi_head_attention",
    "online_softmax",
    "padding_mask",
    "scaled_dot_product_attention",
    "shape_puzzles",
    "softmax",
    "split_heads",
    "trace_modules",
    "trace_operations",
    "worked_example",
]
