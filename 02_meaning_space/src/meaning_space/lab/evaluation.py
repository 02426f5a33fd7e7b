"""Scores of word vectors: analogies with known answers, and similarity as people judge it.

Dimensions: V words, D embedding dimensions, Q questions, P pairs of words.
"""

from collections.abc import Sequence
from itertools import permutations
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from ..corpus import Vocabulary
from ..space import cos_add, normalize

# Pairs of word forms for Python's documentation, in which the usual questions (families, capitals) do not occur.
WORD_FORMS = {
    "noun, plural": "argument arguments|attribute attributes|byte bytes|character characters|class classes|"
    "element elements|error errors|exception exceptions|file files|function functions|item items|"
    "key keys|line lines|method methods|module modules|name names|object objects|option options|"
    "parameter parameters|string strings|type types|value values|variable variables|header headers",
    "verb, -s": "add adds|call calls|contain contains|create creates|define defines|raise raises|read reads|"
    "remove removes|represent represents|return returns|set sets|specify specifies|support supports|"
    "take takes|use uses|write writes|provide provides|make makes|allow allows|convert converts",
    "verb, -ed": "add added|call called|create created|define defined|raise raised|remove removed|"
    "return returned|specify specified|support supported|use used|convert converted|"
    "allow allowed|execute executed|open opened|change changed|close closed|parse parsed|store stored",
    "verb, -ing": "add adding|call calling|contain containing|create creating|read reading|return returning|"
    "use using|write writing|parse parsing|match matching|run running|start starting|"
    "open opening|handle handling|indicate indicating|represent representing|specify specifying",
}
Questions = dict[str, Int[np.ndarray, "Q 4"]]


def word_form_questions(vocabulary: Vocabulary) -> Questions:
    """Every two pairs of `WORD_FORMS` as a question, in both orders, if all four words are known."""
    sections = {}
    for section, listing in WORD_FORMS.items():
        pairs = [pair.split() for pair in listing.split("|")]
        known = [vocabulary.ids(pair) for pair in pairs if all(word in vocabulary.word_to_id for word in pair)]
        sections[section] = _as_array([np.concatenate(two) for two in permutations(known, 2)], 4)
    return sections


def read_analogies(path: Path, vocabulary: Vocabulary) -> Questions:
    """The family section and the nine grammar sections of questions-words.txt, as far as all four words are known.

    Capitals, currencies and states are left out: only a text that names them often can teach them.

    Raises:
        ValueError: a line is neither a section's name nor four words.
    """
    sections: dict[str, list[np.ndarray]] = {}
    section = ""
    for number, line in enumerate(path.read_text(encoding="utf-8").lower().splitlines(), 1):
        words = line.split()
        if line.startswith(":"):
            section = line[1:].strip()
        elif len(words) != 4:
            raise ValueError(f"{path.name}, line {number}: {line!r} is not four words; give questions-words.txt")
        elif section == "family" or section.startswith("gram"):
            known = [vocabulary.ids(words)] if all(word in vocabulary.word_to_id for word in words) else []
            sections.setdefault(section, []).extend(known)
    return {section: _as_array(rows, 4) for section, rows in sections.items()}


def _as_array(rows: Sequence[Int[np.ndarray, "n"]], columns: int) -> Int[np.ndarray, "rows n"]:
    """The rows as one array, which may be empty."""
    return np.array(rows, dtype=np.int64).reshape(-1, columns)


def answer(
    vectors: Float[np.ndarray, "V D"], questions: Int[np.ndarray, "Q 4"], scores=cos_add, chunk: int = 256
) -> Int[np.ndarray, "Q"]:
    """The best answer to each question (a, b, c, expected), many questions at a time. `scores`: cos_add or cos_mul."""
    x = normalize(vectors)
    answers = [np.zeros(0, dtype=np.int64)]
    for start in range(0, len(questions), chunk):
        a, b, c = questions[start : start + chunk, :3].T
        score = scores(x, a, b, c)  # chunk V
        for asked in (a, b, c):
            score[np.arange(len(a)), asked] = -np.inf
        answers.append(score.argmax(axis=1))
    return np.concatenate(answers)


def analogy_scores(
    vectors: Float[np.ndarray, "V D"], questions: Questions, scores=cos_add
) -> dict[str, tuple[int, int]]:
    """(right, asked) for each section. An answer is right if it is exactly the expected word."""
    return {section: (int((answer(vectors, q, scores) == q[:, 3]).sum()), len(q)) for section, q in questions.items()}


def percent_right(sections: dict[str, tuple[int, int]], prefix: str = "") -> float:
    """The percentage of right answers over all sections that begin with `prefix`.

    Raises:
        ValueError: these sections hold no question.
    """
    chosen = [counts for section, counts in sections.items() if section.startswith(prefix)]
    asked = sum(total for _, total in chosen)
    if not asked:
        raise ValueError(f"prefix={prefix!r}: the sections {sorted(sections)} hold no such question with known words")
    return 100 * sum(right for right, _ in chosen) / asked


def read_similarities(path: Path, vocabulary: Vocabulary) -> tuple[Int[np.ndarray, "P 2"], Float[np.ndarray, "P"]]:
    """Pairs of known words and the similarity that people gave them, from lines of `word word score`.

    Raises:
        ValueError: a line has another form.
    """
    pairs, scores = [], []
    for number, line in enumerate(path.read_text(encoding="utf-8").lower().splitlines(), 1):
        try:
            first, second, score = line.split()
            similarity = float(score)
        except ValueError:
            raise ValueError(f"{path.name}, line {number}: {line!r} is not two words and a number") from None
        if first in vocabulary.word_to_id and second in vocabulary.word_to_id:
            pairs.append(vocabulary.ids([first, second]))
            scores.append(similarity)
    return _as_array(pairs, 2), np.array(scores)


def ranks(x: Float[np.ndarray, "P"]) -> Float[np.ndarray, "P"]:
    """1 for the smallest value. Equal values share the mean of their ranks."""
    _, index, count = np.unique(x, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[index]


def spearman(x: Float[np.ndarray, "P"], y: Float[np.ndarray, "P"]) -> float:
    """Spearman's correlation: Pearson's, of the ranks.

    Raises:
        ValueError: there are fewer than three values, x and y differ in length, or one of them is constant.
    """
    if len(x) < 3 or len(x) != len(y):
        raise ValueError(f"x={len(x)} values, y={len(y)}: must be equally many, at least three")
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        raise ValueError(f"x={x[0]}, y={y[0]}: must not be constant; ranks need different values")
    return float(np.corrcoef(ranks(x), ranks(y))[0, 1])


def similarity_score(
    vectors: Float[np.ndarray, "V D"], pairs: Int[np.ndarray, "P 2"], scores: Float[np.ndarray, "P"]
) -> float:
    """Spearman's correlation of the cosines with people's scores, times 100."""
    x = normalize(vectors)
    cosines = np.einsum("pd,pd->p", x[pairs[:, 0]], x[pairs[:, 1]]).astype(np.float64)
    return 100 * spearman(cosines, scores)


def neighbor_overlap(one: Int[np.ndarray, "Q n"], other: Int[np.ndarray, "Q n"]) -> float:
    """The mean share of neighbors that two lists of nearest words have in common."""
    shares = [len(np.intersect1d(a, b)) / one.shape[1] for a, b in zip(one, other, strict=True)]
    return float(np.mean(shares))
