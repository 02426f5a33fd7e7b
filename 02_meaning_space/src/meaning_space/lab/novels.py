"""The same on 27 English novels, next to gensim: neighbors, analogies, similarity as people judge it, a direction."""

import argparse
import time
from dataclasses import replace

import numpy as np
from jaxtyping import Float

from ..corpus import Corpus, Vocabulary
from ..probes.probing import labeled_rows, probe_words
from ..space import KeyedVectors, cos_mul, most_similar
from ..train import Config, train
from .cli import seeds_of
from .corpora import load_corpus
from .evaluation import (
    analogy_scores,
    neighbor_overlap,
    percent_right,
    read_analogies,
    read_similarities,
    similarity_score,
)
from .experiment import Log, map_of_groups, neighbor_lists, word_map
from .fetch import NOVELS, REMOTES, absent, fetch, is_local
from .gensim_peer import available, train_gensim
from .page import write_page

ANALOGIES, WORDSIM, SIMLEX = REMOTES["analogies"], REMOTES["wordsim"], REMOTES["simlex"]
# Twice the default: prose repeats itself less than documentation, and longer blocks did better on it.
BLOCK_SIZE = 128
QUERIES = (
    "mother", "king", "london", "blue", "horse", "ship", "monday", "church", "laughed", "cold", "money", "violin",
)  # fmt: skip
MAP_WORDS = (
    "mother", "london", "monday", "horse", "blue", "laughed", "money", "church", "ship", "captain", "hand", "winter",
    "letter", "kitchen", "believe", "twenty",
)  # fmt: skip
EXAMPLES = (
    ("man", "woman", "king"),
    ("he", "she", "brother"),
    ("father", "mother", "son"),
    ("boy", "girl", "nephew"),
    ("good", "better", "bad"),
    ("walk", "walked", "look"),
    ("day", "days", "child"),
)
GENDER = (("he", "she"), ("his", "her"), ("man", "woman"), ("himself", "herself"), ("boy", "girl"), ("men", "women"))
OCCUPATIONS = (
    "captain", "lawyer", "doctor", "clergyman", "soldier", "servant", "cook", "teacher", "governess", "nurse",
    "dressmaker", "housekeeper",
)  # fmt: skip


def novels(options: argparse.Namespace, log: Log) -> dict:
    """Trains both sides on the novels and scores them: a minute a seed for each. Quick: a tenth of the text.

    Raises:
        OSError: the text or a test set is not on this machine. The message names all that are missing.
    """
    check_files()
    seeds = seeds_of(options)
    corpus = load_corpus("novels", share=0.1 if options.quick else 1.0)
    vocabulary = corpus.vocabulary
    log(f"{len(corpus):,} words, {len(vocabulary):,} different ones")
    config = Config(epochs=1 if options.quick else 5, block_size=BLOCK_SIZE, threads=options.threads)
    vectors, scores = train_sides(corpus, config, seeds, log)
    ours = vectors["ours"][0]
    keyed = KeyedVectors(vocabulary, ours)
    page = word_map(ours, corpus, seeds[0], 150 if options.quick else 700, skip=120, clusters=60)
    write_page(options.out / "novels_map.html", "The words of 27 English novels", **page)
    examples = [question for question in EXAMPLES if all(word in vocabulary.word_to_id for word in question)]
    return {
        "seeds": seeds,
        "text": {"words": len(corpus), "vocabulary": len(vocabulary), "epochs": config.epochs},
        "sides": scores,
        "questions": n_questions(vocabulary),
        "overlap": overlaps(vectors),
        "neighbors": neighbor_lists(ours, corpus, QUERIES, restrict_vocab=6000),
        "analogies": [[*question, keyed.analogy(*question, topn=3)] for question in examples],
        "direction": gender_direction(keyed),
        "map": map_of_groups(ours, vocabulary, MAP_WORDS, 4000, seeds[0]),
        "probes": probe_classes(ours, vocabulary),
    }


def check_files() -> None:
    """Raises OSError if a file is neither on this machine nor has a direct download. All of them are named."""
    missing = [r for r in (NOVELS, ANALOGIES, WORDSIM, SIMLEX) if r.page and not is_local(r)]
    if missing:
        raise OSError("; ".join(absent(remote, "it has no direct download") for remote in missing))


