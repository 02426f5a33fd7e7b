"""tiktoken's rank file: one line a token, its bytes in base64 and its id. It holds no pattern and no special tokens.

A file that lost lines at its end is whole in itself. So `load_tiktoken` takes the expected size, and the sha256 where
that is known.
"""

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path

from ..vocabulary import Vocabulary
from .files import name_file, read, write

CL100K_SPECIAL_TOKENS = {
    "<|endoftext|>": 100257,
    "<|fim_prefix|>": 100258,
    "<|fim_middle|>": 100259,
    "<|fim_suffix|>": 100260,
    "<|endofprompt|>": 100276,
}


def save_tiktoken(vocabulary: Vocabulary, path: str | Path) -> None:
    """Tokens and ids. The pattern and the special tokens must be kept elsewhere."""
    write(path, "".join(f"{base64.b64encode(token).decode()} {i}\n" for token, i in vocabulary.ranks.items()))


def load_tiktoken(
    path: str | Path,
    pattern: str,
    special_tokens: Mapping[str, int] | None = None,
    size: int | None = None,
    sha256: str | None = None,
) -> Vocabulary:
    """The vocabulary of a rank file. `size` is the expected number of tokens, special tokens not counted.

    An id may be left out only where `special_tokens` has it, as in p50k_base.

    Raises:
        ValueError: the file is damaged; the message names the file and the line. Without `size` or `sha256`, a file
            that was cut at the end of a line gives a smaller vocabulary.
    """
    special_tokens = dict(special_tokens or {})
    ranks: dict[bytes, int] = {}
    due = 0
    for n, line in enumerate(read(path, sha256).splitlines(), 1):
        token, i = rank_line(f"{path}, line {n}", line)
        while due < i and due in special_tokens.values():
            due += 1
        if i != due:
            raise ValueError(
                f"{path}, line {n}: id={i}: {due} is due; a line is missing, doubled or out of order, or a special "
                f"token has the id {due}: give it in special_tokens"
            )
        if token in ranks:
            raise ValueError(f"{path}, line {n}: token={token!r}: it is there already with id {ranks[token]}")
        ranks[token] = i
        due += 1
    if size is not None and len(ranks) != size:
        raise ValueError(f"{path}: {len(ranks)} tokens: expected {size}; the file is truncated or another one")
    return name_file(path, lambda: Vocabulary.from_ranks(ranks, pattern, special_tokens))


def rank_line(where: str, line: bytes) -> tuple[bytes, int]:
    """One line: the token's bytes and its id."""
    words = line.split(b" ")
    if len(words) != 2 or not words[1].isdigit():
        raise ValueError(f"{where}: {line[:40]!r}: a line must be 'base64 id'; is it a rank file?")
    try:
        token = base64.b64decode(words[0], validate=True)
    except binascii.Error as e:
        raise ValueError(f"{where}: {words[0][:40]!r}: not base64 ({e}); get the file again") from None
    if not token:
        raise ValueError(f"{where}: the token is empty; get the file again")
    return token, int(words[1])
