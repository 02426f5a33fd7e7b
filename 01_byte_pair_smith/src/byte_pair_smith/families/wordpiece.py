"""WordPiece: encode by the longest match (Schuster & Nakajima 2012; BERT).

From the left, take the longest piece of the vocabulary that the rest of the word begins with. "##" marks a piece that
continues a word. Neither merges nor scores are needed, only the set of pieces. Where nothing matches, the *whole word*
is <unk>, even if only its last character is unknown.

BERT takes a word that itself begins with "##" for a continuation, and loses the mark. Here such a word begins with the
piece "#", or with "##" where the vocabulary has it.
"""

from dataclasses import dataclass
from functools import cached_property

from ..pretokenize import GPT2
from .family import UNK, Family, Token, check_vocab, count_pre_tokens
from .wordpiece_train import CONTINUES, Score
from .wordpiece_train_fast import learn_pieces_fast


@dataclass(frozen=True)
class WordPiece(Family):
    """A tokenizer over a WordPiece vocabulary, such as BERT's. Ids are positions in `pieces`.

    Words of more than `max_chars` characters are <unk>, as in BERT: the cost of the longest match grows with the square
    of the length.

    Raises:
        ValueError: `pieces` is empty, holds a piece twice or lacks `unk`.
    """

    pieces: tuple[str, ...]
    unk: str = UNK
    max_chars: int = 100
    pattern: str = GPT2

    def __post_init__(self):
        check_vocab(self.pieces)
        if self.unk not in self.pieces:
            raise ValueError(f"unk={self.unk!r}: it is not among the pieces; name the piece for an unknown word")

    @cached_property
    def ids(self) -> dict[str, int]:
        """{piece: id}."""
        return {piece: i for i, piece in enumerate(self.pieces)}

    @cached_property
    def vocab(self) -> tuple[bytes, ...]:
        return tuple((piece.removeprefix(CONTINUES) or piece).encode() for piece in self.pieces)

    @cached_property
    def unk_id(self) -> int:
        return self.ids[self.unk]

    @classmethod
    def train(
        cls, text: str, vocab_size: int, score: Score = "likelihood", min_count: int = 2, pattern: str = GPT2
    ) -> "WordPiece":
        """Learn a vocabulary from a text.

        Raises:
            ValueError: as for `learn_pieces`, or `text` is empty.
        """
        pieces = learn_pieces_fast(count_pre_tokens(text, pattern), vocab_size, score, min_count)
        return cls(tuple(pieces), pattern=pattern)

    def tokenize_word(self, word: str) -> list[Token]:
        """The longest match, left to right. The whole word is <unk> if some place has no match."""
        unknown = [Token(self.unk_id, word.encode())]
        if len(word) > self.max_chars:
            return unknown
        tokens = []
        start = 0
        while start < len(word):
            end = self.longest_match(word, start)
            if end is None:
                return unknown
            piece = (CONTINUES if start else "") + word[start:end]
            tokens.append(Token(self.ids[piece], word[start:end].encode()))
            start = end
        return tokens

    def longest_match(self, word: str, start: int) -> int | None:
        """Where the longest piece that begins at `start` ends. None if there is none."""
        prefix = CONTINUES if start else ""
        longest = 2 if not start and word.startswith(CONTINUES) else len(word)
        for end in range(longest, start, -1):
            if prefix + word[start:end] in self.ids:
                return end
        return None
