"""The headline experiment, on the English that ships with Python: neighbors, analogies, a map, and the exact optimum.

Each function returns plain numbers and words; `plots.py` and `tables.py` show them.
"""

import argparse
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from ..corpus import Corpus, Vocabulary
from ..counts import cooccurrence, fit, optimum, ppmi, word_vectors
from ..counts.exact import words_that_all_meet
from ..maps import pca, tsne
from ..probes.kmeans import KMeans
from ..space import KeyedVectors, cos_mul, most_similar, normalize
from ..train import SKIP_GRAM, Config, Model, TrainResult, train
from ..variants import CBOW
from .cli import seeds_of
from .corpora import MIN_COUNT, load_corpus, python_docs
from .evaluation import analogy_scores, percent_right, word_form_questions
from .page import write_page

Log = Callable[[str], None]

QUERIES = (
    "month", "read", "error", "socket", "directory", "thread", "encoding", "exception", "integer", "dictionary",
    "http", "returns",
)  # fmt: skip
MAP_WORDS = (
    "month", "socket", "directory", "thread", "encoding", "exception", "integer", "dictionary", "http", "class",
    "pattern", "command", "read", "character", "element", "test",
)  # fmt: skip
# The mean of a window moves each of its vectors less than a pair does: CBOW takes twice the learning rate (word2vec.c).
MODELS = {"skip-gram": (SKIP_GRAM, 0.025), "cbow": (CBOW, 0.05)}
EXACT_DIMENSIONS = (1, 2, 4, 8, 16, 24, 32, 40, 48, 56, 60)  # the last is the number of words
EXACT_K, EXACT_WINDOW = 5, 10


def headline(options: argparse.Namespace, log: Log) -> dict:
    """Skip-gram, CBOW and counting on the same text; the map; the exact optimum. About two minutes on one core.

    Raises:
        ValueError: another text than "pydoc" is asked for.
    """
    if options.data != "pydoc":
        raise ValueError(
            f"data={options.data!r}: the headline experiment asks for words of Python's documentation; "
            f"use the command `novels` for the novels, `train` for a text of your own"
        )
    seeds = seeds_of(options, 1 if options.quick else 3)
    epochs = 1 if options.quick else 20
    corpus = load_corpus("pydoc")
    log(f"{len(corpus):,} words, {len(corpus.vocabulary):,} different ones")
    first_runs, scores = train_models(corpus, epochs, seeds, log)
    log("counting pairs, and factorizing their PPMI")
    counted = ppmi(cooccurrence(corpus, 5), power=0.75)
    scores["ppmi + svd"] = word_form_scores([word_vectors(counted, 100, seed) for seed in seeds], corpus)
    vectors = first_runs["skip-gram"].centers
    log("drawing the map")
    page = word_map(vectors, corpus, seeds[0], 150 if options.quick else 500)
    write_page(options.out / "headline_map.html", "The words of Python's documentation", **page)
    return {
        "seeds": seeds,
        "text": {
            "words": len(corpus),
            "vocabulary": len(corpus.vocabulary),
            "min_count": MIN_COUNT["pydoc"],
            "epochs": epochs,
        },
        "neighbors": neighbor_lists(vectors, corpus, QUERIES, restrict_vocab=1000),
        "scores": scores,
        "losses": first_runs["skip-gram"].losses[::4],
        "map": map_of_groups(vectors, corpus.vocabulary, MAP_WORDS, 1000, seeds[0]),
        "exact": exact(seeds[0], options.quick, log),
    }


def train_models(corpus: Corpus, epochs: int, seeds: list[int], log: Log) -> tuple[dict[str, TrainResult], dict]:
    """Skip-gram and CBOW for each seed: the runs with the first seed, and the scores of all runs."""
    first_runs, scores = {}, {}
    for name, (model, lr) in MODELS.items():
        config = Config(epochs=epochs, lr=lr)
        runs = [timed_train(name, model, corpus, replace(config, seed=seed), log) for seed in seeds]
        first_runs[name] = runs[0][0]
        scores[name] = word_form_scores([run.centers for run, _ in runs], corpus)
        scores[name]["seconds"] = [seconds for _, seconds in runs]
    return first_runs, scores


def timed_train(name: str, model: Model, corpus: Corpus, config: Config, log: Log) -> tuple[TrainResult, float]:
    """One training run, and the seconds it took."""
    start = time.perf_counter()
    run = train(corpus, config, model=model)
    seconds = time.perf_counter() - start
    speed = len(corpus) * config.epochs / seconds
    log(f"{name}, seed {config.seed}: {config.epochs} epochs in {seconds:.1f} s, {speed:,.0f} words/s")
    return run, seconds


def word_form_scores(runs: list[Float[np.ndarray, "V D"]], corpus: Corpus) -> dict:
    """Percent of the analogies of word forms, for each run: all by 3CosAdd and by 3CosMul, each section by 3CosAdd."""
    questions = word_form_questions(corpus.vocabulary)
    add = [analogy_scores(vectors, questions) for vectors in runs]
    mul = [analogy_scores(vectors, questions, cos_mul) for vectors in runs]
    return {
        "cos_add": [percent_right(run) for run in add],
        "cos_mul": [percent_right(run) for run in mul],
        "sections": {s: [percent_right(run, s) for run in add] for s, q in questions.items() if len(q)},
        "questions": {section: len(q) for section, q in questions.items()},
    }


