"""Questions to word vectors: neighbors, analogies, directions.

Dimensions: V words, D embedding dimensions, Q queries, P pairs of words, n answers. Every measure here is an angle:
vectors are divided by their length first.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from .corpus import Vocabulary


def normalize(vectors: Float[np.ndarray, "V D"]) -> Float[np.ndarray, "V D"]:
    """The vectors at length one. Their largest numbers are divided out first: their squares could leave the range.

    Raises:
        ValueError: a vector is zero, NaN or infinite: it has no direction.
    """
    largest = np.abs(vectors).max(axis=1, keepdims=True)
    if not 0 < largest.min() <= largest.max() < np.inf:
        raise ValueError(f"vectors={largest.min()}..{largest.max()}: must be finite and not zero; leave others out")
    scaled = vectors / largest
    return scaled / np.linalg.norm(scaled, axis=1, keepdims=True)


def analogy(vectors: Float[np.ndarray, "V D"], a: int, b: int, c: int, topn: int = 1) -> Int[np.ndarray, "n"]:
    """The `topn` words that best complete "a is to b as c is to ...", best first.

    3CosAdd: the words with the greatest cosine to b - a + c, all at length one (Mikolov, Yih & Zweig 2013). The three
    words of the question are left out: b or c is nearly always nearest to that point.

    Raises:
        ValueError: `a`, `b` or `c` is no word, fewer than `topn` words are left, or a vector has no direction.
    """
    if not all(0 <= word < len(vectors) for word in (a, b, c)):
        raise ValueError(f"a={a}, b={b}, c={c}: must be ids of words, 0 to {len(vectors) - 1}")
    left = len(vectors) - len({a, b, c})
    if not 1 <= topn <= left:
        raise ValueError(f"topn={topn}: must be between 1 and {left}, the number of words that are not in the question")
    x = normalize(vectors)
    scores = cos_add(x, a, b, c)
    scores[[a, b, c]] = -np.inf
    return np.argsort(-scores)[:topn]


def cos_add(x: Float[np.ndarray, "V D"], a, b, c) -> Float[np.ndarray, "*Q V"]:
    """3CosAdd of every word, for ids or arrays of ids. `x` has length one. The length of b - a + c changes no order."""
    return (x[b] - x[a] + x[c]) @ x.T


def cos_mul(x: Float[np.ndarray, "V D"], a, b, c, epsilon: float = 1e-3) -> Float[np.ndarray, "*Q V"]:
    """3CosMul (Levy & Goldberg 2014a, eq. 4): cos(d, b) cos(d, c) / cos(d, a), with cosines moved to 0..1."""
    to_a, to_b, to_c = ((x[word] @ x.T + 1) / 2 for word in (a, b, c))
    return to_b * to_c / (to_a + epsilon)


def most_similar(
    vectors: Float[np.ndarray, "V D"], queries: Int[np.ndarray, "Q"], topn: int, restrict_vocab: int | None = None
) -> Int[np.ndarray, "Q n"]:
    """The `topn` words nearest to each query by cosine, nearest first, without the query itself.

    `restrict_vocab` looks among that many words only, the most frequent ones.

    Raises:
        ValueError: a query is no word, or fewer than `topn` words are left.
    """
    if len(queries) and not 0 <= queries.min() <= queries.max() < len(vectors):
        raise ValueError(f"queries={queries.min()}..{queries.max()}: must be ids of words, 0 to {len(vectors) - 1}")
    x = normalize(vectors)
    candidates = x[:restrict_vocab]
    if not 1 <= topn < len(candidates):
        raise ValueError(f"topn={topn}: must be between 1 and {len(candidates) - 1}, the number of other words")
    scores = x[queries] @ candidates.T
    rows = np.flatnonzero(queries < len(candidates))
    scores[rows, queries[rows]] = -np.inf
    return np.argsort(-scores, axis=1, kind="stable")[:, :topn]


def direction(vectors: Float[np.ndarray, "V D"], pairs: Int[np.ndarray, "P 2"]) -> Float[np.ndarray, "D"]:
    """The unit vector from the first to the second words of the pairs, on average.

    Bolukbasi et al. 2016 take the first principal component of the differences. With all pairs in the same order,
    their mean is the same idea with a sign.
    """
    x = normalize(vectors)
    step = (x[pairs[:, 1]] - x[pairs[:, 0]]).mean(axis=0)
    return step / np.linalg.norm(step)


@dataclass(frozen=True)
class KeyedVectors:
    """Words with their vectors. Methods are named after gensim's class of this name."""

    vocabulary: Vocabulary
    vectors: Float[np.ndarray, "V D"]

    def most_similar(self, word: str, topn: int = 10, restrict_vocab: int | None = None) -> list[str]:
        """The nearest words. Raises ValueError if `word` is unknown."""
        ids = most_similar(self.vectors, self.vocabulary.ids([word]), topn, restrict_vocab)[0]
        return [self.vocabulary.words[i] for i in ids]

    def analogy(self, a: str, b: str, c: str, topn: int = 1) -> list[str]:
        """The words that complete "a is to b as c is to ...". Raises ValueError if one of the three is unknown."""
        ids = analogy(self.vectors, *self.vocabulary.ids([a, b, c]).tolist(), topn)
        return [self.vocabulary.words[i] for i in ids]

    def project(self, words: Sequence[str], pairs: Iterable[tuple[str, str]]) -> list[float]:
        """The cosine of each word with the direction of the pairs. Raises ValueError if a word is unknown."""
        ids = np.stack([self.vocabulary.ids(pair) for pair in pairs])
        return (normalize(self.vectors[self.vocabulary.ids(words)]) @ direction(self.vectors, ids)).tolist()

    def save_word2vec_format(self, path: Path | str) -> None:
        """Writes word2vec's text format, which gensim reads: "V D", then a line for each word, most frequent first."""
        lines = [f"{len(self.vectors)} {self.vectors.shape[1]}"]
        for word, vector in zip(self.vocabulary.words, self.vectors, strict=True):
            lines.append(f"{word} {' '.join(f'{x:.9g}' for x in vector)}")  # nine digits keep every float32
        Path(path).write_text("\n".join(lines) + "\n", encoding="utf-8")
