"""A block adds to a stream instead of replacing it; where the norm stands decides whether a deep stack can learn.

Read in this order:
    config.py           the sizes of a model
    attention.py        multi-head attention, handed out (project 04 builds it)
    block.py            the feed-forward layer, the residual in its two forms, the block
    block_fast.py       the same block with one matrix for q, k, v and a fused attention
    initialization.py   weights that get smaller with depth
    encoder_decoder.py  a block that sees everything, and one that reads another text
    model.py            GPT, encoder, encoder-decoder
    signal.py           what arrives at each layer, forward and backward
    overfit.py          learn one text by heart
    graph.py            the autograd graph of a block, drawn
Side quests: attention_is_all_you_need/, architectures/, deep_residuals/, vision/.
"""

from .attention import MultiHeadAttention, causal_mask, padding_mask
from .block import Block, FeedForward, residual
from .block_fast import FastBlock
from .config import ACTIVATIONS, Config
from .encoder_decoder import DecoderBlock, EncoderBlock
from .initialization import init_weights, seeded, standard_normal
from .model import GPT, Encoder, EncoderClassifier, EncoderDecoder
from .overfit import memorize, recite
from .signal import measure, next_token_loss
from .vision.convolution import conv2d

__all__ = ["ACTIVATIONS", "GPT", "Block", "Config", "DecoderBlock", "Encoder", "EncoderBlock", "EncoderClassifier",
           "EncoderDecoder", "FastBlock", "FeedForward", "MultiHeadAttention", "causal_mask", "conv2d", "init_weights",
           "measure", "memorize", "next_token_loss", "padding_mask", "recite", "residual", "seeded",
           "standard_normal"]  # fmt: skip
