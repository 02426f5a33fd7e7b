"""Files of the forms that real models have: gaps, tokens out of reach, either line end, and GGUF."""

import json
import struct

import pytest
from byte_pair_smith import (
    CL100K,
    GPT2,
    Tokenizer,
    Vocabulary,
    load_gguf,
    load_tiktoken,
    load_tokenizer_json,
    save_json,
    save_tiktoken,
    save_tokenizer_json,
)
from byte_pair_smith.formats.bytes_to_unicode import to_unicode
from mistakes import OUT_OF_REACH
from vocabulary_files import LOADERS, SPECIAL, TEXT, VOCABULARY, change_json, lines_of, rewrite, save_all

# ---------------------------------------------------------------- whole files that were refused


def test_either_line_end_is_read(tmp_path):
    save_all(tmp_path)
    for name in ("vocab.bpe", "ranks.tiktoken"):
        (tmp_path / name).write_bytes((tmp_path / name).read_bytes().replace(b"\n", b"\r\n"))
        assert LOADERS[name](tmp_path) == VOCABULARY


def test_a_rank_file_may_leave_out_the_id_of_a_special_token(tmp_path):
    """As p50k_base does."""
    save_all(tmp_path)
    lines = [
        line if i < 290 else line.split()[0] + b" %d" % (i + 1)
        for i, line in enumerate(lines_of(tmp_path / "ranks.tiktoken"))
    ]
    rewrite(tmp_path / "ranks.tiktoken", lines)
    vocabulary = load_tiktoken(tmp_path / "ranks.tiktoken", GPT2, {"<|end|>": 290}, size=300)
    assert vocabulary.tokens[289:292] == (VOCABULARY.tokens[289], b"", VOCABULARY.tokens[290])
    import tiktoken

    peer = tiktoken.Encoding("gap", pat_str=GPT2, mergeable_ranks=vocabulary.ranks, special_tokens={"<|end|>": 290})
    text = TEXT[:300] + "<|end|>ab"
    assert Tokenizer(vocabulary).encode(text, "all") == peer.encode(text, allowed_special="all")
    assert Tokenizer(vocabulary).decode(Tokenizer(vocabulary).encode(text, "all")) == text
    with pytest.raises(ValueError, match="id=291: 290 is due"):
        load_tiktoken(tmp_path / "ranks.tiktoken", GPT2)


def test_a_rank_file_may_hold_tokens_out_of_reach(tmp_path):
    """As Llama 3's does. This project's own JSON holds merges and cannot."""
    vocabulary = Vocabulary.from_ranks(OUT_OF_REACH, GPT2)
    save_tiktoken(vocabulary, tmp_path / "ranks.tiktoken")
    assert load_tiktoken(tmp_path / "ranks.tiktoken", GPT2) == vocabulary
    save_tokenizer_json(vocabulary, tmp_path / "tokenizer.json")
    assert load_tokenizer_json(tmp_path / "tokenizer.json") == vocabulary
    change_json(tmp_path / "tokenizer.json", lambda f: f["model"].__setitem__("ignore_merges", False))
    with pytest.raises(ValueError, match="no merges reach it"):
        load_tokenizer_json(tmp_path / "tokenizer.json")
    with pytest.raises(ValueError, match="no list of merges"):
        save_json(vocabulary, tmp_path / "ours.json")


def test_a_model_without_a_type_and_with_more_merges_than_tokens_is_read(tmp_path):
    """The first is older than the field, the second is Llama 3's: every split of each token is listed."""
    save_all(tmp_path)

    def change(found):
        model = found["model"]
        del model["type"]
        splits = [
            (t[:n], t[n:])
            for t, _ in sorted(model["vocab"].items(), key=lambda item: item[1])
            for n in range(1, len(t))
        ]
        model["merges"] = [list(pair) for pair in splits if set(pair) <= set(model["vocab"])]

    change_json(tmp_path / "tokenizer.json", change)
    assert len(json.loads((tmp_path / "tokenizer.json").read_text())["model"]["merges"]) > len(VOCABULARY.merges)
    assert load_tokenizer_json(tmp_path / "tokenizer.json") == VOCABULARY


# ---------------------------------------------------------------- GGUF


