"""gensim's word2vec, the peer: the same text and the same choices.

Dimensions: V words, D embedding dimensions.
"""

import time
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
from jaxtyping import Float

from ..corpus import Corpus
from ..train import Config

MISSING = 'gensim is not installed: python -m pip install -e ".[peers]"'


@dataclass(frozen=True)
class PeerRun:
    """gensim's vectors, in the order of our vocabulary, and how long training took."""

    vectors: Float[np.ndarray, "V D"]
    seconds: float


def available() -> bool:
    """Whether gensim is installed."""
    try:
        return find_spec("gensim") is not None
    except ValueError:  # a module that was set to None
        return False


def train_gensim(sentences: list[list[str]], corpus: Corpus, config: Config, skip_gram: bool = True) -> PeerRun:
    """Trains gensim on `sentences` (those of `corpus`) with the choices of `config`. Only training is timed.

    Raises:
        ImportError: gensim is missing.
    """
    try:
        from gensim.models import Word2Vec
    except ImportError as error:
        raise ImportError(MISSING, name="gensim") from error
    model = Word2Vec(
        vector_size=config.embedding_dim,
        window=config.window,
        negative=config.negatives,
        alpha=config.lr,
        min_alpha=config.min_lr,
        sample=config.threshold or 0,
        ns_exponent=config.power,
        shrink_windows=config.shrink_windows,
        sg=int(skip_gram),
        min_count=1,
        workers=config.threads,
        seed=config.seed + 1,
        epochs=config.epochs,
    )
    model.build_vocab_from_freq(dict(zip(corpus.vocabulary.words, corpus.vocabulary.counts.tolist(), strict=True)))
    start = time.perf_counter()
    model.train(sentences, total_examples=len(sentences), total_words=len(corpus), epochs=config.epochs)
    return PeerRun(model.wv[list(corpus.vocabulary.words)], time.perf_counter() - start)