def train_sides(
    corpus: Corpus, config: Config, seeds: list[int], log: Log
) -> tuple[dict[str, list[Float[np.ndarray, "V D"]]], dict[str, dict[str, list[float]]]]:
    """The vectors of each side for each seed, and their scores."""
    sentences = corpus.sentences()
    vectors: dict[str, list] = {}
    scores: dict[str, dict[str, list[float]]] = {}
    for seed in seeds:
        for side in ("ours", "gensim") if available() else ("ours",):
            trained, seconds = train_side(side, corpus, sentences, replace(config, seed=seed))
            vectors.setdefault(side, []).append(trained)
            run = novel_scores(trained, corpus.vocabulary)
            run["words_per_second"] = len(corpus) * config.epochs / seconds
            for name, value in run.items():
                scores.setdefault(side, {}).setdefault(name, []).append(value)
            log(f"{side}, seed {seed}: " + ", ".join(f"{name} {value:,.1f}" for name, value in run.items()))
    return vectors, scores


def train_side(
    side: str, corpus: Corpus, sentences: list[list[str]], config: Config
) -> tuple[Float[np.ndarray, "V D"], float]:
    """The vectors of one side, and the seconds that training took."""
    if side == "gensim":
        peer = train_gensim(sentences, corpus, config)
        return peer.vectors, peer.seconds
    start = time.perf_counter()
    vectors = train(corpus, config).centers
    return vectors, time.perf_counter() - start


def novel_scores(vectors: Float[np.ndarray, "V D"], vocabulary: Vocabulary) -> dict[str, float]:
    """Percent of analogies right (family; nine sections of grammar), and Spearman x 100 with people's judgments."""
    questions = read_analogies(fetch(ANALOGIES), vocabulary)
    add, mul = analogy_scores(vectors, questions), analogy_scores(vectors, questions, cos_mul)
    return {
        "family": percent_right(add, "family"),
        "grammar": percent_right(add, "gram"),
        "family_cos_mul": percent_right(mul, "family"),
        "grammar_cos_mul": percent_right(mul, "gram"),
        "wordsim353": similarity_score(vectors, *read_similarities(fetch(WORDSIM), vocabulary)),
        "simlex999": similarity_score(vectors, *read_similarities(fetch(SIMLEX), vocabulary)),
    }


def n_questions(vocabulary: Vocabulary) -> dict[str, int]:
    """How many questions and pairs consist of known words."""
    questions = read_analogies(fetch(ANALOGIES), vocabulary)
    return {
        "family": len(questions["family"]),
        "grammar": sum(len(q) for section, q in questions.items() if section != "family"),
        "wordsim353": len(read_similarities(fetch(WORDSIM), vocabulary)[1]),
        "simlex999": len(read_similarities(fetch(SIMLEX), vocabulary)[1]),
    }


def overlaps(vectors: dict[str, list[Float[np.ndarray, "V D"]]]) -> dict[str, list[float]]:
    """Shares of common words among the ten nearest of the words of rank 100 to 1100: between seeds, between sides."""
    queries = np.arange(100, 1100)
    near = {side: [most_similar(run, queries, 10) for run in runs] for side, runs in vectors.items()}
    shares = {}
    for side, runs in near.items():
        shares[f"{side}, two seeds"] = [neighbor_overlap(a, b) for a, b in zip(runs, runs[1:], strict=False)]
    if "gensim" in near:
        both = zip(near["ours"], near["gensim"], strict=True)
        shares["ours and gensim"] = [neighbor_overlap(a, b) for a, b in both]
    return shares


def gender_direction(keyed: KeyedVectors) -> list[list]:
    """Occupations along the direction from `he` to `she`: what these novels say, which need not be so."""
    known = keyed.vocabulary.word_to_id
    words = [word for word in OCCUPATIONS if word in known]
    cosines = keyed.project(words, [pair for pair in GENDER if all(word in known for word in pair)])
    rows = [[word, round(cosine, 3)] for word, cosine in zip(words, cosines, strict=True)]
    return sorted(rows, key=lambda row: row[1])


def probe_classes(vectors: Float[np.ndarray, "V D"], vocabulary: Vocabulary) -> dict:
    """What small classifiers read off the vectors of words that they were not trained on."""
    rows, labels = labeled_rows(vocabulary.words)
    return probe_words(vectors[rows].astype(np.float64), [vocabulary.words[i] for i in rows], labels)