def gguf(values, version=3):
    """A GGUF file of these values and no weights."""

    def text(value):
        return struct.pack("<Q", len(value.encode())) + value.encode()

    def pack(value):
        if isinstance(value, str):
            return struct.pack("<I", 8) + text(value)
        if isinstance(value, bool):
            return struct.pack("<I?", 7, value)
        entries = [text(v) if isinstance(v, str) else struct.pack("<i", v) for v in value]
        return struct.pack("<IIQ", 9, 8 if isinstance(value[0], str) else 5, len(value)) + b"".join(entries)

    body = b"".join(text(name) + pack(value) for name, value in values.items())
    return b"GGUF" + struct.pack("<IQQ", version, 0, len(values)) + body


def gguf_values():
    """VOCABULARY as GGUF's values, its special tokens first."""
    names = list(SPECIAL)
    tokens = names + [to_unicode(t) for t in VOCABULARY.tokens]
    merges = [f"{to_unicode(VOCABULARY.tokens[a])} {to_unicode(VOCABULARY.tokens[b])}" for a, b in VOCABULARY.merges]
    kinds = [3] * len(names) + [1] * len(VOCABULARY.tokens)
    return {
        "tokenizer.ggml.model": "gpt2",
        "tokenizer.ggml.pre": "gpt-2",
        "tokenizer.ggml.tokens": tokens,
        "tokenizer.ggml.token_type": kinds,
        "tokenizer.ggml.merges": merges,
    }


def with_missing_bytes(values):
    """Two bytes fewer, so that the ids of single bytes stay below 256 behind two special tokens."""
    gone = {"\xff", "\xfe"}
    kept = [n for n, t in enumerate(values["tokenizer.ggml.tokens"]) if t not in gone]
    for name in ("tokens", "token_type"):
        values[f"tokenizer.ggml.{name}"] = [values[f"tokenizer.ggml.{name}"][n] for n in kept]
    return values


def test_a_gguf_file_with_special_tokens_first_and_missing_bytes_is_read(tmp_path):
    (tmp_path / "model.gguf").write_bytes(gguf(with_missing_bytes(gguf_values())))
    vocabulary = load_gguf(tmp_path / "model.gguf")
    assert vocabulary.missing_bytes == b"\xfe\xff"
    assert vocabulary.special_tokens == {"<|end|>": 0, "<|sep|>": 1} and vocabulary.tokens[:2] == (b"", b"")
    ids = Tokenizer(vocabulary).encode("ab c<|sep|>", "all")
    assert ids[-1] == 1
    assert Tokenizer(vocabulary).decode(ids) == "ab c<|sep|>"


GGUF_DAMAGE = {
    "another kind": ({"tokenizer.ggml.model": "llama"}, "model='llama'"),
    "another split": ({"tokenizer.ggml.pre": "qwen2"}, "pre='qwen2'"),
    "a token at the start": ({"tokenizer.ggml.add_bos_token": True}, "add_bos_token=True"),
    "no tokens": ({"tokenizer.ggml.tokens": "none"}, "must be an array"),
    "a kind too few": ({"tokenizer.ggml.token_type": [1]}, "token_type"),
    "a merge of three": ({"tokenizer.ggml.merges": ["a b c"]}, "must be two tokens"),
    "merges missing": ({"tokenizer.ggml.merges": ["a b"]}, "is missing|has no id"),
}


@pytest.mark.parametrize("damage", GGUF_DAMAGE)
def test_a_gguf_file_that_gives_other_ids_is_refused(damage, tmp_path):
    change, message = GGUF_DAMAGE[damage]
    (tmp_path / "model.gguf").write_bytes(gguf(with_missing_bytes(gguf_values()) | change))
    with pytest.raises(ValueError, match=message) as error:
        load_gguf(tmp_path / "model.gguf")
    assert "model.gguf" in str(error.value)


def test_a_damaged_gguf_file_is_refused(tmp_path):
    whole = gguf(with_missing_bytes(gguf_values()))
    path = tmp_path / "model.gguf"
    for damaged in (
        b"",
        b"GGML" + whole[4:],
        gguf({}, version=1),
        *(whole[:cut] for cut in range(4, len(whole) - 1, 97)),
    ):
        path.write_bytes(damaged)
        with pytest.raises(ValueError, match="model.gguf"):
            load_gguf(path)


# ---------------------------------------------------------------- the real files


@pytest.mark.data
def test_truncated_real_vocabularies_are_refused(tmp_path):
    from test_oracles import here

    whole = here("cl100k_base.tiktoken").read_bytes()
    (tmp_path / "cut.tiktoken").write_bytes(whole[:200_003])
    with pytest.raises(ValueError, match="cut.tiktoken"):
        load_tiktoken(tmp_path / "cut.tiktoken", CL100K, size=100256)
