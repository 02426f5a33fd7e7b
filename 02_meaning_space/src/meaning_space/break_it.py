"""Leave one thing out at a time, and see what the vectors lose."""
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from .corpus import Corpus
from .counts import cooccurrence
from .experiment import offline_corpus
from .judgement import accuracy, forms_questions, percent
from .space import nearest, unit
from .train import Config, train

ENDINGS = ("s", "ed", "ing")
PROBE = slice(60, 1060)         # words of these ranks are asked for their neighbours
VARIANTS = {
    "as it should be": {},
    "no negatives": {"negatives": 0},
    "no subsampling": {"threshold": None},
    "window 1": {"window": 1, "dynamic": False},
    "window 10": {"window": 10, "dynamic": False, "block": 32},     # more pairs a word, shorter blocks
    "two dimensions": {"dimensions": 2},
    "shuffled text": {},
}


def break_it(seed: int, quick: bool = False, say: Callable[[str], None] = print) -> dict:
    """Every variant trained on the offline text, and what can be measured of it. About a minute and a half."""
    corpus = offline_corpus()
    base = Config(epochs=1 if quick else 10, seed=seed)
    beside = met(corpus)
    results = {}
    for name, change in VARIANTS.items():
        text = corpus.shuffled(seed) if name == "shuffled text" else corpus
        results[name] = measure(train(text, replace(base, **change)).centres, corpus, beside, seed)
        say(f"{name:16} " + "  ".join(f"{k.replace('_', ' ')} {v:.1f}" for k, v in results[name].items()))
    return {"epochs": base.epochs, "variants": results}


def met(corpus: Corpus) -> Float[np.ndarray, "V V"]:
    """How much oftener than by chance two words stand within ten words of each other (a ratio; 1 is chance)."""
    counts = cooccurrence(corpus, 10, dynamic=False).toarray()
    word = counts.sum(axis=1)
    return counts * counts.sum() / np.maximum(np.outer(word, word), 1)


def measure(vectors: Float[np.ndarray, "V D"], corpus: Corpus, beside: Float[np.ndarray, "V V"], seed: int) -> dict:
    """All in percent. Neighbours are the ten nearest of each of a thousand words.

    `cosine` of random pairs of words; `frequent_neighbours`, words with one of the twenty most frequent among their
    neighbours; `same_ending` and `met_often`, neighbours of words in -s, -ed, -ing with that ending (a sign of syntax),
    and neighbours that stand within ten words at least four times as often as by chance (a sign of topic);
    `analogies` of word forms that are right.
    """
    words = corpus.vocabulary.words
    asked = np.arange(len(words))[PROBE]
    near = nearest(vectors, asked, 10)
    ends = [(row, e) for row, i in zip(near, asked, strict=True) for e in ENDINGS if words[i].endswith(e)]
    x = unit(vectors)
    one, other = np.random.default_rng(seed).integers(0, len(words), (2, 10_000))
    return {
        "cosine": 100 * float(np.einsum("pd,pd->p", x[one], x[other]).mean()),
        "frequent_neighbours": 100 * float((near < 20).any(axis=1).mean()),
        "same_ending": 100 * float(np.mean([words[j].endswith(e) for row, e in ends for j in row])),
        "met_often": 100 * float((beside[asked[:, None], near] >= 4).mean()),
        "analogies": percent(accuracy(vectors, forms_questions(corpus.vocabulary))),
    }
