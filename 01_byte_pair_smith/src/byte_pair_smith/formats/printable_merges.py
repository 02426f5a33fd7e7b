"""From tokens and merges in printable characters to a vocabulary: what tokenizer.json and GGUF have in common.

Both files list ids and merges separately. Hugging Face merges by the order of the list, this project by id. The two
agree exactly if the list follows the ids and names the merge of every token. Both are checked here.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from ..vocabulary import Vocabulary
from .bytes_to_unicode import from_unicode, to_unicode
from .files import name_file


def build_vocabulary(
    path: str | Path,
    ids: Mapping[str, int],
    merges: Sequence[tuple[str, str]],
    special_tokens: Mapping[str, int],
    pattern: str,
    ignore_merges: bool = False,
) -> Vocabulary:
    """The vocabulary of the ordinary tokens `ids` and of the special tokens.

    `ignore_merges` is Hugging Face's: a pre-token that is a token is that token, whether merges reach it or not.

    Raises:
        ValueError: ids are not whole numbers, merges are out of order or missing, or as for `Vocabulary`.
    """
    check_order(path, ids, merges)
    tokens = [""] * (max(ids.values(), default=-1) + 1)
    for token, i in ids.items():
        if tokens[i]:
            raise ValueError(f"{path}: {token!r}: {tokens[i]!r} has the same id {i}; an id must belong to one token")
        tokens[i] = token
    decoded = name_file(path, lambda: tuple(from_unicode(token) for token in tokens))
    missing = bytes(b for b in range(256) if bytes([b]) not in set(decoded))
    vocabulary = name_file(path, lambda: Vocabulary(decoded, pattern, dict(special_tokens), missing))
    check_complete(path, vocabulary, set(merges), ignore_merges)
    return vocabulary


def check_order(path: str | Path, ids: Mapping[str, int], merges: Sequence[tuple[str, str]]) -> None:
    """Raise ValueError unless the merges join tokens, make tokens, and stand in the order of the ids they make."""
    for token, i in ids.items():
        if type(i) is not int or i < 0:
            raise ValueError(f"{path}: {token!r}: id {i!r}: an id must be a whole number of at least 0; correct it")
    last = -1
    for k, (a, b) in enumerate(merges):
        absent = [token for token in (a, b, a + b) if token not in ids]
        if absent:
            raise ValueError(
                f"{path}: merge {k} joins {a!r} and {b!r}: {absent[0]!r} has no id; the vocabulary is damaged"
            )
        if ids[a + b] < last:
            raise ValueError(
                f"{path}: merge {k} makes {a + b!r} with id {ids[a + b]}, after id {last}: merges out of order; "
                f"ids must follow the merges"
            )
        last = ids[a + b]


def check_complete(path: str | Path, vocabulary: Vocabulary, merges: set[tuple[str, str]], ignore_merges: bool) -> None:
    """Raise ValueError unless the merge of every token is in the list."""
    for i, (a, b) in vocabulary.parents.items():
        pair = (to_unicode(vocabulary.tokens[a]), to_unicode(vocabulary.tokens[b]))
        if pair not in merges:
            raise ValueError(f"{path}: {pair[0] + pair[1]!r} with id {i}: its merge {pair!r} is missing; get it again")
    if vocabulary.unreachable and not ignore_merges:
        token = to_unicode(vocabulary.tokens[vocabulary.unreachable[0]])
        raise ValueError(
            f"{path}: {token!r} with id {vocabulary.unreachable[0]}: no merges reach it; merges are missing, or the "
            f"file must say ignore_merges"
        )
