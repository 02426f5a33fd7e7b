"""WordPiece: encode by the longest match (Schuster & Nakajima 2012; BERT).

From the left, take the longest piece of the vocabulary that the rest of the word begins with; "##" marks a piece that
continues a word. No merges and no scores are needed, only the set of pieces. If nothing matches, the *whole word* is
<unk>, also where only its last character is strange. BERT mistakes a word that itself begins with "##" for a
continuation, and loses the mark; here such a word begins with the piece "#" (or "##", where there is one).

How the pieces are learned stands in `wordpiece_training.py`.
"""

from dataclasses import dataclass, field

from ..pretokenize import GPT2
from .family import UNK, Family, Token, check_vocab, count_words
from .wordpiece_training import CONTINUES, Score, learn_pieces


@dataclass(frozen=True)
class WordPiece(Family):
    """A tokenizer over a WordPiece vocabulary, such as BERT's: ids are positions in `pieces`.

    Words of more than `max_chars` characters are <unk>, as in BERT, whose cost of the longest match grows with the
    square of the length.
    Raises:
        ValueError: `pieces` is empty, holds a piece twice or lacks `unk`.
    """

    pieces: tuple[str, ...]
    unk: str = UNK
    max_chars: int = 100
    pattern: str = GPT2
    vocab: tuple[bytes, ...] = field(init=False, repr=False)
    unk_id: int = field(init=False)
    _ids: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self):
        check_vocab(self.pieces)
        if self.unk not in self.pieces:
            raise ValueError(f"pieces lacks unk={self.unk!r}: name the piece that stands for an unknown word")
        object.__setattr__(self, "_ids", {piece: i for i, piece in enumerate(self.pieces)})
        object.__setattr__(self, "vocab", tuple(self._text(piece).encode() for piece in self.pieces))
        object.__setattr__(self, "unk_id", self._ids[self.unk])

    @staticmethod
    def _text(piece: str) -> str:
        return piece.removeprefix(CONTINUES) or piece

    @classmethod
    def train(
        cls, text: str, vocab_size: int, score: Score = "likelihood", min_count: int = 2, pattern: str = GPT2
    ) -> "WordPiece":
        """Learn a vocabulary from a text (`learn_pieces`). Raises ValueError as it does, and for an empty text."""
        pieces = learn_pieces(count_words(text, pattern), vocab_size, score, min_count)
        return cls(tuple(pieces), pattern=pattern)

    def cut(self, word: str) -> list[Token]:
        """Greedy longest match, left to right; the whole word is <unk> if some place has no match."""
        unknown = [Token(self.unk_id, word.encode())]
        if len(word) > self.max_chars:
            return unknown
        tokens, start = [], 0
        while start < len(word):
            mark = CONTINUES if start else ""
            longest = 2 if word.startswith(CONTINUES, start) and not start else len(word)
            matches = (end for end in range(longest, start, -1) if mark + word[start:end] in self._ids)
            end = next(matches, None)
            if end is None:
                return unknown
            tokens.append(Token(self._ids[mark + word[start:end]], word[start:end].encode()))
            start = end
        return tokens
