"""Two file formats that write bytes as letters: GPT-2's pair of files, and the `tokenizer.json` of Hugging Face.

Both list the merges as text, "\u0120t he", and the ids beside them. Here ids must follow the merges: number 256 + k for
what merge k makes, as in GPT-2, Llama 3 and Qwen. A file that numbers otherwise is refused, not guessed at.
"""
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from .alphabet import GPT2_ORDER, from_letters, to_letters
from .files import checked, field, parse, read, write
from .pretokenize import GPT2
from .vocabulary import Vocabulary, tokens_of


def save_gpt2(vocabulary: Vocabulary, vocab_bpe: str | Path, encoder_json: str | Path) -> None:
    """`vocab.bpe` and `encoder.json`.

    Raises:
        ValueError: the bytes are not in GPT-2's order, which the reader of these files takes for granted.
    """
    if vocabulary.alphabet != GPT2_ORDER:
        raise ValueError("these files imply GPT-2's order of the bytes: train with alphabet=GPT2_ORDER to write them")
    letters = [to_letters(t) for t in vocabulary.tokens]
    write(vocab_bpe, "#version: 0.2\n" + "".join(f"{letters[a]} {letters[b]}\n" for a, b in vocabulary.merges))
    write(encoder_json, json.dumps({t: i for i, t in enumerate(letters)} | dict(vocabulary.special)))


def load_gpt2(vocab_bpe: str | Path, encoder_json: str | Path, special: Sequence[str] = ("<|endoftext|>",),
              pattern: str = GPT2) -> Vocabulary:
    """GPT-2's files. `special` names those ids of `encoder.json` that no merge makes.

    Raises:
        ValueError: either file is damaged, or the two do not agree.
    """
    ids = parse(encoder_json, read(encoder_json))
    tokens = apply_merges(vocab_bpe, merges_of_lines(vocab_bpe, read(vocab_bpe)), GPT2_ORDER)
    agree(encoder_json, ids, tokens, special)
    return checked(encoder_json, lambda: Vocabulary(tuple(tokens), pattern, {name: ids[name] for name in special}))


def merges_of_lines(path: str | Path, data: bytes) -> list[tuple[str, str]]:
    """The merges of a `vocab.bpe`, as pairs of tokens in GPT-2's letters."""
    try:
        head, *lines = data.decode("utf-8").split("\n")
    except UnicodeDecodeError as e:
        raise ValueError(f"{path}: is not UTF-8 at byte {e.start}") from None
    if not head.startswith("#version"):
        raise ValueError(f"{path}: begins with {head[:40]!r}, expected '#version: 0.2'")
    if lines and lines.pop():
        raise ValueError(f"{path}: does not end with a line end: truncated")
    for n, line in enumerate(lines, 2):
        if len(line.split(" ")) != 2 or not all(line.split(" ")):
            raise ValueError(f"{path}, line {n}: {line!r} is not two tokens")
    return [tuple(line.split(" ")) for line in lines]


def apply_merges(path: str | Path, merges: Sequence[tuple[str, str]], order: bytes) -> list[bytes]:
    """The tokens that merges written in letters make; both halves of each must stand above it."""
    ids = {to_letters(bytes([b])): i for i, b in enumerate(order)}
    pairs = []
    for n, (a, b) in enumerate(merges):
        if missing := [t for t in (a, b) if t not in ids]:
            raise ValueError(f"{path}: merge {n} joins {a!r} and {b!r}, but nothing before it makes {missing[0]!r}: "
                             f"merges out of order, or missing")
        if a + b in ids:
            raise ValueError(f"{path}: merge {n} makes {a + b!r}, which is there already")
        ids[a + b] = len(ids)
        pairs.append((ids[a], ids[b]))
    return tokens_of(pairs, order)


def agree(path: str | Path, ids: Mapping[str, int], tokens: Sequence[bytes], special: Sequence[str]) -> None:
    """Every token has its place among the merges for its id, and what is left over is the special tokens."""
    letters = [to_letters(token) for token in tokens]
    for rank, token in enumerate(letters):
        if ids.get(token) != rank or type(ids[token]) is not int:
            raise ValueError(f"{path}: token {token!r} has id {ids.get(token)!r}, but the merges make it number {rank}")
    if missing := [name for name in special if type(ids.get(name)) is not int]:
        raise ValueError(f"{path}: the special token {missing[0]!r} has no id")
    if over := set(ids) - set(letters) - set(special):
        raise ValueError(f"{path}: {len(over)} ids belong to no merge and no special token, {min(over)!r} for one: "
                         f"merges are missing")


