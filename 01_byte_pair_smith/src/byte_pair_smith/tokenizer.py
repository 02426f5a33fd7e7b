"""The tokenizer for daily use: a vocabulary, a cache of pre-tokens, special tokens, offsets.

Its speed comes from Zipf's law. A megabyte of English has a quarter of a million pre-tokens, but only some 15,000
different ones. So nearly every pre-token is one look-up in a dict that fills itself. What remains is the regular
expression that splits the text.
"""

import sys
from collections.abc import Collection, Iterable
from typing import SupportsIndex

from .checks import check_text, whole_numbers
from .encode import join_tokens
from .encode_fast import merge_long, merge_short
from .pretokenize_fast import pretokenize_fast
from .special import encode_with_special
from .vocabulary import Vocabulary

LONG = 256  # bytes; from about here on, `merge_long` is the faster of the two
CACHED = 64  # characters; longer pre-tokens hardly ever come back
UTF32 = f"utf-32-{sys.byteorder[0]}e"


class PreTokenCache(dict):
    """{pre-token: its ids as a str of characters}. An entry is made when it is first asked for.

    At `limit` entries the cache is emptied. Strings rather than lists: they are joined in C, and the garbage collector
    does not visit them.
    """

    def __init__(self, vocabulary: Vocabulary, limit: int):
        super().__init__()
        self.ranks = vocabulary.ranks
        self.pair_ids = vocabulary.pair_ids
        self.missing = set(vocabulary.missing_bytes)
        self.table = bytes(self.ranks.get(bytes([b]), 0) for b in range(256))
        self.limit = limit

    def __missing__(self, pre_token: str) -> str:
        ids = self.merge(pre_token.encode("utf-8", "surrogateescape"))
        if len(pre_token) <= CACHED:
            if len(self) >= self.limit:
                self.clear()
            self[pre_token] = ids
        return ids

    def merge(self, data: bytes) -> str:
        """The ids of one pre-token."""
        if data in self.ranks:
            return chr(self.ranks[data])
        if not self.missing.isdisjoint(data):
            absent = bytes(b for b in data if b in self.missing)
            raise ValueError(f"text={data!r}: this vocabulary has no token for the bytes {absent!r}; replace them")
        word = data.translate(self.table).decode("latin-1")
        return merge_short(word, self.pair_ids) if len(data) < LONG else merge_long(word, self.pair_ids)


class Tokenizer:
    """Encodes and decodes with one vocabulary. `cache_limit` is the number of pre-tokens that are remembered."""

    def __init__(self, vocabulary: Vocabulary, cache_limit: int = 1 << 18):
        if cache_limit < 1:
            raise ValueError(f"cache_limit={cache_limit}: it must be at least 1; leave it out for the default")
        self.vocabulary = vocabulary
        self.cache = PreTokenCache(vocabulary, cache_limit)

    def encode_ordinary(self, text: str) -> list[int]:
        """The ids of `text`. A special token in it is ordinary text.

        Raises:
            TypeError: `text` is not a str.
            ValueError: `text` holds a lone surrogate, or a byte that the vocabulary lacks.
        """
        check_text(text)
        return self._ids(text)

    def encode(
        self, text: str, allowed_special: Collection[str] = (), disallowed_special: Collection[str] = "all"
    ) -> list[int]:
        """The ids of `text`. The two sets are those of `encode_with_special`.

        Raises:
            TypeError, ValueError: as for `encode_ordinary` and `encode_with_special`.
        """
        check_text(text)
        special_tokens = self.vocabulary.special_tokens
        return encode_with_special(text, self.encode_ordinary, special_tokens, allowed_special, disallowed_special)

    def encode_bytes(self, data: bytes) -> list[int]:
        """The ids of any bytes. `decode_bytes` gives the bytes back, also where they are not UTF-8.

        Bytes that are not UTF-8 pass through the split as lone surrogates (PEP 383).
        """
        return self._ids(data.decode("utf-8", "surrogateescape"))

    def decode(self, ids: Iterable[SupportsIndex], errors: str = "replace") -> str:
        """The text of `ids`, as the function `decode` gives it."""
        return self.decode_bytes(ids).decode("utf-8", errors)

    def decode_bytes(self, ids: Iterable[SupportsIndex]) -> bytes:
        """The bytes of `ids`, joined. Raises as the function `decode` does."""
        return join_tokens(ids, self.vocabulary.token_bytes)

    def offsets(self, ids: Iterable[SupportsIndex]) -> list[tuple[int, int]]:
        """For each token the characters of the text that it touches, as (start, end).

        Two tokens that share a character both contain it.

        Raises:
            ValueError: the bytes of the ids are not UTF-8, so there are no characters to count.
        """
        tokens = [self.decode_bytes([i]) for i in whole_numbers(ids)]
        b"".join(tokens).decode()
        before = 0  # characters that start before the token
        spans = []
        for token in tokens:
            starts = sum(b & 0xC0 != 0x80 for b in token)  # 10xxxxxx continues a character
            continues = bool(token) and token[0] & 0xC0 == 0x80
            spans.append((before - continues, before + starts))
            before += starts
        return spans

    def _ids(self, text: str) -> list[int]:
        pre_tokens = pretokenize_fast(text, self.vocabulary.pattern)
        return code_points("".join(map(self.cache.__getitem__, pre_tokens)))


def code_points(ids: str) -> list[int]:
    """The code points of a str. By way of UTF-32 it is faster than `ord` for each."""
    return memoryview(ids.encode(UTF32, "surrogatepass")).cast("I").tolist()
