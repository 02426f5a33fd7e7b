"""Change one thing at a time and see what the vectors lose. Each experiment has claims that a test checks."""

import argparse
from dataclasses import dataclass, field, replace

import numpy as np
from jaxtyping import Float

from ..corpus import Corpus
from ..counts import cooccurrence
from ..space import most_similar, normalize
from ..train import Config, train
from .corpora import load_corpus
from .evaluation import analogy_scores, percent_right, word_form_questions
from .experiment import Log

SUFFIXES = ("s", "ed", "ing")
QUERY_RANKS = slice(60, 1060)  # words of these ranks are asked for their neighbors
FREQUENT = 20
HIGH_LIFT = 4.0
# Seven trainings in some fifteen seconds: twice the usual learning rate, half the dimensions, few epochs.
CONFIG = Config(embedding_dim=50, lr=0.05, epochs=3)
BASELINE = "baseline"


@dataclass(frozen=True)
class Claim:
    """`low` <= measure <= `high`; with `times_baseline` the measure is divided by the baseline's first."""

    measure: str
    low: float = -np.inf
    high: float = np.inf
    times_baseline: bool = False

    def holds(self, measures: dict[str, float], baseline: dict[str, float]) -> bool:
        value = measures[self.measure]
        if self.times_baseline:
            value /= baseline[self.measure]
        return self.low <= value <= self.high


@dataclass(frozen=True)
class Experiment:
    """One thing that is changed, and what must come of it."""

    changes: dict = field(default_factory=dict)  # of Config
    shuffle: bool = False
    claims: tuple[Claim, ...] = ()


EXPERIMENTS = {
    BASELINE: Experiment(),
    "no negatives": Experiment({"negatives": 0}, claims=(Claim("cosine", low=99.0), Claim("analogies", high=1.0))),
    "no subsampling": Experiment(
        {"threshold": None},
        claims=(
            Claim("frequent_neighbors", high=5.0),
            Claim("analogies", low=1.2, times_baseline=True),
            Claim("high_lift", high=0.95, times_baseline=True),
        ),
    ),
    "window 1": Experiment(
        {"window": 1, "shrink_windows": False},
        claims=(
            Claim("same_suffix", low=1.4, times_baseline=True),
            Claim("high_lift", high=0.6, times_baseline=True),
        ),
    ),
    # A wide window has more pairs a word: shorter blocks and a lower rate keep the step short.
    "window 10": Experiment(
        {"window": 10, "shrink_windows": False, "block_size": 32, "lr": 0.025},
        claims=(
            Claim("same_suffix", high=0.95, times_baseline=True),
            Claim("high_lift", low=1.1, times_baseline=True),
        ),
    ),
    "two dimensions": Experiment(
        {"embedding_dim": 2}, claims=(Claim("analogies", high=1.0), Claim("high_lift", high=0.3, times_baseline=True))
    ),
    "shuffled text": Experiment(shuffle=True, claims=(Claim("cosine", low=90.0), Claim("analogies", high=1.0))),
}


def break_it(options: argparse.Namespace, log: Log) -> dict:
    """Every experiment on Python's documentation. Some fifteen seconds."""
    config = replace(CONFIG, seed=options.seed, epochs=1 if options.quick else CONFIG.epochs)
    laboratory = Laboratory(load_corpus("pydoc"), config)
    variants = {}
    for name in EXPERIMENTS:
        variants[name] = laboratory.run(name)
        log(f"{name:16} " + "  ".join(f"{key} {value:.1f}" for key, value in variants[name].items()))
    return {"epochs": config.epochs, "variants": variants}


class Laboratory:
    """A corpus to run experiments on; what they share is computed once."""

    def __init__(self, corpus: Corpus, config: Config = CONFIG):
        self.corpus, self.config = corpus, config
        self.lift = lift(corpus)
        self.results: dict[str, dict[str, float]] = {}

    def run(self, name: str) -> dict[str, float]:
        """Trains with one thing changed, and measures the vectors."""
        experiment = EXPERIMENTS[name]
        seed = self.config.seed
        corpus = self.corpus.shuffled(seed) if experiment.shuffle else self.corpus
        vectors = train(corpus, replace(self.config, **experiment.changes)).centers
        self.results[name] = measure(vectors, self.corpus, self.lift, seed)
        return self.results[name]

    def show(self, name: str) -> None:
        """Runs an experiment, and prints its measures and the baseline's.

        Raises:
            RuntimeError: the outcome is not the one that is written down (`EXPERIMENTS[name].claims`).
        """
        baseline = self.results.get(BASELINE) or self.run(BASELINE)
        measures = baseline if name == BASELINE else self.run(name)
        for title, row in {BASELINE: baseline, name: measures}.items():
            print(f"{title:15}" + "".join(f"  {key} {value:5.1f}" for key, value in row.items()))
        for claim in EXPERIMENTS[name].claims:
            if not claim.holds(measures, baseline):
                raise RuntimeError(f"{name}: {claim} does not hold: {measures[claim.measure]:.1f}")


def lift(corpus: Corpus) -> Float[np.ndarray, "V V"]:
    """How many times more often than by chance two words stand within ten words of each other."""
    counts = cooccurrence(corpus, 10, shrink_windows=False).toarray()
    word = counts.sum(axis=1)
    return counts * counts.sum() / np.maximum(np.outer(word, word), 1)


def measure(
    vectors: Float[np.ndarray, "V D"], corpus: Corpus, lift: Float[np.ndarray, "V V"], seed: int
) -> dict[str, float]:
    """Five measures, all in percent. Neighbors are the ten nearest of each of a thousand words.

    - `cosine`: the mean cosine of random pairs of words
    - `frequent_neighbors`: words with one of the twenty most frequent words among their neighbors
    - `same_suffix`: neighbors of words in -s, -ed, -ing that have the same suffix: a sign of syntax
    - `high_lift`: neighbors that meet in the text at least four times as often as by chance: a sign of topic
    - `analogies`: analogies of word forms that are right
    """
    words = corpus.vocabulary.words
    queries = np.arange(len(words))[QUERY_RANKS]
    near = most_similar(vectors, queries, 10)
    same = [
        words[j].endswith(suffix)
        for query, row in zip(queries, near, strict=True)
        for suffix in SUFFIXES
        if words[query].endswith(suffix)
        for j in row
    ]
    x = normalize(vectors)
    first, second = np.random.default_rng(seed).integers(0, len(words), (2, 10_000))
    shares = {
        "cosine": np.einsum("pd,pd->p", x[first], x[second]).mean(),
        "frequent_neighbors": (near < FREQUENT).any(axis=1).mean(),
        "same_suffix": np.mean(same),
        "high_lift": (lift[queries[:, None], near] >= HIGH_LIFT).mean(),
    }
    analogies = percent_right(analogy_scores(vectors, word_form_questions(corpus.vocabulary)))
    return {**{name: 100 * float(share) for name, share in shares.items()}, "analogies": analogies}
