"""The tokenizer one uses: a vocabulary, a cache of words, special tokens, offsets.

Speed comes from Zipf's law, not from cleverness: a megabyte of English has a quarter of a million pieces but some
15,000 different ones, so nearly every piece is one look-up in a dict that is filled as it is used. What remains is the
regular expression that cuts the text, and that is the wall.
"""
import sys
from collections.abc import Collection, Iterable

from .encode import join_tokens, merge_long_word, merge_short_word
from .pretokenize import pretokenize_fast
from .special import encode_with_special
from .train import id_of_byte
from .vocabulary import Vocabulary

LONG = 256                  # bytes; from about here on the heap is the faster of the two ways to merge a word
CACHED = 64                 # characters; longer pieces hardly ever come back
UTF32 = f"utf-32-{sys.byteorder[0]}e"


class WordCache(dict):
    """{piece: its ids as a string of characters}, each made when first asked for; emptied at `limit` pieces.

    Strings rather than lists: they join in C, and the garbage collector need not walk them.
    """

    def __init__(self, vocabulary: Vocabulary, limit: int):
        super().__init__()
        self.ranks, self.pairs = vocabulary.ranks, vocabulary.pairs
        self.table = id_of_byte(vocabulary.alphabet)
        self.limit = limit

    def __missing__(self, piece: str) -> str:
        data = piece.encode("utf-8", "surrogateescape")
        if (whole := self.ranks.get(data)) is not None:         # a piece that is a token needs no merging
            word = chr(whole)
        else:
            merge = merge_short_word if len(data) < LONG else merge_long_word
            word = merge(data.translate(self.table).decode("latin-1"), self.pairs)
        if len(piece) <= CACHED:
            if len(self) >= self.limit:
                self.clear()
            self[piece] = word
        return word


def ids_of(word: str) -> list[int]:
    """The code points of a string, by way of UTF-32, which is faster than `ord` for each."""
    return memoryview(word.encode(UTF32, "surrogatepass")).cast("I").tolist()


class Tokenizer:
    """Encodes and decodes with one vocabulary. `cache_limit` bounds how many pieces are remembered."""

    def __init__(self, vocabulary: Vocabulary, cache_limit: int = 1 << 18):
        if cache_limit < 1:
            raise ValueError(f"cache_limit={cache_limit} must be at least 1")
        self.vocabulary = vocabulary
        self.words = WordCache(vocabulary, cache_limit)

    def encode_ordinary(self, text: str) -> list[int]:
        """The ids of `text`, in which special tokens are text like any other.

        Raises:
            ValueError: the text holds half of a surrogate pair, which UTF-8 cannot write.
        """
        try:
            text.encode()
        except UnicodeEncodeError as e:
            raise ValueError(f"text holds a lone surrogate at character {e.start}, which UTF-8 cannot write: "
                             f"replace it, or encode the bytes it came from with encode_bytes") from None
        return self._ids(text)

    def encode(self, text: str, allowed: Collection[str] = (), disallowed: Collection[str] | None = None) -> list[int]:
        """The ids of `text`; see `encode_with_special` for the two sets."""
        return encode_with_special(text, self.encode_ordinary, self.vocabulary.special, allowed, disallowed)

    def encode_bytes(self, data: bytes) -> list[int]:
        """The ids of any bytes at all: those of their text where they are UTF-8, and something that decodes back
        to them where they are not. (The stray bytes travel through the split as lone surrogates, PEP 383.)
        """
        return self._ids(data.decode("utf-8", "surrogateescape"))

    def decode(self, ids: Iterable[int], errors: str = "replace") -> str:
        """The text of `ids`; see `encode.decode`."""
        return self.decode_bytes(ids).decode("utf-8", errors)

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """The bytes of `ids`, end to end."""
        return join_tokens(ids, self.vocabulary.bytes_of)

    def offsets(self, ids: Iterable[int]) -> list[tuple[int, int]]:
        """For each token, the characters of the text it touches, as (start, end).

        Tokens that share a character, because it was split, both name it.

        Raises:
            ValueError: the bytes of the ids are not UTF-8, so there are no characters to count.
        """
        pieces = [self.decode_bytes([i]) for i in ids]
        b"".join(pieces).decode()
        starts_before, spans = 0, []
        for piece in pieces:
            starts = sum(b & 0xC0 != 0x80 for b in piece)       # 10xxxxxx continues a character, all else starts one
            continues = bool(piece) and piece[0] & 0xC0 == 0x80
            spans.append((starts_before - continues, starts_before + starts))
            starts_before += starts
        return spans

    def _ids(self, text: str) -> list[int]:
        pieces = pretokenize_fast(text, self.vocabulary.pattern)
        return ids_of("".join(map(self.words.__getitem__, pieces)))