# ---------------------------------------------------------------- Hugging Face's tokenizer.json

def save_tokenizer_json(vocabulary: Vocabulary, path: str | Path) -> None:
    """A file that `tokenizers.Tokenizer.from_file` reads, and that gives the same ids there."""
    letters = [to_letters(t) for t in vocabulary.tokens]
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
    split = {"type": "Split", "pattern": {"Regex": vocabulary.pattern}, "behavior": "Isolated", "invert": False}
    added = [{"id": i, "content": name, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False,
              "special": True} for name, i in sorted(vocabulary.special.items(), key=lambda item: item[1])]
    write(path, json.dumps({
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, byte_level]}, "post_processor": None,
        "decoder": byte_level, "model": {
            "type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
            "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
            "vocab": {t: i for i, t in enumerate(letters)},
            "merges": [[letters[a], letters[b]] for a, b in vocabulary.merges]}}, ensure_ascii=False, indent=1) + "\n")


def load_tokenizer_json(path: str | Path) -> Vocabulary:
    """A byte-level BPE `tokenizer.json`.

    Raises:
        ValueError: a damaged file, or a pipeline that does something this project does not: a normaliser, an unknown
            token, a pre-tokenizer that is not one split followed by the bytes, a space put in front of the text.
    """
    found = parse(path, read(path))
    model = field(path, found, "model", dict)
    for name, value, usual in (("model.type", model.get("type"), ("BPE",)),
                               ("normalizer", found.get("normalizer"), (None,)),
                               ("model.unk_token", model.get("unk_token"), (None,)),
                               ("model.byte_fallback", model.get("byte_fallback"), (None, False)),
                               ("model.dropout", model.get("dropout"), (None, 0)),
                               ("model.continuing_subword_prefix", model.get("continuing_subword_prefix"), (None, "")),
                               ("model.end_of_word_suffix", model.get("end_of_word_suffix"), (None, ""))):
        if value not in usual:
            raise ValueError(f"{path}: {name} is {value!r:.60}, only {usual[0]!r} is byte-level BPE as read here")
    pattern = pattern_of(path, found.get("pre_tokenizer"))
    ids = field(path, model, "vocab", dict)
    letter_of_id = {i: t for t, i in ids.items()}
    order = b"".join(from_letters(letter_of_id.get(i, "")) for i in range(256))
    if sorted(order) != list(range(256)):
        raise ValueError(f"{path}: ids 0..255 of model.vocab must be the 256 bytes, each once")
    merges = [pair_of(path, k, m) for k, m in enumerate(field(path, model, "merges", list))]
    tokens = apply_merges(path, merges, order)
    special = {t.get("content"): t.get("id") for t in found.get("added_tokens") or []}
    agree(path, special | ids, tokens, list(special))
    return checked(path, lambda: Vocabulary(tuple(tokens), pattern, special))


def pair_of(path: str | Path, k: int, merge: object) -> tuple[str, str]:
    """One merge of a tokenizer.json: a pair, or the older "a b"."""
    pair = merge.split(" ") if isinstance(merge, str) else merge
    if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(t, str) and t for t in pair)):
        raise ValueError(f"{path}: merge {k} must be two tokens, got {merge!r:.60}")
    return pair[0], pair[1]


def pattern_of(path: str | Path, pre: object) -> str:
    """The split pattern of a byte-level pre-tokenizer."""
    steps = (pre.get("pretokenizers") or [pre]) if isinstance(pre, dict) else [{}]
    bytes_step, split = steps[-1], steps[0]
    if bytes_step.get("type") == "ByteLevel" and not bytes_step.get("add_prefix_space"):
        if len(steps) == 1 and bytes_step.get("use_regex", True):
            return GPT2
        regex = split.get("pattern", {}).get("Regex") if isinstance(split.get("pattern"), dict) else None
        if len(steps) == 2 and split.get("type") == "Split" and not bytes_step.get("use_regex", True) and regex \
                and split.get("behavior") == "Isolated" and not split.get("invert"):
            return regex
    raise ValueError(f"{path}: pre_tokenizer {str(pre)[:99]} is not one split, then ByteLevel without a prefix space")
