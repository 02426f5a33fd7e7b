"""Special tokens: marks that no text may produce by accident.

`<|endoftext|>` separates documents, chat formats mark turns in the same way, and models obey such ids. A user who types
the thirteen characters must not be able to forge one, so the caller says which may count, and any other is an error:
tiktoken's rule, with the same default.
"""
import re
from collections.abc import Callable, Collection, Mapping


def encode_with_special(text: str, encode_ordinary: Callable[[str], list[int]], special: Mapping[str, int],
                        allowed: Collection[str] = (), disallowed: Collection[str] | None = None) -> list[int]:
    """The ids of `text`, where each special token in `allowed` becomes its id and the rest goes to `encode_ordinary`.

    Where several match at one place the longest wins. `disallowed=None` means every special token that is not allowed;
    one that is in neither set is encoded as the ordinary text it is.

    Raises:
        ValueError: a disallowed special token in the text, or a name in `allowed` that is no special token.
    """
    if unknown := sorted(set(allowed) - set(special)):
        raise ValueError(f"allowed={unknown!r}: no such special token, there are {sorted(special)!r}")
    forbidden = set(special) - set(allowed) if disallowed is None else set(disallowed)
    if forbidden and (found := any_of(forbidden).search(text)):
        raise ValueError(f"text holds the special token {found.group()!r} at character {found.start()}: put it into "
                         f"allowed to get its id, or pass disallowed=() to encode it as ordinary text")
    if not allowed:
        return encode_ordinary(text)
    ids, at = [], 0
    for mark in any_of(allowed).finditer(text):
        ids += encode_ordinary(text[at:mark.start()])
        ids.append(special[mark.group()])
        at = mark.end()
    return ids + encode_ordinary(text[at:])


def any_of(names: Collection[str]) -> re.Pattern:
    """Matches any of `names`, the longest first: an alternation takes the first branch that fits."""
    return re.compile("|".join(map(re.escape, sorted(names, key=len, reverse=True))))
