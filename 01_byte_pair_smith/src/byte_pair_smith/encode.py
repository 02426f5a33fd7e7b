"""From text to ids and back: the plain form.

Encoding repeats the training on one pre-token. The id of a merged token is its rank: a lower rank was learned earlier.
So of all pairs present, merge the one with the lowest rank, and repeat until no two neighbours make a token. The
longest match from the left is another algorithm (WordPiece's) and gives other ids.

`encode_fast.py` has two fast forms of the merging, and `tokenizer.py` the tokenizer for daily use.
"""

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise
from typing import SupportsIndex

from .checks import whole_numbers
from .pretokenize import GPT2, pretokenize


def encode(text: str, ranks: Mapping[bytes, int], pattern: str = GPT2) -> list[int]:
    """The ids of `text`. `ranks` maps the bytes of each token to its id, single bytes included.

    A pre-token that is a token as a whole is that token. All others are merged by rank. For a trained vocabulary this
    changes nothing; Llama 3's has tokens that merging does not reach (tiktoken does the same).

    Raises:
        TypeError: `text` is not a str.
        ValueError: `text` holds a lone surrogate.
    """
    ids = []
    for pre_token in pretokenize(text, pattern):
        data = pre_token.encode()
        tokens = [data] if data in ranks else list(merge_by_rank(data, ranks))[-1]
        ids += [ranks[token] for token in tokens]
    return ids


def merge_by_rank(data: bytes, ranks: Mapping[bytes, int]) -> Iterator[list[bytes]]:
    """The tokens of one pre-token after each merge. The first are single bytes, the last cannot be merged further."""
    tokens = [bytes([b]) for b in data]
    yield tokens
    while True:
        pair_ranks = [ranks.get(a + b, math.inf) for a, b in pairwise(tokens)]
        lowest = min(pair_ranks, default=math.inf)
        if lowest == math.inf:
            return
        i = pair_ranks.index(lowest)  # the leftmost of equals
        tokens = [*tokens[:i], tokens[i] + tokens[i + 1], *tokens[i + 2 :]]
        yield tokens


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
