"""gensim's word2vec, the peer: the same text and the same choices. V words, D dimensions."""
import time
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from .corpus import Corpus
from .train import Config

MISSING = 'gensim is not installed: python -m pip install -e ".[peers]"'


@dataclass(frozen=True)
class PeerRun:
    """Its vectors, in the order of our vocabulary, and the time training took."""
    vectors: Float[np.ndarray, "V D"]
    seconds: float
    cpu_seconds: float


def available() -> bool:
    """Whether gensim can be imported."""
    try:
        import gensim  # noqa: F401  only asked for
    except ImportError:
        return False
    return True


def gensim_run(sentences: list[list[str]], corpus: Corpus, config: Config) -> PeerRun:
    """Trains gensim on `sentences` (of `corpus`) with the choices of `config`; only training is timed.

    Raises ImportError, with the command to install it, if gensim is missing.
    """
    try:
        from gensim.models import Word2Vec
    except ImportError as error:
        raise ImportError(MISSING) from error
    model = Word2Vec(vector_size=config.dimensions, window=config.window, negative=config.negatives, alpha=config.rate,
                     min_alpha=config.final_rate, sample=config.threshold or 0, ns_exponent=config.power, min_count=1,
                     sg=int(config.model == "skip-gram"), shrink_windows=config.dynamic, workers=config.threads,
                     seed=config.seed + 1, epochs=config.epochs)
    model.build_vocab_from_freq(dict(zip(corpus.vocabulary.words, corpus.vocabulary.counts.tolist(), strict=True)))
    start, cpu = time.perf_counter(), time.process_time()
    model.train(sentences, total_examples=len(sentences), total_words=len(corpus), epochs=config.epochs)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu
    return PeerRun(model.wv[list(corpus.vocabulary.words)], seconds, cpu_seconds)
