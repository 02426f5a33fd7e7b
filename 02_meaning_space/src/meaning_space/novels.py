"""The same on 27 English novels, beside gensim: neighbours, analogies, similarity as people judge it, a direction."""
import time
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from .corpus import Corpus, Vocabulary
from .experiment import families, word_map
from .judgement import accuracy, agreement, analogy_questions, judged_pairs, percent
from .peer import available, gensim_run
from .probes.words import labelled, probe_words
from .sources import ANALOGIES, SIMLEX, WORDSIM, fetch, texts
from .space import Space, nearest, overlap
from .train import Config, train

ASKED = ("mother", "king", "london", "blue", "horse", "ship", "monday", "church", "laughed", "cold", "money", "violin")
BLOCK = 128     # twice the default: prose repeats itself less than documentation, and longer blocks did better here
HEADS = ("mother", "london", "monday", "horse", "blue", "laughed", "money", "church", "ship", "captain", "hand",
         "winter", "letter", "kitchen", "believe", "twenty")
FAMILY = (("man", "woman", "king"), ("he", "she", "brother"), ("father", "mother", "son"), ("boy", "girl", "nephew"),
          ("good", "better", "bad"), ("walk", "walked", "look"), ("day", "days", "child"))
GENDER = (("he", "she"), ("his", "her"), ("man", "woman"), ("himself", "herself"), ("boy", "girl"), ("men", "women"))
WORK = ("captain", "lawyer", "doctor", "clergyman", "soldier", "servant", "cook", "teacher", "governess", "nurse",
        "dressmaker", "housekeeper")


def novels(seeds: list[int], quick: bool = False, say: Callable[[str], None] = print) -> tuple[dict, dict]:
    """(results, the parts of the interactive map). A minute a seed for each side; `quick` takes a tenth of the text.

    Raises OSError, saying what to fetch from where, if the text or a test set is neither here nor to be had.
    """
    read = texts("novels")
    corpus = Corpus.from_texts(read[:len(read) // 10] if quick else read, min_count=5)
    say(f"{len(corpus):,} words, {len(corpus.vocabulary):,} different ones")
    sides: dict[str, dict] = {}
    kept = {}
    sentences = corpus.sentences()
    for seed in seeds:
        config = Config(epochs=1 if quick else 5, seed=seed, block=BLOCK)
        for side in ("ours", "gensim") if available() else ("ours",):
            vectors, seconds = run(side, corpus, sentences, config)
            kept.setdefault(side, []).append(vectors)
            marks = {**mark(vectors, corpus.vocabulary), "words_per_second": len(corpus) * config.epochs / seconds}
            say(f"{side}, seed {seed}: " + ", ".join(f"{k} {v:,.1f}" for k, v in marks.items()))
            for name, value in marks.items():
                sides.setdefault(side, {}).setdefault(name, []).append(value)
    ours = kept["ours"][0]
    space = Space(corpus.vocabulary, ours)
    page = word_map(ours, corpus, seeds[0], 150 if quick else 700, skip=120, clusters=60)
    results = {
        "text": {"words": len(corpus), "vocabulary": len(corpus.vocabulary), "epochs": config.epochs},
        "sides": sides, "known": known(corpus.vocabulary), "overlap": overlaps(kept),
        "neighbours": {w: space.neighbours(w, 6, among=6000) for w in ASKED if w in corpus.vocabulary.index},
        "analogies": [[*q, space.analogy(*q, 3)] for q in FAMILY if all(w in corpus.vocabulary.index for w in q)],
        "direction": gender(space), "map": families(ours, corpus, HEADS, 4000, seeds[0]),
        "probes": probed(ours, corpus.vocabulary),
    }
    return results, page


def run(side: str, corpus: Corpus, sentences: list[list[str]], config: Config) -> tuple[
        Float[np.ndarray, "V D"], float]:
    """The vectors of one side, and the seconds that training took."""
    if side == "gensim":
        peer = gensim_run(sentences, corpus, config)
        return peer.vectors, peer.seconds
    start = time.perf_counter()
    vectors = train(corpus, config).centres
    return vectors, time.perf_counter() - start


def mark(vectors: Float[np.ndarray, "V D"], vocabulary: Vocabulary) -> dict[str, float]:
    """Percent of analogies right (family; nine sections of grammar), and Spearman x 100 with people's judgements."""
    questions = analogy_questions(fetch(ANALOGIES), vocabulary)
    marks = accuracy(vectors, questions)
    multiplied = accuracy(vectors, questions, multiply=True)
    return {"family": percent(marks, "family"), "grammar": percent(marks, "gram"),
            "family_mul": percent(multiplied, "family"), "grammar_mul": percent(multiplied, "gram"),
            "wordsim353": agreement(vectors, *judged_pairs(fetch(WORDSIM), vocabulary)),
            "simlex999": agreement(vectors, *judged_pairs(fetch(SIMLEX), vocabulary))}


def known(vocabulary: Vocabulary) -> dict[str, int]:
    """How many questions and pairs consist of known words."""
    questions = analogy_questions(fetch(ANALOGIES), vocabulary)
    return {"family": len(questions["family"]), "grammar": sum(len(q) for s, q in questions.items() if s != "family"),
            "wordsim353": len(judged_pairs(fetch(WORDSIM), vocabulary)[1]),
            "simlex999": len(judged_pairs(fetch(SIMLEX), vocabulary)[1])}


def overlaps(kept: dict[str, list[Float[np.ndarray, "V D"]]]) -> dict[str, list[float]]:
    """Shares of common words among the ten nearest of the words of rank 100 to 1100: between sides and seeds."""
    asked = np.arange(100, 1100)
    lists = {side: [nearest(v, asked, 10) for v in runs] for side, runs in kept.items()}
    found = {f"{side}, two seeds": [overlap(a, b) for a, b in zip(runs, runs[1:], strict=False)]
             for side, runs in lists.items()}
    if "gensim" in lists:
        found["ours and gensim"] = [overlap(a, b) for a, b in zip(lists["ours"], lists["gensim"], strict=True)]
    return found


def gender(space: Space) -> list[list]:
    """Occupations along the direction from `he` to `she`: what the novels say, not what is so."""
    words = [w for w in WORK if w in space.vocabulary.index]
    pairs = [p for p in GENDER if all(w in space.vocabulary.index for w in p)]
    return sorted(([w, round(x, 3)] for w, x in zip(words, space.along(pairs, words), strict=True)), key=lambda r: r[1])


def probed(vectors: Float[np.ndarray, "V D"], vocabulary: Vocabulary) -> dict:
    """What small classifiers read off the vectors of words they were not trained on."""
    rows, labels = labelled(vocabulary.words)
    return probe_words(vectors[rows].astype(np.float64), [vocabulary.words[i] for i in rows], labels)
