"""Asking questions of word vectors: neighbours, analogies, directions.

V words, D dimensions. Every measure here is of angles: vectors are divided by their length first.
"""
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from .corpus import Vocabulary


def unit(vectors: Float[np.ndarray, "*B D"]) -> Float[np.ndarray, "*B D"]:
    """The vectors at length one. Raises ValueError if one of them is zero: it has no direction."""
    length = np.linalg.norm(vectors, axis=-1, keepdims=True)
    if not length.all():
        raise ValueError(f"vectors hold {int((length == 0).sum())} of length 0: a word that was never trained on?")
    return vectors / length


def analogy(vectors: Float[np.ndarray, "V D"], a: int, b: int, c: int, n: int = 1) -> Int[np.ndarray, "n"]:
    """The n words that best complete "a is to b as c is to ...", best first: 3CosAdd.

    The words with the greatest cosine to b - a + c, all at length one (Mikolov, Yih & Zweig 2013). The three words
    of the question are not answers: c, or b, is nearly always the nearest word to that point.

    Raises ValueError if there are fewer than n words besides the three, or one of the three is not a word.
    """
    asked = sorted({a, b, c})
    if not 0 <= asked[0] <= asked[-1] < len(vectors):
        raise ValueError(f"a={a}, b={b}, c={c} must be ids of words, 0 to {len(vectors) - 1}")
    if not 1 <= n <= len(vectors) - len(asked):
        raise ValueError(f"n={n} must be between 1 and the {len(vectors) - len(asked)} words that are not asked about")
    x = unit(vectors)
    score = x @ (x[b] - x[a] + x[c])
    score[asked] = -np.inf
    return np.argsort(-score, kind="stable")[:n]


def analogy_mul(vectors: Float[np.ndarray, "V D"], a: int, b: int, c: int, n: int = 1,
                epsilon: float = 1e-3) -> Int[np.ndarray, "n"]:
    """The same by 3CosMul: cos(d, b) cos(d, c) / (cos(d, a) + epsilon), cosines moved to 0..1.

    A product lets no single large term decide, as a sum does (Levy & Goldberg 2014a, section 6).
    """
    x = unit(vectors)
    to_a, to_b, to_c = ((x @ x[[a, b, c]].T + 1) / 2).T
    score = to_b * to_c / (to_a + epsilon)
    score[[a, b, c]] = -np.inf
    return np.argsort(-score, kind="stable")[:n]


def answers(vectors: Float[np.ndarray, "V D"], questions: Int[np.ndarray, "Q 4"], multiply: bool = False,
            chunk: int = 256) -> Int[np.ndarray, "Q"]:
    """The best answer to each question (a, b, c, anything), by 3CosAdd or 3CosMul, many questions at a time."""
    x = unit(vectors)
    found = []
    for start in range(0, len(questions), chunk):
        a, b, c = questions[start:start + chunk, :3].T
        if multiply:
            to_a, to_b, to_c = ((x[i] @ x.T + 1) / 2 for i in (a, b, c))
            score = to_b * to_c / (to_a + 1e-3)
        else:
            score = (x[b] - x[a] + x[c]) @ x.T
        for asked in (a, b, c):
            score[np.arange(len(a)), asked] = -np.inf
        found.append(score.argmax(axis=1))
    return np.concatenate(found) if found else np.zeros(0, dtype=np.int64)


def nearest(vectors: Float[np.ndarray, "V D"], queries: Int[np.ndarray, "Q"], n: int,
            among: int | None = None) -> Int[np.ndarray, "Q n"]:
    """The n words nearest to each query by cosine, nearest first, without itself; `among` the most frequent words."""
    x = unit(vectors)
    score = x[queries] @ x[:among].T
    inside = queries < score.shape[1]
    score[np.flatnonzero(inside), queries[inside]] = -np.inf
    return np.argsort(-score, axis=1, kind="stable")[:, :n]


def overlap(one: Int[np.ndarray, "Q n"], other: Int[np.ndarray, "Q n"]) -> float:
    """The mean share of neighbours that two lists of nearest words have in common."""
    return float(np.mean([len(np.intersect1d(a, b)) / one.shape[1] for a, b in zip(one, other, strict=True)]))


def direction(vectors: Float[np.ndarray, "V D"], pairs: Int[np.ndarray, "P 2"]) -> Float[np.ndarray, "D"]:
    """The unit vector that leads from the first to the second words of the pairs, on average.

    Bolukbasi et al. 2016 take the first principal component of the differences; with pairs that are all put the same
    way round, their mean is the same idea with a sign.
    """
    x = unit(vectors)
    return unit((x[pairs[:, 1]] - x[pairs[:, 0]]).mean(axis=0))


@dataclass(frozen=True)
class Space:
    """Words with their vectors, to be asked by name."""
    vocabulary: Vocabulary
    vectors: Float[np.ndarray, "V D"]

    def neighbours(self, word: str, n: int = 10, among: int | None = None) -> list[str]:
        """The n nearest words. Raises ValueError if `word` is unknown."""
        row = nearest(self.vectors, self.vocabulary.ids([word]), n, among)[0]
        return [self.vocabulary.words[i] for i in row]

    def analogy(self, a: str, b: str, c: str, n: int = 1) -> list[str]:
        """`a` is to `b` as `c` is to these words. Raises ValueError if one of the three is unknown."""
        return [self.vocabulary.words[i] for i in analogy(self.vectors, *self.vocabulary.ids([a, b, c]).tolist(), n)]

    def along(self, pairs: Sequence[tuple[str, str]], words: Sequence[str]) -> list[float]:
        """The cosine of each of `words` with the direction that leads from the pairs' first words to their second."""
        ids = np.stack([self.vocabulary.ids(pair) for pair in pairs])
        return (unit(self.vectors[self.vocabulary.ids(words)]) @ direction(self.vectors, ids)).tolist()
