"""Marking word vectors: analogies with known answers, and similarity as people judged it.

V words, D dimensions, Q questions, P judged pairs.
"""
from collections.abc import Sequence
from itertools import permutations
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from .corpus import Vocabulary
from .space import answers, unit

# Pairs of forms for the text that ships with Python, where the families and capitals of the usual set do not occur.
FORMS = {
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


def forms_questions(vocabulary: Vocabulary) -> dict[str, Int[np.ndarray, "Q 4"]]:
    """Every pair of pairs of `FORMS` as a question, in both orders, if all four words are known."""
    found = {}
    for section, listing in FORMS.items():
        pairs = [pair.split() for pair in listing.split("|")]
        known = [vocabulary.ids(pair) for pair in pairs if all(word in vocabulary.index for word in pair)]
        found[section] = as_questions([np.concatenate(two) for two in permutations(known, 2)])
    return found


def analogy_questions(path: Path, vocabulary: Vocabulary) -> dict[str, Int[np.ndarray, "Q 4"]]:
    """The family section and the nine grammar sections of questions-words.txt, as far as all four words are known.

    The sections on capitals, currencies and states are left out: a text has to name them often to teach them.

    Raises ValueError if a line is neither a section's name nor four words.
    """
    found: dict[str, list[np.ndarray]] = {}
    section = ""
    for number, line in enumerate(path.read_text(encoding="utf-8").lower().splitlines(), 1):
        words = line.split()
        if line.startswith(":"):
            section = line[1:].strip()
        elif len(words) != 4:
            raise ValueError(f"{path.name}, line {number}: {line!r} is not four words: is this questions-words.txt?")
        elif section == "family" or section.startswith("gram"):
            known = [vocabulary.ids(words)] if all(word in vocabulary.index for word in words) else []
            found.setdefault(section, []).extend(known)
    return {section: as_questions(rows) for section, rows in found.items()}


def as_questions(rows: Sequence[Int[np.ndarray, "4"]]) -> Int[np.ndarray, "Q 4"]:
    """The rows as one array, which may be empty."""
    return np.array(rows, dtype=np.int64).reshape(-1, 4)


def accuracy(vectors: Float[np.ndarray, "V D"], questions: dict[str, Int[np.ndarray, "Q 4"]],
             multiply: bool = False) -> dict[str, tuple[int, int]]:
    """For each section, how many of how many questions are answered with exactly the expected word."""
    return {section: (int((answers(vectors, q, multiply) == q[:, 3]).sum()), len(q))
            for section, q in questions.items()}


def percent(marks: dict[str, tuple[int, int]], prefix: str = "") -> float:
    """The share of right answers over all questions of the sections that begin with `prefix`, in percent.

    Raises ValueError if there are no such questions.
    """
    right, asked = (sum(m[i] for s, m in marks.items() if s.startswith(prefix)) for i in (0, 1))
    if not asked:
        raise ValueError(f"prefix={prefix!r} matches no question whose words are all known: {sorted(marks)}")
    return 100 * right / asked


def judged_pairs(path: Path, vocabulary: Vocabulary) -> tuple[Int[np.ndarray, "P 2"], Float[np.ndarray, "P"]]:
    """Pairs of words and the similarity people gave them, of a file of `word word score` lines; known words only.

    Raises ValueError if a line has another form.
    """
    ids, scores = [], []
    for number, line in enumerate(path.read_text(encoding="utf-8").lower().splitlines(), 1):
        parts = line.split()
        if len(parts) != 3:
            raise ValueError(f"{path.name}, line {number}: {line!r} is not two words and a score")
        if parts[0] in vocabulary.index and parts[1] in vocabulary.index:
            ids.append(vocabulary.ids(parts[:2]))
            scores.append(float(parts[2]))
    return np.array(ids, dtype=np.int64).reshape(-1, 2), np.array(scores)


def ranks(x: Float[np.ndarray, "P"]) -> Float[np.ndarray, "P"]:
    """1 for the smallest; equal values share the mean of their places."""
    values, place, count = np.unique(x, return_inverse=True, return_counts=True)
    return (np.cumsum(count) - (count - 1) / 2)[place]


def spearman(x: Float[np.ndarray, "P"], y: Float[np.ndarray, "P"]) -> float:
    """The correlation of the ranks of x and y, -1 to 1.

    Raises ValueError if there are fewer than three pairs.
    """
    if len(x) < 3 or len(x) != len(y):
        raise ValueError(f"x has {len(x)} values, y {len(y)}: at least three pairs are needed")
    return float(np.corrcoef(ranks(x), ranks(y))[0, 1])


def agreement(vectors: Float[np.ndarray, "V D"], pairs: Int[np.ndarray, "P 2"],
              scores: Float[np.ndarray, "P"]) -> float:
    """Spearman correlation, times 100, of the cosines with people's scores."""
    x = unit(vectors)
    return 100 * spearman(np.einsum("pd,pd->p", x[pairs[:, 0]], x[pairs[:, 1]]).astype(np.float64), scores)
