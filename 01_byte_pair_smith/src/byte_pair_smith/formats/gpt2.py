"""GPT-2's pair of files: `vocab.bpe` lists the merges, `encoder.json` the ids.

Both write bytes as printable characters ("\\u0120t he"). The ids follow the merges: merge k makes id 256 + k, and the
special tokens come last.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from ..pretokenize import GPT2
from ..vocabulary import Vocabulary
from .bytes_to_unicode import GPT2_ORDER, from_unicode, to_unicode
from .files import name_file, parse_json, read, write


def save_gpt2(vocabulary: Vocabulary, vocab_bpe: str | Path, encoder_json: str | Path) -> None:
    """`vocab.bpe` and `encoder.json`.

    Raises:
        ValueError: the bytes are not in GPT-2's order, which readers of these files expect; or the vocabulary is no
            list of merges.
    """
    if vocabulary.alphabet != GPT2_ORDER:
        raise ValueError(
            f"alphabet={vocabulary.alphabet[:4]!r}...: these files imply GPT2_ORDER; train with alphabet=GPT2_ORDER"
        )
    tokens = [to_unicode(token) for token in vocabulary.tokens]
    lines = [f"{tokens[a]} {tokens[b]}\n" for a, b in vocabulary.merges]
    write(vocab_bpe, "#version: 0.2\n" + "".join(lines))
    ids = {token: i for i, token in enumerate(tokens)}
    write(encoder_json, json.dumps(ids | dict(vocabulary.special_tokens)))


def load_gpt2(
    vocab_bpe: str | Path,
    encoder_json: str | Path,
    special_tokens: Sequence[str] = ("<|endoftext|>",),
    pattern: str = GPT2,
) -> Vocabulary:
    """The vocabulary of the two files. `special_tokens` names those ids of `encoder.json` that no merge makes.

    Raises:
        TypeError: `special_tokens` is one str.
        ValueError: a file is damaged, or the two do not agree.
    """
    if isinstance(special_tokens, str):
        raise TypeError(f"special_tokens={special_tokens!r}: it must be a list of names; write [{special_tokens!r}]")
    ids = parse_json(encoder_json, read(encoder_json))
    merges = merges_of_lines(vocab_bpe, read(vocab_bpe))
    tokens = [to_unicode(bytes([b])) for b in GPT2_ORDER]
    tokens += [a + b for a, b in merges]
    check_ids(encoder_json, ids, tokens, special_tokens)
    special = {name: ids[name] for name in special_tokens}
    decoded = name_file(vocab_bpe, lambda: tuple(from_unicode(token) for token in tokens))
    vocabulary = name_file(encoder_json, lambda: Vocabulary(decoded, pattern, special))
    check_merges(vocab_bpe, vocabulary, merges)
    return vocabulary


def merges_of_lines(path: str | Path, data: bytes) -> list[tuple[str, str]]:
    """The merges of a `vocab.bpe`, with either kind of line end, as pairs of tokens in printable characters."""
    try:
        head, *lines = data.decode("utf-8").replace("\r\n", "\n").split("\n")
    except UnicodeDecodeError as e:
        raise ValueError(f"{path}: not UTF-8 at byte {e.start}; get the file again") from None
    if not head.startswith("#version"):
        raise ValueError(f"{path}: it begins with {head[:40]!r}: expected '#version: 0.2'; is it the right file?")
    if lines and lines.pop():
        raise ValueError(f"{path}: it does not end with a line end; it is truncated, get it again")
    merges = []
    for n, line in enumerate(lines, 2):
        pair = line.split(" ")
        if len(pair) != 2 or not all(pair):
            raise ValueError(f"{path}, line {n}: {line!r}: a line must be two tokens; get the file again")
        merges.append((pair[0], pair[1]))
    return merges


def check_ids(path: str | Path, ids: Mapping[str, int], tokens: Sequence[str], special_tokens: Sequence[str]) -> None:
    """Raise ValueError unless each token's id is its place among the merges, and the rest are the special tokens."""
    for i, token in enumerate(tokens):
        if type(ids.get(token)) is not int or ids[token] != i:
            raise ValueError(
                f"{path}: {token!r}: id {ids.get(token)!r}, but the merges make it number {i}; do the two "
                f"files belong together?"
            )
    for name in special_tokens:
        if type(ids.get(name)) is not int:
            raise ValueError(f"{path}: special_tokens={name!r}: it has no id here; name only those of this file")
    extra = set(ids) - set(tokens) - set(special_tokens)
    if extra:
        raise ValueError(
            f"{path}: {len(extra)} ids, {min(extra)!r} for one, belong to no merge and no special token; merges are "
            f"missing, or name it in special_tokens"
        )


def check_merges(path: str | Path, vocabulary: Vocabulary, merges: Sequence[tuple[str, str]]) -> None:
    """Raise ValueError unless merging by rank makes each token from the two halves that the file names."""
    for k, (a, b) in enumerate(merges):
        pair = vocabulary.parents.get(256 + k)
        halves = (vocabulary.ranks.get(from_unicode(a), -1), vocabulary.ranks.get(from_unicode(b), -1))
        if pair != halves or max(halves) >= 256 + k:
            raise ValueError(
                f"{path}: merge {k} joins {a!r} and {b!r}: the merges before it do not make these two; "
                f"merges are out of order or missing"
            )
