"""Vocabulary files: each format comes back as it went, and whatever is damaged is refused with the reason."""

import hashlib
import json
import re
import struct

import pytest
from byte_pair_smith import (
    CL100K,
    GPT2,
    GPT2_ORDER,
    Tokenizer,
    Vocabulary,
    load_gguf,
    load_gpt2,
    load_json,
    load_tiktoken,
    load_tokenizer_json,
    save_gpt2,
    save_json,
    save_tiktoken,
    save_tokenizer_json,
    train_fast,
)
from byte_pair_smith.formats.bytes_to_unicode import from_unicode, to_unicode
from mistakes import OUT_OF_REACH, random_text

SPECIAL = {"<|end|>": 300, "<|sep|>": 301}
TEXT = " ".join(random_text(n) for n in range(9))
VOCABULARY = Vocabulary.from_merges(train_fast(TEXT, 300, GPT2, GPT2_ORDER), GPT2_ORDER, GPT2, SPECIAL)


def save_all(folder):
    save_json(VOCABULARY, folder / "ours.json")
    save_tiktoken(VOCABULARY, folder / "ranks.tiktoken")
    save_gpt2(VOCABULARY, folder / "vocab.bpe", folder / "encoder.json")
    save_tokenizer_json(VOCABULARY, folder / "tokenizer.json")


LOADERS = {
    "ours.json": lambda f: load_json(f / "ours.json"),
    "ranks.tiktoken": lambda f: load_tiktoken(f / "ranks.tiktoken", GPT2, SPECIAL, size=300),
    "vocab.bpe": lambda f: load_gpt2(f / "vocab.bpe", f / "encoder.json", list(SPECIAL)),
    "encoder.json": lambda f: load_gpt2(f / "vocab.bpe", f / "encoder.json", list(SPECIAL)),
    "tokenizer.json": lambda f: load_tokenizer_json(f / "tokenizer.json"),
}


@pytest.mark.parametrize("name", LOADERS)
def test_every_format_comes_back_as_it_went(name, tmp_path):
    save_all(tmp_path)
    assert LOADERS[name](tmp_path) == VOCABULARY
    assert not list(tmp_path.glob(".*")), "a file written beside was left behind"


