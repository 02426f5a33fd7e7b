"""From text to numbers: words, a vocabulary, and one long array of ids with its sentence starts.

N tokens, S sentences, V words in the vocabulary.
"""
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int

WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")


def tokenise(text: str) -> list[str]:
    """Lower-case words of the Latin alphabet; `don't` is one word, digits and punctuation are dropped."""
    return WORD.findall(text.lower().replace("’", "'"))


@dataclass(frozen=True)
class Vocabulary:
    """Words by falling frequency (ties by the alphabet), and how often each occurred."""
    words: tuple[str, ...]
    counts: Int[np.ndarray, "V"]
    index: dict[str, int] = field(repr=False)

    @classmethod
    def of(cls, sentences: Iterable[Sequence[str]], min_count: int = 5, max_words: int | None = None) -> "Vocabulary":
        """The words that occur at least `min_count` times, and of those the `max_words` most frequent.

        Raises ValueError if fewer than two words remain: nothing can be contrasted with nothing.
        """
        tally = Counter(word for sentence in sentences for word in sentence)
        words = sorted((w for w in tally if tally[w] >= min_count), key=lambda w: (-tally[w], w))[:max_words]
        if len(words) < 2:
            raise ValueError(f"min_count={min_count}, max_words={max_words} leave {len(words)} of {len(tally)} words; "
                             f"at least two are needed: give more text or ask for less")
        return cls(tuple(words), np.array([tally[w] for w in words]), {w: i for i, w in enumerate(words)})

    def __len__(self) -> int:
        return len(self.words)

    def ids(self, words: Iterable[str]) -> Int[np.ndarray, "..."]:
        """The ids of `words`. Raises ValueError, naming them, if some are not in the vocabulary."""
        words = list(words)
        if missing := sorted({w for w in words if w not in self.index}):
            raise ValueError(f"words={missing} are not among the {len(self)} of the vocabulary: "
                             f"they are too rare in the corpus, or spelt with capitals")
        return np.array([self.index[w] for w in words], dtype=np.int64)


@dataclass(frozen=True)
class Corpus:
    """A text as ids: sentence s is `ids[starts[s]:starts[s + 1]]`, and the last ends where the ids end."""
    vocabulary: Vocabulary
    ids: Int[np.ndarray, "N"]
    starts: Int[np.ndarray, "S"]

    @classmethod
    def of(cls, sentences: Sequence[Sequence[str]], vocabulary: Vocabulary) -> "Corpus":
        """Encodes `sentences`. Words outside the vocabulary leave before any window is cut, as in word2vec."""
        known = [[vocabulary.index[w] for w in sentence if w in vocabulary.index] for sentence in sentences]
        lengths = np.array([len(sentence) for sentence in known if sentence], dtype=np.int64)
        ids = np.fromiter((i for sentence in known for i in sentence), dtype=np.int64, count=int(lengths.sum()))
        if len(ids) < 2:
            raise ValueError(f"sentences hold {len(ids)} words of the vocabulary; at least two are needed")
        return cls(vocabulary, ids, np.cumsum(lengths) - lengths)

    @classmethod
    def from_texts(cls, texts: Iterable[str], min_count: int = 5, max_words: int | None = None) -> "Corpus":
        """Tokenises, counts and encodes; each text is a sentence of its own, which no window leaves."""
        sentences = [tokenise(text) for text in texts]
        return cls.of(sentences, Vocabulary.of(sentences, min_count, max_words))

    def __len__(self) -> int:
        return len(self.ids)

    def sentences(self) -> list[list[str]]:
        """The text again, as words."""
        words = self.vocabulary.words
        return [[words[i] for i in sentence] for sentence in np.split(self.ids, self.starts[1:])]

    def shuffled(self, seed: int) -> "Corpus":
        """The same words in the same numbers, in an order that means nothing."""
        return Corpus(self.vocabulary, np.random.default_rng(seed).permutation(self.ids), self.starts)
