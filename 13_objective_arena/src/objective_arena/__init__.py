"""The same network becomes a writer, a reader or both, by what it is asked to predict and what it may look at.

Read in this order:
    causal.py            next-token labels, padding, the causal mask
    masked.py            BERT's 80/10/10, whole words
    masked_fast.py       the same with one random number a token
    prefix.py            read a prefix, write the rest
    attention_masks.py   the masks beside each other
    spans.py             span corruption, UL2's mixture, fill-in-the-middle
    spans_fast.py        a batch of span corruption without loops
    cross_entropy.py     the loss by hand, label smoothing
    model.py             one transformer whose mask is an argument
    arena.py             five objectives at equal compute

Side quests: bert/ (next-sentence prediction, fine-tuning), gpt1/ (fine-tuning with an auxiliary loss), translate/
(encoder-decoder, beam search), losses/ (focal, Huber, hinge, triplet, InfoNCE).
"""

from .arena import OBJECTIVES, Batch, SpecialTokens, random_windows, train
from .attention_masks import attention_masks, bidirectional_attention_mask, draw, leaks
from .bert import sentence_pair
from .causal import causal_attention_mask, causal_labels, shift_labels
from .cross_entropy import cross_entropy, log_softmax, perplexity, smoothed_cross_entropy
from .losses import info_nce
from .masked import mask_tokens, select_words
from .masked_fast import mask_tokens_fast
from .model import Config, Transformer
from .prefix import prefix_attention_mask, prefix_labels
from .spans import (
    UL2,
    Denoiser,
    corrupted_lengths,
    fill_in_the_middle,
    noise_counts,
    random_partition,
    random_spans,
    raw_length,
    restore,
    span_corruption,
)
from .spans_fast import corrupt_batch, draw_uniforms, partition_rows

__all__ = ["OBJECTIVES", "UL2", "Batch", "Config", "Denoiser", "SpecialTokens", "Transformer", "attention_masks"]
__all__ += ["bidirectional_attention_mask", "causal_attention_mask", "causal_labels", "corrupt_batch"]
__all__ += ["corrupted_lengths", "cross_entropy", "draw", "draw_uniforms", "fill_in_the_middle", "info_nce", "leaks"]
__all__ += ["log_softmax", "mask_tokens", "mask_tokens_fast", "noise_counts", "partition_rows", "perplexity"]
__all__ += ["prefix_attention_mask", "prefix_labels", "random_partition", "random_spans", "random_windows"]
__all__ += ["raw_length", "restore", "select_words", "sentence_pair", "shift_labels", "smoothed_cross_entropy"]
__all__ += ["span_corruption", "train"]
