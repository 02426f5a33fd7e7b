"""Training on any text, and keeping the vectors: `python -m meaning_space train --data book.txt --save vectors.kv`."""

import argparse

from ..space import KeyedVectors
from ..train import Config, train
from .corpora import load_corpus
from .experiment import Log
from .record import atomic

STOP_WORDS = 50  # the most frequent words only hold sentences together: their neighbors say little


def train_on_text(options: argparse.Namespace, log: Log) -> dict:
    """Trains on the text of `--data`, and saves the vectors in word2vec's format to `--save`.

    Raises:
        ValueError, OSError: the text is not there, or too short.
    """
    corpus = load_corpus(options.data, share=0.1 if options.quick else 1.0)
    log(f"{len(corpus):,} words, {len(corpus.vocabulary):,} different ones")
    config = Config(epochs=1 if options.quick else 5, seed=options.seed, threads=options.threads)
    result = train(corpus, config, lambda share: log(f"{share:.0%} of {config.epochs} epochs"))
    keyed = KeyedVectors(corpus.vocabulary, result.centers)
    if options.save:
        with atomic(options.save) as tmp:
            keyed.save_word2vec_format(tmp)
        log(f"vectors: {options.save}")
    return {
        "text": {"words": len(corpus), "vocabulary": len(corpus.vocabulary), "epochs": config.epochs},
        "losses": result.losses[:: max(1, len(result.losses) // 200)],
        "neighbors": frequent_neighbors(keyed),
    }


def frequent_neighbors(keyed: KeyedVectors, words: int = 10, topn: int = 6) -> dict[str, list[str]]:
    """The nearest words of the most frequent words that come after the first `STOP_WORDS`."""
    vocabulary = keyed.vocabulary
    first = min(STOP_WORDS, max(0, len(vocabulary) - words))
    topn = min(topn, len(vocabulary) - 1)
    return {word: keyed.most_similar(word, topn) for word in vocabulary.words[first : first + words]}
