"""Special tokens: ids that no text may produce by accident.

`<|endoftext|>` separates documents, and chat formats mark turns in the same way. Models obey such ids. A user who types
the thirteen characters must not be able to produce one. So the caller says which special tokens count, and any other is
an error. This is tiktoken's rule, with the same arguments and defaults.

Where several special tokens match at one place, tiktoken's answer depends on an internal order. Here the longest of the
allowed ones counts, and one that is ordinary text hides none of them.
"""

import re
from collections.abc import Callable, Collection, Mapping

from .checks import names


def encode_with_special(
    text: str,
    encode_ordinary: Callable[[str], list[int]],
    special_tokens: Mapping[str, int],
    allowed_special: Collection[str] = (),
    disallowed_special: Collection[str] = "all",
) -> list[int]:
    """The ids of `text`. An allowed special token becomes its id, and `encode_ordinary` gets the text between.

    Where several allowed ones match at one place, the longest counts. "all" as `allowed_special` means every special
    token, as `disallowed_special` every one that is not allowed. A special token in neither set is ordinary text, and
    one in both is disallowed.

    Raises:
        TypeError: one of the two sets is a str other than "all".
        ValueError: `text` holds a disallowed special token, or `allowed_special` names one that does not exist.
    """
    allowed = names(allowed_special, special_tokens)
    disallowed = names(disallowed_special, set(special_tokens) - allowed)
    for name in allowed:
        if name not in special_tokens:
            raise ValueError(
                f"allowed_special={name!r}: no such special token; this vocabulary has {sorted(special_tokens)!r}"
            )
    for name in disallowed:
        if name in text:
            raise ValueError(
                f"text={name!r} at character {text.index(name)}: a special token that is not allowed; put it into "
                f"allowed_special to get its id, or pass disallowed_special=() to encode it as text"
            )
    if not allowed:
        return encode_ordinary(text)
    longest_first = sorted([name for name in special_tokens if name in allowed], key=len, reverse=True)
    ids = []
    end = 0
    for match in re.finditer("|".join(map(re.escape, longest_first)), text):
        ids += encode_ordinary(text[end : match.start()])
        ids.append(special_tokens[match.group()])
        end = match.end()
    return ids + encode_ordinary(text[end:])
