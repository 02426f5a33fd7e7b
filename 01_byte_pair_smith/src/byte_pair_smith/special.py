"""Special tokens: ids that no text may produce by accident.

`<|endoftext|>` separates documents, and chat formats mark turns in the same way. Models obey such ids. A user who types
the thirteen characters must not be able to produce one. So the caller says which special tokens count, and any other is
an error. This is tiktoken's rule, with the same arguments and defaults.
"""

import re
from collections.abc import Callable, Collection, Mapping


def encode_with_special(
    text: str,
    encode_ordinary: Callable[[str], list[int]],
    special_tokens: Mapping[str, int],
    allowed_special: Collection[str] = (),
    disallowed_special: Collection[str] = "all",
) -> list[int]:
    """The ids of `text`. An allowed special token becomes its id, and `encode_ordinary` gets the text between.

    Where several match at one place, the longest counts. "all" as `allowed_special` means every special token, as
    `disallowed_special` every one that is not allowed. A special token in neither set is ordinary text.

    Raises:
        TypeError: one of the two sets is a str other than "all".
        ValueError: `text` holds a disallowed special token, or `allowed_special` names one that does not exist.
    """
    allowed = names(allowed_special, set(special_tokens), "allowed_special")
    disallowed = names(disallowed_special, set(special_tokens) - allowed, "disallowed_special")
    check_exist(allowed, special_tokens)
    check_absent(text, disallowed)
    if not allowed:
        return encode_ordinary(text)
    ids = []
    end = 0
    for match in any_of(allowed).finditer(text):
        ids += encode_ordinary(text[end : match.start()])
        ids.append(special_tokens[match.group()])
        end = match.end()
    return ids + encode_ordinary(text[end:])


def names(chosen: Collection[str], everything: set[str], argument: str) -> set[str]:
    """The set of names; `everything` for "all"."""
    if not isinstance(chosen, str):
        return set(chosen)
    if chosen != "all":
        raise TypeError(f'{argument}={chosen!r}: it must be "all" or a collection of names; put the name into a set')
    return everything


def check_exist(allowed: set[str], special_tokens: Mapping[str, int]) -> None:
    """Raise ValueError for a name that is no special token: a typing error would switch the protection off."""
    unknown = sorted(allowed - set(special_tokens))
    if unknown:
        raise ValueError(
            f"allowed_special={unknown!r}: no such special token; this vocabulary has {sorted(special_tokens)!r}"
        )


def check_absent(text: str, disallowed: set[str]) -> None:
    """Raise ValueError if the text holds one of the names."""
    match = any_of(disallowed).search(text) if disallowed else None
    if match:
        raise ValueError(
            f"text={match.group()!r} at character {match.start()}: a special token that is not allowed; put it into "
            f"allowed_special to get its id, or pass disallowed_special=() to encode it as text"
        )


def any_of(strings: Collection[str]) -> re.Pattern:
    """A pattern for any of the strings, the longest first: an alternation takes the first branch that matches."""
    return re.compile("|".join(map(re.escape, sorted(strings, key=len, reverse=True))))
