"""Hugging Face's `tokenizer.json`: a whole pipeline in one file. Byte-level BPE is read, everything else is refused.

In Hugging Face's library, added tokens are always found in the text. Here `encode(text, allowed_special="all")` does
the same, and gives the same ids. A pipeline that would give other ids is refused by name.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from ..pretokenize import GPT2, NO_SPLIT, SMOLLM
from ..vocabulary import Vocabulary
from .bytes_to_unicode import to_unicode
from .files import field, parse_json, read, write
from .printable_merges import build_vocabulary

BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
SINGLE_DIGIT_STEP = {"type": "Digits", "individual_digits": True}
USUAL = {"byte_fallback": (None, False), "dropout": (None, 0), "continuing_subword_prefix": (None, ""),
         "end_of_word_suffix": (None, "")}  # fmt: skip


def save_tokenizer_json(vocabulary: Vocabulary, path: str | Path) -> None:
    """A file that `tokenizers.Tokenizer.from_file` reads, and that gives the same ids there.

    Special tokens stand in the vocabulary too: the library gives an id of its own to an added token that does not.
    """
    tokens = {i: to_unicode(token) for token, i in vocabulary.ranks.items()}
    model = {
        "type": "BPE",
        "dropout": None,
        "unk_token": None,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": False,
        "byte_fallback": False,
        "ignore_merges": bool(vocabulary.unreachable),
        "vocab": {token: i for i, token in tokens.items()} | dict(vocabulary.special_tokens),
        "merges": [[tokens[a], tokens[b]] for _, (a, b) in sorted(vocabulary.parents.items())],
    }
    content = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [added_token(name, i) for name, i in by_id(vocabulary.special_tokens)],
        "normalizer": None,
        "pre_tokenizer": pre_tokenizer(vocabulary.pattern),
        "post_processor": None,
        "decoder": BYTE_LEVEL,
        "model": model,
    }
    write(path, json.dumps(content, ensure_ascii=False, indent=1) + "\n")


def by_id(special_tokens: Mapping[str, int]) -> list[tuple[str, int]]:
    return sorted(special_tokens.items(), key=lambda item: item[1])


def added_token(name: str, i: int) -> dict:
    """A special token as the file writes it."""
    flags = dict.fromkeys(("single_word", "lstrip", "rstrip", "normalized"), False)
    return {"id": i, "content": name, **flags, "special": True}


def pre_tokenizer(pattern: str) -> dict:
    """The split as the file writes it. The library has no pattern that matches everything: no step splits then."""
    if pattern == NO_SPLIT:
        return BYTE_LEVEL
    if pattern == SMOLLM:
        return {"type": "Sequence", "pretokenizers": [SINGLE_DIGIT_STEP, {**BYTE_LEVEL, "use_regex": True}]}
    split = {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False}
    return {"type": "Sequence", "pretokenizers": [split, BYTE_LEVEL]}


def load_tokenizer_json(path: str | Path) -> Vocabulary:
    """A byte-level BPE `tokenizer.json`.

    Raises:
        ValueError: a damaged file; or a pipeline that gives other ids than this project: a normalizer, truncation, a
            post-processor that adds tokens, a space before the text, added tokens with flags, an unknown split.
    """
    content = parse_json(path, read(path))
    check_pipeline(path, content)
    model = field(path, content, "model", dict)
    if model.get("type", "BPE") != "BPE" or "merges" not in model:
        raise ValueError(f"{path}: model.type={model.get('type')!r}: only BPE is read; choose another file")
    for name, usual in USUAL.items():
        if model.get(name) not in usual:
            raise ValueError(
                f"{path}: model.{name}={model[name]!r:.60}: byte-level BPE has {usual[-1]!r}; choose another file"
            )
    vocab = field(path, model, "vocab", dict)
    special_tokens = added_tokens(path, content.get("added_tokens") or [], vocab)
    ids = {token: i for token, i in vocab.items() if token not in special_tokens}
    merges = [pair_of(path, k, pair) for k, pair in enumerate(field(path, model, "merges", list))]
    pattern = pattern_of(path, content.get("pre_tokenizer"))
    return build_vocabulary(path, ids, merges, special_tokens, pattern, bool(model.get("ignore_merges")))


def check_pipeline(path: str | Path, content: Mapping) -> None:
    """Raise ValueError for a step before or after the model that would change the ids."""
    for name in ("normalizer", "truncation", "padding"):
        if content.get(name) is not None:
            raise ValueError(f"{path}: {name}={content[name]!r:.60}: it changes the ids, and is not read; remove it")
    for name in ("post_processor", "decoder"):
        for step in steps_of(content.get(name)):
            adds_nothing = step.get("type") == "TemplateProcessing" and step.get("special_tokens") == {}
            if step.get("type") != "ByteLevel" and not adds_nothing:
                raise ValueError(
                    f"{path}: {name}={step!r:.60}: only ByteLevel is read, because others change ids; remove it"
                )


def steps_of(step: object) -> list[dict]:
    """A step, or the steps of a sequence."""
    if step is None:
        return []
    if not isinstance(step, dict):
        return [{"type": repr(step)}]
    steps = step.get("pretokenizers") or step.get("processors") or step.get("decoders") or [step]
    return [s if isinstance(s, dict) else {"type": repr(s)} for s in steps]


def added_tokens(path: str | Path, entries: list, vocab: Mapping[str, int]) -> dict[str, int]:
    """{content: id} of the added tokens, special or not."""
    tokens: dict[str, int] = {}
    for entry in entries:
        if not (isinstance(entry, dict) and isinstance(entry.get("content"), str) and type(entry.get("id")) is int):
            raise ValueError(f"{path}: added_tokens={entry!r:.60}: an entry must have a content and an id; correct it")
        for flag in ("single_word", "lstrip", "rstrip"):
            if entry.get(flag):
                raise ValueError(f"{path}: added_tokens={entry['content']!r}: {flag}=True changes the ids; remove it")
        if entry["content"] in tokens:
            raise ValueError(f"{path}: added_tokens={entry['content']!r}: it is there twice; remove one")
        check_id(path, entry, tokens, vocab)
        tokens[entry["content"]] = entry["id"]
    if len({bool(entry.get("normalized")) for entry in entries}) > 1:
        raise ValueError(
            f"{path}: added_tokens: some are normalized and some not, so two passes find them; make them alike"
        )
    return tokens


def check_id(path: str | Path, entry: Mapping, before: Mapping[str, int], vocab: Mapping[str, int]) -> None:
    """Raise ValueError if the library would give an added token another id than the file says.

    It takes the id in the vocabulary; for a token that is not there, the next id after the vocabulary and the added
    tokens before.
    """
    highest = max(before.values(), default=-1)
    following = highest + 1 if highest >= len(vocab) else len(vocab)
    used = vocab.get(entry["content"], following)
    if entry["id"] != used:
        raise ValueError(
            f"{path}: added_tokens={entry['content']!r}: id {entry['id']}, but the library gives it {used}; correct it"
        )


def pair_of(path: str | Path, k: int, pair: object) -> tuple[str, str]:
    """One merge: a pair, or the older "a b"."""
    pair = pair.split(" ") if isinstance(pair, str) else pair
    if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(t, str) and t for t in pair)):
        raise ValueError(f"{path}: merges[{k}]={pair!r:.60}: a merge must be two tokens; get the file again")
    return pair[0], pair[1]


def pattern_of(path: str | Path, step: object) -> str:
    """The split pattern of a byte-level pre-tokenizer."""
    *splits, last = steps_of(step) or [{}]
    use_regex = last.get("use_regex", True)
    if last.get("type") == "ByteLevel" and not last.get("add_prefix_space"):
        if not splits:
            return GPT2 if use_regex else NO_SPLIT
        if splits == [SINGLE_DIGIT_STEP] and use_regex:
            return SMOLLM
        if len(splits) == 1 and not use_regex and is_isolated_split(splits[0]):
            return splits[0]["pattern"]["Regex"]
    raise ValueError(
        f"{path}: pre_tokenizer={step!r:.90}: only one split by a regular expression or by digits is read, then "
        f"ByteLevel without a prefix space; choose another file"
    )


def is_isolated_split(step: Mapping) -> bool:
    """Whether the step splits by a regular expression and keeps everything."""
    pattern = step.get("pattern")
    regex = isinstance(pattern, dict) and isinstance(pattern.get("Regex"), str) and pattern["Regex"]
    return bool(step.get("type") == "Split" and regex and step.get("behavior") == "Isolated" and not step.get("invert"))
