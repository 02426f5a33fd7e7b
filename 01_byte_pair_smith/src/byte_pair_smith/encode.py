"""From text to ids and back: the plain form.

Encoding repeats the training on one pre-token. The id of a merged token is its rank: a lower rank was learned earlier.
So of all pairs present, merge the one with the lowest rank, and repeat until no two neighbours make a token. The
longest match from the left is another algorithm (WordPiece's) and gives other ids.

`encode_fast.py` has two fast forms of the merging, and `tokenizer.py` the tokenizer for daily use.
"""

import math
from collections.abc import Iterable, Mapping
from itertools import pairwise
from operator import index
from typing import SupportsIndex

from .pretokenize import GPT2, check_text, pretokenize


def encode(text: str, ranks: Mapping[bytes, int], pattern: str = GPT2) -> list[int]:
    """The ids of `text`. `ranks` maps the bytes of each token to its id.

    A pre-token that is a token as a whole is that token. All others are merged by rank. For a trained vocabulary this
    changes nothing; Llama 3's has tokens that merging does not reach (tiktoken does the same).

    Raises:
        TypeError: `text` is not a str.
        ValueError: `text` holds a lone surrogate, or a byte without an id.
    """
    check_text(text)
    ids = []
    for pre_token in pretokenize(text, pattern):
        data = pre_token.encode()
        tokens = [data] if data in ranks else merge_by_rank([bytes([b]) for b in data], ranks)
        for token in tokens:
            if token not in ranks:
                raise ValueError(f"text={pre_token!r}: its byte {token!r} has no id in ranks; replace the character")
            ids.append(ranks[token])
    return ids


def merge_by_rank(tokens: list[bytes], ranks: Mapping[bytes, int], at_least: int = 1) -> list[bytes]:
    """Merge neighbours, the lowest rank first, until nothing can be merged or `at_least` tokens are left."""
    while len(tokens) > at_least:
        pair_ranks = [ranks.get(a + b, math.inf) for a, b in pairwise(tokens)]
        lowest = min(pair_ranks)
        if lowest == math.inf:
            break
        i = pair_ranks.index(lowest)  # the leftmost of equals
        tokens = [*tokens[:i], tokens[i] + tokens[i + 1], *tokens[i + 2 :]]
    return tokens


def decode(ids: Iterable[SupportsIndex], tokens: Mapping[int, bytes], errors: str = "replace") -> str:
    """The text of `ids`. `tokens` maps each id to its bytes.

    The bytes are joined before they are read as UTF-8, because a character may be spread over several tokens. `errors`
    is that of `bytes.decode`. A model can emit ids whose bytes are not UTF-8: "replace" shows U+FFFD there, "strict"
    raises.

    Raises:
        TypeError: `ids` is not a sequence of whole numbers.
        ValueError: an id is no token, or the bytes are not UTF-8 and `errors` is "strict".
    """
    return join_tokens(ids, tokens).decode("utf-8", errors)


def join_tokens(ids: Iterable[SupportsIndex], tokens: Mapping[int, bytes]) -> bytes:
    """The bytes of `ids`, joined. Raises as `decode` does."""
    parts = []
    for i in whole_numbers(ids):
        if i not in tokens:
            raise ValueError(f"id={i}: no token of this vocabulary of {len(tokens)}; is it the model's own tokenizer?")
        parts.append(tokens[i])
    return b"".join(parts)


def whole_numbers(ids: Iterable[SupportsIndex]) -> list[int]:
    """`ids` as a list of int. NumPy's and PyTorch's integers are taken too.

    Raises:
        TypeError: `ids` is not a sequence of whole numbers.
    """
    try:
        return [index(i) for i in ids]
    except TypeError:
        raise TypeError(f"ids={ids!r:.60}: it must be a sequence of whole numbers; decode one row of a batch") from None
