"""The headline experiment: the text that ships with Python, its words' neighbours, map, and exact optimum.

Each function returns plain numbers and words; plots.py and tables.py show them.
"""
import time
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from .corpus import Corpus
from .counts import cooccurrence, fit, optimum, ppmi, word_vectors
from .counts.exact import meeting
from .judgement import accuracy, forms_questions, percent
from .maps import pca, tsne
from .probes.kmeans import KMeans
from .sources import texts
from .space import Space, nearest, unit
from .train import Config, Trained, train

ASKED = ("month", "read", "error", "socket", "directory", "thread", "encoding", "exception", "integer", "dictionary",
         "http", "returns")
FAMILIES = ("month", "socket", "directory", "thread", "encoding", "exception", "integer", "dictionary", "http", "class",
            "pattern", "command", "read", "character", "element", "test")
MIN_COUNT = 10
DIMENSIONS = (1, 2, 4, 8, 16, 24, 32, 40, 48, 56, 60)     # of the exact fit; the last is the number of its words
EXACT_WORDS, EXACT_NEGATIVES, EXACT_WINDOW = 60, 5, 10


def offline_corpus() -> Corpus:
    """The text of every run without `--data`."""
    return Corpus.from_texts(texts("offline"), MIN_COUNT)


def headline(seed: int, quick: bool = False, say: Callable[[str], None] = print) -> tuple[dict, dict]:
    """(results, the parts of the interactive map). About two minutes on one core; `quick` takes seconds."""
    say("reading the topics of the language reference and the docstrings of the standard library")
    corpus = offline_corpus()
    say(f"{len(corpus):,} words, {len(corpus.vocabulary):,} different ones that occur at least {MIN_COUNT} times")
    seeds = [seed] if quick else [seed, seed + 1, seed + 2]
    epochs = 2 if quick else 20
    models, marks = {}, {}
    for model in ("skip-gram", "cbow"):
        # The mean of a window moves each of its vectors less than a pair does: CBOW takes twice the rate (word2vec.c).
        config = Config(epochs=epochs, model=model, rate=0.025 if model == "skip-gram" else 0.05)
        runs = [trained(corpus, config, s, say) for s in seeds]
        models[model] = runs[0][0]
        marks[model] = mark([run.centres for run, _ in runs], corpus)
        marks[model]["seconds"] = [seconds for _, seconds in runs]
    say("counting pairs, and factorising their PPMI")
    counted = [word_vectors(ppmi(cooccurrence(corpus, 5), power=0.75), 100, s) for s in seeds]
    marks["ppmi + svd"] = mark(counted, corpus)
    vectors = models["skip-gram"].centres
    say("flattening")
    page = word_map(vectors, corpus, seed, 150 if quick else 500)
    results = {
        "text": {"words": len(corpus), "vocabulary": len(corpus.vocabulary), "min_count": MIN_COUNT, "epochs": epochs},
        "neighbours": neighbours(vectors, corpus), "marks": marks,
        "losses": models["skip-gram"].losses[::4], "map": families(vectors, corpus, FAMILIES, 1000, seed),
        "exact": exact(seed, quick, say),
    }
    return results, page


def trained(corpus: Corpus, config: Config, seed: int, say: Callable[[str], None]) -> tuple[Trained, float]:
    """One training run with another seed, and the seconds it took."""
    config = Config(**{**vars(config), "seed": seed})
    start = time.perf_counter()
    run = train(corpus, config)
    seconds = time.perf_counter() - start
    say(f"{config.model}, seed {seed}: {config.epochs} epochs in {seconds:.1f} s, "
        f"{len(corpus) * config.epochs / seconds:,.0f} words/s, loss {run.losses[0][1]:.2f} to {run.losses[-1][1]:.2f}")
    return run, seconds


def mark(runs: list[Float[np.ndarray, "V D"]], corpus: Corpus) -> dict:
    """Analogies of word forms, in percent: each section by 3CosAdd, all of them by 3CosAdd and 3CosMul; by run."""
    questions = forms_questions(corpus.vocabulary)
    add = [accuracy(vectors, questions) for vectors in runs]
    multiply = [accuracy(vectors, questions, multiply=True) for vectors in runs]
    return {"add": [percent(m) for m in add], "mul": [percent(m) for m in multiply],
            "sections": {s: [100 * m[s][0] / m[s][1] for m in add] for s in questions if len(questions[s])},
            "questions": {s: len(q) for s, q in questions.items()}}


