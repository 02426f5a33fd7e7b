"""The embedding matrix of a real language model as a space of words, next to skip-gram's on the same words.

SmolLM2-135M reads and writes with one matrix: 49,152 tokens, 576 numbers each. Tokens that are whole words are compared
with the vectors that this project learns from 27 novels. Dimensions: V words, D embedding dimensions.
"""

import argparse
import re
from pathlib import Path

import numpy as np
from jaxtyping import Float

from ..corpus import Vocabulary
from ..space import most_similar, normalize
from ..train import Config, train
from .cli import seeds_of
from .corpora import load_corpus
from .evaluation import analogy_scores, percent_right, read_analogies, read_similarities, similarity_score
from .experiment import Log, map_of_groups
from .fetch import fetch, model
from .novels import ANALOGIES, BLOCK_SIZE, SIMLEX, WORDSIM, check_files

WORD = re.compile(r"Ġ[a-z]{2,}")  # Ġ stands for the space before a word
QUERIES = ("mother", "king", "london", "blue", "horse", "monday", "three", "walked", "money", "because")
MAP_WORDS = ("mother", "horse", "blue", "winter", "money", "church", "hand", "captain", "letter", "kitchen", "twenty",
             "believe", "laughed", "ship", "doctor", "garden")  # fmt: skip
PAIRS = 100_000


def smollm2(options: argparse.Namespace, log: Log) -> dict:
    """Neighbors, analogies, similarity and the mean cosine, before and after the mean is subtracted. Two minutes.

    Raises:
        OSError: the model, the novels or a test set is not on this machine.
        ValueError: the library `gguf` is missing.
    """
    check_files()
    words, matrix = read_words(model("smollm2", log))
    log(f"{len(words):,} tokens are words of lower-case letters, with {matrix.shape[1]} numbers each")
    seeds = seeds_of(options)
    corpus = load_corpus("novels", share=0.1 if options.quick else 1.0)
    common = [word for word in corpus.vocabulary.words if word in words]  # by falling frequency in the novels
    vocabulary = Vocabulary(tuple(common), corpus.vocabulary.counts[corpus.vocabulary.ids(common)],
                            {word: i for i, word in enumerate(common)})  # fmt: skip
    real = matrix[[words[word] for word in common]]
    log(f"{len(common):,} of them occur in the novels")
    centered = real - real.mean(axis=0)
    spaces = {"SmolLM2": [real], "SmolLM2, mean subtracted": [centered], "skip-gram": [],
              "skip-gram, mean subtracted": []}  # fmt: skip
    config = Config(epochs=1 if options.quick else 5, block_size=BLOCK_SIZE, threads=options.threads)
    rows = corpus.vocabulary.ids(common)
    for seed in seeds:
        log(f"training skip-gram on the novels, seed {seed}")
        ours = train(corpus, Config(**{**config.__dict__, "seed": seed})).centers[rows]
        spaces["skip-gram"].append(ours)
        spaces["skip-gram, mean subtracted"].append(ours - ours.mean(axis=0))
    return {
        "seeds": seeds,
        "tokens": len(words),
        "common": len(common),
        "dimensions": {"SmolLM2": real.shape[1], "skip-gram": config.embedding_dim},
        "questions": questions(vocabulary),
        "spaces": {name: [scores(v, vocabulary, seeds[0]) for v in runs] for name, runs in spaces.items()},
        "neighbors": {name: neighbors(spaces[name][0], vocabulary) for name in ("SmolLM2", "skip-gram")},
        "map": map_of_groups(centered, vocabulary, MAP_WORDS, len(common), seeds[0]),
    }


def read_words(path: Path) -> tuple[dict[str, int], Float[np.ndarray, "V D"]]:
    """({word: row}, the matrix), for the tokens of a GGUF file that are a space and lower-case letters.

    Raises:
        ValueError: the library `gguf` is missing.
    """
    try:
        from gguf import GGUFReader, dequantize
    except ImportError:
        raise ValueError('gguf is not installed: python -m pip install -e ".[real]"') from None
    reader = GGUFReader(path)
    tokens = reader.fields["tokenizer.ggml.tokens"].contents()
    tensor = next(tensor for tensor in reader.tensors if tensor.name == "token_embd.weight")
    matrix = dequantize(tensor.data, tensor.tensor_type)
    rows = [i for i, token in enumerate(tokens) if WORD.fullmatch(token)]
    return {tokens[i][1:]: n for n, i in enumerate(rows)}, np.asarray(matrix[rows], dtype=np.float32)


def questions(vocabulary: Vocabulary) -> dict[str, int]:
    """How many questions and pairs consist of these words."""
    asked = read_analogies(fetch(ANALOGIES), vocabulary)
    return {
        "family": len(asked["family"]),
        "grammar": sum(len(q) for section, q in asked.items() if section != "family"),
        "wordsim353": len(read_similarities(fetch(WORDSIM), vocabulary)[1]),
        "simlex999": len(read_similarities(fetch(SIMLEX), vocabulary)[1]),
    }


def scores(vectors: Float[np.ndarray, "V D"], vocabulary: Vocabulary, seed: int) -> dict[str, float | list]:
    """The four scores of a space, the mean cosine of random pairs, and how the cosines are spread."""
    right = analogy_scores(vectors, read_analogies(fetch(ANALOGIES), vocabulary))
    cosines = random_cosines(vectors, seed)
    counts, _ = np.histogram(cosines, np.linspace(-0.5, 1, 76))
    return {
        "family": percent_right(right, "family"),
        "grammar": percent_right(right, "gram"),
        "wordsim353": similarity_score(vectors, *read_similarities(fetch(WORDSIM), vocabulary)),
        "simlex999": similarity_score(vectors, *read_similarities(fetch(SIMLEX), vocabulary)),
        "mean_cosine": float(cosines.mean()),
        "spread": float(cosines.std()),
        "histogram": (counts / len(cosines)).round(5).tolist(),
    }


def random_cosines(vectors: Float[np.ndarray, "V D"], seed: int, pairs: int = PAIRS) -> Float[np.ndarray, "pairs"]:
    """The cosines of random pairs of different words. Their mean is the anisotropy of Ethayarajh (2019)."""
    rng = np.random.default_rng(seed)
    first = rng.integers(len(vectors), size=pairs)
    second = (first + rng.integers(1, len(vectors), size=pairs)) % len(vectors)
    x = normalize(vectors)
    return np.einsum("pd,pd->p", x[first], x[second]).astype(np.float64)


def neighbors(vectors: Float[np.ndarray, "V D"], vocabulary: Vocabulary) -> dict[str, list[str]]:
    """The six nearest words of each query that is a word here."""
    known = [word for word in QUERIES if word in vocabulary.word_to_id]
    near = most_similar(vectors, vocabulary.ids(known), 6)
    return {word: [vocabulary.words[i] for i in row] for word, row in zip(known, near, strict=True)}
