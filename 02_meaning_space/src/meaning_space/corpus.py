"""From text to numbers: words, a vocabulary, and one long array of word ids.

Dimensions: N words of text, S sentences, V words in the vocabulary.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int

# Marks are letters' accents and vowel signs. Python's \w leaves them out, so that Hindi words would fall apart.
MARKS = "".join(chr(code) for code in range(0x10000) if unicodedata.category(chr(code)) in ("Mn", "Mc"))
LETTERS = rf"(?:[^\W\d_][{MARKS}]*)+"
WORD = re.compile(rf"{LETTERS}(?:'{LETTERS})?")


def tokenize(text: str) -> list[str]:
    """The lower-case words of `text`, in any alphabet. `don't` is one word; digits and punctuation are dropped.

    Raises:
        TypeError: `text` is not a string.
    """
    if not isinstance(text, str):
        raise TypeError(f"text={text!r:.40}: must be a string; decode bytes first, for example with .decode('utf-8')")
    composed = unicodedata.normalize("NFC", text.lower())
    return WORD.findall(composed.replace("’", "'"))


@dataclass(frozen=True)
class Vocabulary:
    """Words by falling frequency (equal ones by the alphabet), and how often each occurred."""

    words: tuple[str, ...]
    counts: Int[np.ndarray, "V"]
    word_to_id: dict[str, int] = field(repr=False)

    @classmethod
    def from_sentences(
        cls, sentences: Iterable[Sequence[str]], min_count: int = 5, max_words: int | None = None
    ) -> "Vocabulary":
        """The words that occur at least `min_count` times, and of those the `max_words` most frequent.

        Raises:
            TypeError: `sentences` holds a string where a list of words is meant.
            ValueError: `min_count` or `max_words` is too small, or fewer than two words remain.
        """
        if min_count < 1:
            raise ValueError(f"min_count={min_count}: must be at least 1; every word of a text occurs once")
        if max_words is not None and max_words < 2:
            raise ValueError(f"max_words={max_words}: must be at least 2; None keeps all words")
        counts = Counter(word for sentence in _lists(sentences, "sentences") for word in sentence)
        frequent = [word for word in counts if counts[word] >= min_count]
        words = sorted(frequent, key=lambda word: (-counts[word], word))[:max_words]
        if len(words) < 2:
            raise ValueError(
                f"min_count={min_count}: leaves {len(words)} of {len(counts)} words, at least two are needed; "
                f"give more text or lower min_count"
            )
        return cls(tuple(words), np.array([counts[word] for word in words]), {w: i for i, w in enumerate(words)})

    def __len__(self) -> int:
        return len(self.words)

    def ids(self, words: Iterable[str]) -> Int[np.ndarray, "..."]:
        """The ids of `words`.

        Raises:
            TypeError: `words` is a single string.
            ValueError: a word is not in the vocabulary.
        """
        words = list(_not_a_string(words, "words"))
        unknown = sorted({word for word in words if word not in self.word_to_id})
        if unknown:
            raise ValueError(
                f"words={unknown}: not among the {len(self)} words of the vocabulary; "
                f"use words that the text holds often enough, in lower case"
            )
        return np.array([self.word_to_id[word] for word in words], dtype=np.int64)


@dataclass(frozen=True)
class Corpus:
    """A text as ids. Sentence s is `ids[starts[s]:starts[s + 1]]`; the last one ends where the ids end."""

    vocabulary: Vocabulary
    ids: Int[np.ndarray, "N"]
    starts: Int[np.ndarray, "S"]

    @classmethod
    def from_sentences(cls, sentences: Iterable[Sequence[str]], vocabulary: Vocabulary) -> "Corpus":
        """Encodes `sentences`. Words outside the vocabulary leave before any window is cut, as in word2vec.

        Raises:
            TypeError: `sentences` holds a string where a list of words is meant.
            ValueError: fewer than two words of the vocabulary are left.
        """
        word_to_id = vocabulary.word_to_id
        known = [[word_to_id[w] for w in words if w in word_to_id] for words in _lists(sentences, "sentences")]
        lengths = np.array([len(sentence) for sentence in known if sentence], dtype=np.int64)
        ids = np.array([i for sentence in known for i in sentence], dtype=np.int64)
        if len(ids) < 2:
            raise ValueError(f"sentences: hold {len(ids)} words of the vocabulary; at least two are needed")
        return cls(vocabulary, ids, np.cumsum(lengths) - lengths)

    @classmethod
    def from_texts(cls, texts: Iterable[str], min_count: int = 5, max_words: int | None = None) -> "Corpus":
        """Tokenizes, counts and encodes. Each text is one sentence: no window reaches from one into the next.

        Raises:
            TypeError: `texts` is a single string, or holds something that is no string.
            ValueError: see `Vocabulary.from_sentences`.
        """
        sentences = [tokenize(text) for text in _not_a_string(texts, "texts")]
        return cls.from_sentences(sentences, Vocabulary.from_sentences(sentences, min_count, max_words))

    def __len__(self) -> int:
        return len(self.ids)

    def sentences(self) -> list[list[str]]:
        """The text again, as words."""
        words = self.vocabulary.words
        return [[words[i] for i in sentence] for sentence in np.split(self.ids, self.starts[1:])]

    def shuffled(self, seed: int) -> "Corpus":
        """The same words, as often as before, in random order."""
        return Corpus(self.vocabulary, np.random.default_rng(seed).permutation(self.ids), self.starts)


def _not_a_string(values: Iterable, name: str) -> Iterable:
    """`values`, or a TypeError for a string: Python would take it for a list of its letters."""
    if isinstance(values, str | bytes):
        raise TypeError(f"{name}={values!r:.40}: a list of strings is needed; a single one goes into brackets")
    return values


def _lists(sentences: Iterable, name: str) -> list[Sequence[str]]:
    """The sentences, each checked to be a list of words."""
    return [_not_a_string(sentence, name) for sentence in _not_a_string(sentences, name)]