def neighbours(vectors: Float[np.ndarray, "V D"], corpus: Corpus) -> dict[str, list[str]]:
    """The six nearest words of each word asked about, among the thousand most frequent."""
    space = Space(corpus.vocabulary, vectors)
    return {word: space.neighbours(word, 6, among=1000) for word in ASKED if word in corpus.vocabulary.index}


# -- the map -----------------------------------------------------------------------------------------------------------

def word_map(vectors: Float[np.ndarray, "V D"], corpus: Corpus, seed: int, size: int, skip: int = 60,
             clusters: int = 45) -> dict:
    """What the page shows: the most frequent words but the first `skip`, which only hold sentences together.

    Flattened in two ways, and in clusters that were found in the full space.
    """
    chosen = np.arange(skip, min(skip + size, len(corpus.vocabulary)))
    points = unit(vectors[chosen].astype(np.float64))
    found = KMeans(min(clusters, len(points) // 4), seed=seed, n_init=3).fit(points)
    words = [corpus.vocabulary.words[i] for i in chosen]
    near = np.argsort(-(points @ points.T), axis=1, kind="stable")[:, 1:9]
    return {"words": words, "maps": {"t-SNE": tsne(points, seed, perplexity=12.0), "PCA": pca(points, 2)[0]},
            "clusters": found.labels_, "neighbours": [[words[j] for j in row] for row in near],
            "counts": corpus.vocabulary.counts[chosen].tolist()}


def families(vectors: Float[np.ndarray, "V D"], corpus: Corpus, heads: tuple[str, ...], among: int, seed: int) -> dict:
    """What the figure shows: some words, the six nearest of each among the most frequent, all flattened together.

    A word that is near two heads goes to the one it is nearer to.
    """
    heads = tuple(w for w in heads if w in corpus.vocabulary.index)
    ids = corpus.vocabulary.ids(heads)
    chosen = np.unique(np.append(nearest(vectors, ids, 6, among).ravel(), ids))
    points = unit(vectors[chosen].astype(np.float64))
    family = (points @ unit(vectors[ids].astype(np.float64)).T).argmax(axis=1)
    return {"words": [corpus.vocabulary.words[i] for i in chosen], "heads": list(heads), "family": family.tolist(),
            "xy": np.round(tsne(points, seed, perplexity=6.0), 2).tolist()}


# -- the exact result --------------------------------------------------------------------------------------------------

def exact_counts() -> tuple[list[str], Float[np.ndarray, "V V"]]:
    """Sixty frequent words of the offline text that all meet each other, and how often they do."""
    small = Corpus.from_texts(texts("offline"), max_words=EXACT_WORDS + 40)
    counts = cooccurrence(small, EXACT_WINDOW).toarray()
    kept = meeting(counts, EXACT_WORDS)
    return [small.vocabulary.words[i] for i in kept], np.ascontiguousarray(counts[np.ix_(kept, kept)])


def exact(seed: int, quick: bool, say: Callable[[str], None]) -> dict:
    """The correlation of skip-gram's best scores with PMI - log k, for each number of dimensions.

    Beside it that of the best low-rank approximation of the same matrix in the plain sense, its truncated SVD.
    """
    words, counts = exact_counts()
    want = optimum(counts, EXACT_NEGATIVES)
    often = counts >= np.median(counts)
    left, values, right = np.linalg.svd(want)
    rows = []
    for d in DIMENSIONS[-1:] if quick else DIMENSIONS:
        word, context = fit(counts, d, EXACT_NEGATIVES, seed)
        scores = word @ context.T
        rows.append({"dimensions": d, "correlation": correlation(scores, want),
                     "svd": correlation((left[:, :d] * values[:d]) @ right[:d], want),
                     "largest_deviation": float(np.abs(scores - want)[often].max())})
        say(f"exact: {d:2d} dimensions, correlation with PMI - log k {rows[-1]['correlation']:.6f}")
        if d in (4, DIMENSIONS[-1]):
            rows[-1]["scores"] = np.round(scores[::2, ::2].ravel(), 3).tolist()
    return {"words": words, "negatives": EXACT_NEGATIVES, "window": EXACT_WINDOW, "rows": rows,
            "optimum": np.round(want[::2, ::2].ravel(), 3).tolist()}


def correlation(a: Float[np.ndarray, "V V"], b: Float[np.ndarray, "V V"]) -> float:
    """Pearson's, over all entries."""
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])