def neighbor_lists(
    vectors: Float[np.ndarray, "V D"], corpus: Corpus, words: tuple[str, ...], restrict_vocab: int
) -> dict[str, list[str]]:
    """The six nearest words of each of `words`, among the `restrict_vocab` most frequent."""
    keyed = KeyedVectors(corpus.vocabulary, vectors)
    known = [word for word in words if word in corpus.vocabulary.word_to_id]
    return {word: keyed.most_similar(word, 6, restrict_vocab) for word in known}


# -- the map -----------------------------------------------------------------------------------------------------------


def word_map(
    vectors: Float[np.ndarray, "V D"], corpus: Corpus, seed: int, size: int, skip: int = 60, clusters: int = 45
) -> dict:
    """What the page shows: the most frequent words but the first `skip`, which only hold sentences together.

    They are flattened by t-SNE and by PCA. Clusters are found before, in the full space.
    """
    ids = np.arange(skip, min(skip + size, len(corpus.vocabulary)))
    points = normalize(vectors[ids].astype(np.float64))
    kmeans = KMeans(min(clusters, len(points) // 4), seed=seed, n_init=3).fit(points)
    words = [corpus.vocabulary.words[i] for i in ids]
    near = most_similar(points, np.arange(len(points)), 8)
    return {
        "words": words,
        "maps": {"t-SNE": tsne(points, seed, perplexity=12.0), "PCA": pca(points, 2)[0]},
        "clusters": kmeans.labels_,
        "neighbors": [[words[j] for j in row] for row in near],
        "counts": corpus.vocabulary.counts[ids].tolist(),
    }


def map_of_groups(
    vectors: Float[np.ndarray, "V D"], vocabulary: Vocabulary, heads: tuple[str, ...], restrict_vocab: int, seed: int
) -> dict:
    """What the figure shows: some words and the six nearest of each, flattened together.

    A word that is near two heads belongs to the nearer one.
    """
    heads = tuple(word for word in heads if word in vocabulary.word_to_id)
    head_ids = vocabulary.ids(heads)
    near = most_similar(vectors, head_ids, 6, restrict_vocab)
    ids = np.unique(np.append(near.ravel(), head_ids))
    points = normalize(vectors[ids].astype(np.float64))
    group = (points @ normalize(vectors[head_ids].astype(np.float64)).T).argmax(axis=1)
    return {
        "words": [vocabulary.words[i] for i in ids],
        "heads": list(heads),
        "group": group.tolist(),
        "xy": np.round(tsne(points, seed, perplexity=6.0), 2).tolist(),
    }


# -- the exact result --------------------------------------------------------------------------------------------------


def exact_counts() -> tuple[list[str], Float[np.ndarray, "V V"]]:
    """Sixty frequent words that all meet each other, and how often they do."""
    size = EXACT_DIMENSIONS[-1]
    corpus = Corpus.from_texts(python_docs(), max_words=size + 40)
    counts = cooccurrence(corpus, EXACT_WINDOW).toarray()
    kept = words_that_all_meet(counts, size)
    return [corpus.vocabulary.words[i] for i in kept], np.ascontiguousarray(counts[np.ix_(kept, kept)])


def exact(seed: int, quick: bool, log: Log) -> dict:
    """The correlation of skip-gram's best scores with PMI - log k, for each number of dimensions.

    Truncated SVD gives the best matrix of that rank by squared distance. Its correlation is given, too.
    """
    words, counts = exact_counts()
    want = optimum(counts, EXACT_K)
    frequent = counts >= np.median(counts)
    left, values, right = np.linalg.svd(want)
    rows = []
    for dim in EXACT_DIMENSIONS[-1:] if quick else EXACT_DIMENSIONS:
        word, context = fit(counts, dim, EXACT_K, seed)
        scores = word @ context.T
        row = {
            "dimensions": dim,
            "correlation": correlation(scores, want),
            "svd": correlation((left[:, :dim] * values[:dim]) @ right[:dim], want),
            "largest_deviation": float(np.abs(scores - want)[frequent].max()),
        }
        if dim in (4, EXACT_DIMENSIONS[-1]):
            row["scores"] = np.round(scores[::2, ::2].ravel(), 3).tolist()
        rows.append(row)
        log(f"exact: {dim} dimensions, correlation with PMI - log k {row['correlation']:.6f}")
    return {
        "words": words,
        "negatives": EXACT_K,
        "window": EXACT_WINDOW,
        "rows": rows,
        "optimum": np.round(want[::2, ::2].ravel(), 3).tolist(),
    }


def correlation(a: Float[np.ndarray, "V V"], b: Float[np.ndarray, "V V"]) -> float:
    """Pearson's, over all entries."""
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])
