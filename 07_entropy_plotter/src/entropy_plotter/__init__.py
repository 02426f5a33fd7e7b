"""Decoding by hand: entropy, the rules that cut the tail of a distribution, and three models to use them on.

Read in this order:

    entropy                   bits: entropy, surprisal, perplexity, divergence
    warpers, warpers_fast     temperature, top-k, top-p, min-p and the others; the same without a full sort
    sample                    from logits to tokens, and the loop around it
    words, ngram              tokens of the small models; Kneser-Ney
    transformer               a small model that is trained on the spot
    smollm2, smollm2_tokens   a real model from its file
    strip                     a text coloured by its surprise

Side quests: search, speculative, consistency, page. Everything that measures is in lab.
"""

from .consistency import binomial_majority, majority_vote
from .entropy import by_token, cross_entropy, entropy, kl_divergence, perplexity, surprisal, varentropy
from .ngram import NGram
from .sample import generate, greedy, sample
from .search import beam_search, contrastive_search, diverse_beam_search
from .smollm2 import read_smollm2
from .speculative import speculative_accept, speculative_generate
from .strip import strip_html, strip_terminal
from .transformer import Config, Transformer, train
from .warpers import (
    SamplingParams,
    eta,
    frequency_penalty,
    min_p,
    presence_penalty,
    repetition_penalty,
    temperature,
    top_k,
    top_p,
    typical,
    warp,
)
from .warpers_fast import top_p_fast, warp_fast
from .words import Words

__all__ = ["Config", "NGram", "SamplingParams", "Transformer", "Words"]
__all__ += ["beam_search", "binomial_majority", "by_token", "contrastive_search", "cross_entropy"]
__all__ += ["diverse_beam_search", "entropy", "eta", "frequency_penalty", "generate", "greedy", "kl_divergence"]
__all__ += ["majority_vote", "min_p", "perplexity", "presence_penalty", "read_smollm2", "repetition_penalty", "sample"]
__all__ += ["speculative_accept", "speculative_generate", "strip_html", "strip_terminal", "surprisal", "temperature"]
__all__ += ["top_k", "top_p", "top_p_fast", "train", "typical", "varentropy", "warp", "warp_fast"]