@pytest.mark.parametrize("name", LOADERS)
def test_every_truncation_is_refused(name, tmp_path):
    save_all(tmp_path)
    whole = (tmp_path / name).read_bytes()
    cuts = {*range(0, len(whole) - 1, max(1, len(whole) // 150)), len(whole) - 2, len(whole) // 2}
    cuts |= {i + 1 for i, b in enumerate(whole[:-1]) if b == 10}  # and exactly at each line's end
    for cut in sorted(cuts):
        if whole[cut:].strip():
            (tmp_path / name).write_bytes(whole[:cut])
            with pytest.raises(ValueError, match=re.escape(str(tmp_path))):
                LOADERS[name](tmp_path)


@pytest.mark.parametrize("name", LOADERS)
def test_every_flipped_bit_of_a_sample_is_refused_or_harmless(name, tmp_path):
    """A flipped bit may hit what carries no meaning (a space in JSON); it may never give another vocabulary unseen."""
    save_all(tmp_path)
    whole = (tmp_path / name).read_bytes()
    digest = {"sha256": hashlib.sha256(whole).hexdigest()}
    for at in range(7, len(whole), max(1, len(whole) // 120)):
        damaged = bytearray(whole)
        damaged[at] ^= 1
        (tmp_path / name).write_bytes(damaged)
        try:
            if name == "ranks.tiktoken":  # the format has no redundancy: that is what sha256 is for
                found = load_tiktoken(tmp_path / name, GPT2, SPECIAL, size=300, **digest)
            else:
                found = LOADERS[name](tmp_path)
        except ValueError:
            continue
        assert found.tokens == VOCABULARY.tokens, at


def lines_of(path):
    return path.read_bytes().split(b"\n")[:-1]


def rewrite(path, lines):
    path.write_bytes(b"\n".join(lines) + b"\n")


RANK_DAMAGE = {
    "two lines exchanged": (lambda ls: [*ls[:270], ls[271], ls[270], *ls[272:]], "id=271: 270 is due"),
    "a line doubled": (lambda ls: [*ls[:271], ls[270], *ls[271:]], "id=270: 271 is due"),
    "a line missing": (lambda ls: ls[:270] + ls[271:], "id=271: 270 is due"),
    "a token twice": (lambda ls: [*ls[:299], ls[256].split()[0] + b" 299"], "there already"),
    "not base64": (lambda ls: [*ls[:270], b"!!!! 270", *ls[271:]], "not base64"),
    "base64 with its padding lost": (lambda ls: [ls[0].replace(b"=", b""), *ls[1:]], "not base64"),
    "an id that is no number": (lambda ls: [*ls[:270], ls[270].split()[0] + b" x", *ls[271:]], "'base64 id'"),
    "three words": (lambda ls: [*ls[:270], ls[270] + b" 1", *ls[271:]], "'base64 id'"),
    "an empty token": (lambda ls: [*ls[:299], b" 299"], "the token is empty"),
    "an empty line": (lambda ls: [*ls[:270], b"", *ls[270:]], "'base64 id'"),
    "a byte missing": (lambda ls: [b"enF6 0", *ls[1:]], "256 bytes"),
    "one token fewer than expected": (lambda ls: ls[:-1], "299 tokens: expected 300"),
    "nothing": (lambda ls: [], "'base64 id'"),
}


@pytest.mark.parametrize("damage", RANK_DAMAGE)
def test_a_damaged_rank_file_is_refused(damage, tmp_path):
    change, message = RANK_DAMAGE[damage]
    save_all(tmp_path)
    rewrite(tmp_path / "ranks.tiktoken", change(lines_of(tmp_path / "ranks.tiktoken")))
    with pytest.raises(ValueError, match=message) as error:
        LOADERS["ranks.tiktoken"](tmp_path)
    assert "ranks.tiktoken" in str(error.value)


def test_a_rank_file_cut_at_a_line_s_end_is_a_smaller_vocabulary_unless_the_size_is_known(tmp_path):
    save_all(tmp_path)
    rewrite(tmp_path / "ranks.tiktoken", lines_of(tmp_path / "ranks.tiktoken")[:280])
    assert load_tiktoken(tmp_path / "ranks.tiktoken", GPT2).tokens == VOCABULARY.tokens[:280]
    with pytest.raises(ValueError, match="expected 300"):
        load_tiktoken(tmp_path / "ranks.tiktoken", GPT2, size=300)
    with pytest.raises(ValueError, match="sha256"):
        load_tiktoken(tmp_path / "ranks.tiktoken", GPT2, sha256="0" * 64)


def split_elsewhere(lines):
    """The last merge of three characters or more, with its border moved: the ids stay as they were."""
    n = max(n for n, line in enumerate(lines) if n and len(line.decode().replace(" ", "")) > 2)
    a, b = lines[n].decode().split(" ")
    moved = f"{a + b[0]} {b[1:]}" if len(b) > 1 else f"{a[:-1]} {a[-1] + b}"
    return [*lines[:n], moved.encode(), *lines[n + 1 :]]


BPE_DAMAGE = {
    "no version line": (lambda ls: ls[1:], "#version"),
    "two merges exchanged": (lambda ls: [*ls[:1], *ls[:0:-1]], "the merges make it number"),
    "a merge missing": (lambda ls: ls[:10] + ls[11:], "the merges make it number"),
    "a merge doubled": (lambda ls: [*ls[:11], ls[10], *ls[11:]], "the merges make it number"),
    "the last merge missing": (lambda ls: ls[:-1], "merges are missing"),
    "one word": (lambda ls: [*ls[:10], b"abc", *ls[11:]], "must be two tokens"),
    "not UTF-8": (lambda ls: [*ls[:10], b"\xff\xfe a", *ls[11:]], "not UTF-8"),
    "another pair of the same token": (split_elsewhere, "do not make these two"),
}


@pytest.mark.parametrize("damage", BPE_DAMAGE)
def test_a_damaged_vocab_bpe_is_refused(damage, tmp_path):
    change, message = BPE_DAMAGE[damage]
    save_all(tmp_path)
    rewrite(tmp_path / "vocab.bpe", change(lines_of(tmp_path / "vocab.bpe")))
    with pytest.raises(ValueError, match=message):
        LOADERS["vocab.bpe"](tmp_path)


def change_json(path, change):
    found = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(change(found) or found), encoding="utf-8")


def put(key, value):
    def change(found):
        found[key] = value

    return change


def swap_merges(found):
    found["merges"][5], found["merges"][6] = found["merges"][6], found["merges"][5]


def put_token_at(i):
    return lambda found: found["model"]["vocab"].__setitem__("zqzqz", i)


def exchange_ids(ids):
    names = list(ids)
    ids[names[280]], ids[names[281]] = ids[names[281]], ids[names[280]]


JSON_DAMAGE = {
    ("ours.json", "an array"): (lambda f: [1, 2], "a JSON list"),
    ("ours.json", "another format"): (put("format", "x"), "format='x'"),
    ("ours.json", "no merges"): (put("merges", None), "merges=None: it must be a list"),
    ("ours.json", "a merge of three"): (
        lambda f: f["merges"].__setitem__(3, [1, 2, 3]),
        "must be two ids",
    ),
    ("ours.json", "a merge of strings"): (
        lambda f: f["merges"].__setitem__(3, ["a", "b"]),
        "must be two ids",
    ),
    ("ours.json", "a merge of truths"): (
        lambda f: f["merges"].__setitem__(3, [True, 2]),
        "must be two ids",
    ),
    ("ours.json", "an id from the future"): (
        lambda f: f["merges"].__setitem__(3, [1, 290]),
        "merges\\[3\\]=\\(1, 290\\)",
    ),
    ("ours.json", "a negative id"): (lambda f: f["merges"].__setitem__(3, [1, -2]), "merges\\[3\\]=\\(1, -2\\)"),
    ("ours.json", "a merge missing"): (lambda f: f["merges"].pop() and None, "vocab_size=300"),
    ("ours.json", "merges exchanged"): (swap_merges, "sha256=|only the ids"),
    ("ours.json", "a byte twice"): (lambda f: f["alphabet"].__setitem__(0, 34), "256 bytes once"),
    ("ours.json", "a byte of 300"): (lambda f: f["alphabet"].__setitem__(0, 300), "must list the 256 bytes"),
    ("ours.json", "a bad pattern"): (put("pattern", "["), "not a regular expression"),
    ("ours.json", "a special id that is taken"): (put("special_tokens", {"<|end|>": 5}), "ordinary token"),
    ("ours.json", "a special id that is text"): (put("special_tokens", {"<|end|>": "5"}), "whole number"),
    ("encoder.json", "ids exchanged"): (exchange_ids, "the merges make it number"),
    ("encoder.json", "an id missing"): (lambda f: f.pop("a") and None, "id None"),
    ("encoder.json", "an id too many"): (put("zzz", 999), "belong to no merge"),
    ("encoder.json", "no special token"): (lambda f: f.pop("<|end|>") and None, "has no id"),
    ("tokenizer.json", "another model"): (
        lambda f: f["model"].__setitem__("type", "WordPiece"),
        "model.type='WordPiece'",
    ),
    ("tokenizer.json", "merges left out at random"): (
        lambda f: f["model"].__setitem__("dropout", 0.1),
        "model.dropout=0.1",
    ),
    ("tokenizer.json", "a mark at the ends of words"): (
        lambda f: f["model"].__setitem__("end_of_word_suffix", "</w>"),
        "end_of_word_suffix='</w>'",
    ),
    ("tokenizer.json", "a normaliser"): (put("normalizer", {"type": "NFC"}), "normalizer="),
    ("tokenizer.json", "another split"): (put("pre_tokenizer", {"type": "Whitespace"}), "pre_tokenizer"),
    ("tokenizer.json", "a split that drops what it matches"): (
        lambda f: f["pre_tokenizer"]["pretokenizers"][0].__setitem__("behavior", "Removed"),
        "pre_tokenizer",
    ),
    ("tokenizer.json", "no pre-tokenizer"): (put("pre_tokenizer", None), "pre_tokenizer"),
    ("tokenizer.json", "a space in front"): (
        put("pre_tokenizer", {"type": "ByteLevel", "add_prefix_space": True}),
        "pre_tokenizer",
    ),
    ("tokenizer.json", "ids exchanged"): (lambda f: exchange_ids(f["model"]["vocab"]), "out of order"),
    ("tokenizer.json", "merges exchanged"): (lambda f: swap_merges(f["model"]), "out of order"),
    ("tokenizer.json", "a merge missing"): (lambda f: f["model"]["merges"].pop() and None, "its merge .* is missing"),
    ("tokenizer.json", "a merge of one"): (
        lambda f: f["model"]["merges"].__setitem__(0, ["a"]),
        "must be two tokens",
    ),
    ("tokenizer.json", "a merge that is a number"): (
        lambda f: f["model"]["merges"].__setitem__(0, 7),
        "must be two tokens",
    ),
    ("tokenizer.json", "a letter that is no byte"): (
        lambda f: f["model"]["vocab"].__setitem__("日", 302),
        "none of the 256 characters",
    ),
    ("tokenizer.json", "added tokens that are text"): (put("added_tokens", ["<|end|>"]), "added_tokens='<|end|>'"),
    ("tokenizer.json", "an added token without an id"): (put("added_tokens", [{"content": "x"}]), "an id"),
    ("tokenizer.json", "an added token twice"): (
        lambda f: f["added_tokens"].append(f["added_tokens"][0]),
        "there twice",
    ),
    **{
        ("tokenizer.json", f"an added token with {flag}"): (
            lambda f, flag=flag: f["added_tokens"][0].__setitem__(flag, True),
            f"{flag}=True",
        )
        for flag in ("lstrip", "rstrip", "single_word")
    },
    ("tokenizer.json", "added tokens of which some are normalized"): (
        lambda f: f["added_tokens"][0].__setitem__("normalized", True),
        "some are normalized",
    ),
    ("tokenizer.json", "truncation"): (put("truncation", {"max_length": 9}), "truncation="),
    ("tokenizer.json", "padding"): (put("padding", {"length": 9}), "padding="),
    ("tokenizer.json", "a post-processor that adds a token"): (
        put("post_processor", {"type": "Sequence", "processors": [{"type": "TemplateProcessing"}]}),
        "post_processor=",
    ),
    ("tokenizer.json", "another decoder"): (put("decoder", {"type": "WordPiece"}), "decoder="),
    ("tokenizer.json", "an added token with an id that the library would change"): (
        lambda f: f["model"]["vocab"].pop("<|end|>") and f["added_tokens"][0].__setitem__("id", 310) and None,
        "the library gives it 301",
    ),
    ("tokenizer.json", "an id that is text"): (lambda f: f["model"]["vocab"].__setitem__("a", "7"), "whole number"),
    ("tokenizer.json", "two tokens with one id"): (lambda f: f["model"]["vocab"].__setitem__("b", 64), "the same id"),
    ("tokenizer.json", "an id left out"): (put_token_at(999), "no token has this id"),
    ("tokenizer.json", "a token that no merge makes"): (put_token_at(302), "no merges reach it"),
    ("tokenizer.json", "no model"): (put("model", 3), "model=3: it must be a dict"),
    ("tokenizer.json", "a special id that is taken"): (
        lambda f: f["added_tokens"][0].__setitem__("id", 3),
        "the library gives it 300",
    ),
}


@pytest.mark.parametrize("name, damage", JSON_DAMAGE)
def test_damaged_json_is_refused(name, damage, tmp_path):
    change, message = JSON_DAMAGE[name, damage]
    save_all(tmp_path)
    change_json(tmp_path / name, change)
    with pytest.raises(ValueError, match=message) as error:
        LOADERS[name](tmp_path)
    assert str(tmp_path) in str(error.value)


def test_json_with_a_key_twice_or_not_utf8_is_refused(tmp_path):
    save_all(tmp_path)
    (tmp_path / "encoder.json").write_text('{"a": 1, "b": 2, "a": 3}')
    with pytest.raises(ValueError, match="'a' is there twice"):
        LOADERS["encoder.json"](tmp_path)
    (tmp_path / "ours.json").write_bytes(b"\xff")
    with pytest.raises(ValueError, match="not UTF-8 at byte 0"):
        LOADERS["ours.json"](tmp_path)


def test_gpt2_s_files_need_gpt2_s_order(tmp_path):
    with pytest.raises(ValueError, match="GPT2_ORDER"):
        save_gpt2(Vocabulary.from_merges([]), tmp_path / "a", tmp_path / "b")


def test_the_older_form_of_merges_and_gpt2_s_own_split_are_read(tmp_path):
    save_all(tmp_path)

    def older(found):
        found["model"]["merges"] = [" ".join(pair) for pair in found["model"]["merges"]]
        found["pre_tokenizer"] = {
            "type": "ByteLevel",
            "add_prefix_space": False,
            "trim_offsets": True,
            "use_regex": True,
        }

    change_json(tmp_path / "tokenizer.json", older)
    assert load_tokenizer_json(tmp_path / "tokenizer.json") == VOCABULARY


def test_letters_and_bytes_are_one_to_one():
    assert from_unicode(to_unicode(bytes(range(256)))) == bytes(range(256))
    assert to_unicode(b" the\n") == "\u0120the\u010a"
    assert GPT2_ORDER[0] == 33 and GPT2_ORDER.index(32) == 220


# ---------------------------------------------------------------- vocabularies


def test_merges_are_recovered_from_ranks():
    assert Vocabulary.from_ranks(VOCABULARY.ranks, GPT2, SPECIAL) == VOCABULARY
    assert VOCABULARY.truncate(280).merges == VOCABULARY.merges[:24]
    with pytest.raises(ValueError, match="size=255"):
        VOCABULARY.truncate(255)
    with pytest.raises(ValueError, match="no token has this id|256 bytes"):
        Vocabulary.from_ranks({b"a": 0, b"b": 2})
    with pytest.raises(ValueError, match="merges.0.=.999, 1"):
        Vocabulary.from_merges([(999, 1)])


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
