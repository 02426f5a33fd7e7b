"""Vocabulary files: each format comes back as it went, and whatever is damaged is refused with the reason."""

import base64
import hashlib
import json
import re

import pytest
from byte_pair_smith import (
    CL100K,
    GPT2,
    GPT2_ORDER,
    Vocabulary,
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
from byte_pair_smith.bytes_to_unicode import from_unicode, to_unicode
from byte_pair_smith.corpora import path_of
from mistakes import random_text

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
    "two lines exchanged": (lambda ls: [*ls[:270], ls[271], ls[270], *ls[272:]], "rank 271 where 270 is due"),
    "a line doubled": (lambda ls: [*ls[:271], ls[270], *ls[271:]], "rank 270 where 271 is due"),
    "a line missing": (lambda ls: ls[:270] + ls[271:], "rank 271 where 270 is due"),
    "a token twice": (lambda ls: [*ls[:299], ls[256].split()[0] + b" 299"], "there twice"),
    "not base64": (lambda ls: [*ls[:270], b"!!!! 270", *ls[271:]], "is not base64"),
    "base64 with its padding lost": (lambda ls: [ls[0].replace(b"=", b""), *ls[1:]], "is not base64"),
    "a rank that is no number": (lambda ls: [*ls[:270], ls[270].split()[0] + b" x", *ls[271:]], "is not 'base64 rank'"),
    "three words": (lambda ls: [*ls[:270], ls[270] + b" 1", *ls[271:]], "is not 'base64 rank'"),
    "an empty token": (lambda ls: [*ls[:299], b" 299"], "the token is empty"),
    "an empty line": (lambda ls: [*ls[:270], b"", *ls[270:]], "is not 'base64 rank'"),
    "a byte missing": (lambda ls: [b"enF6 0", *ls[1:]], "256 bytes"),
    "a token no merge can make": (lambda ls: [*ls[:299], base64.b64encode(b"zqzqz") + b" 299"], "not two"),
    "a token before its parts": (lambda ls: by_rank([*ls[:256], *ls[299:255:-1]]), "not two"),
    "one token fewer than expected": (lambda ls: ls[:-1], "299 tokens, expected 300"),
    "nothing": (lambda ls: [], "is not 'base64 rank'"),
}


def by_rank(lines):
    return [line.split()[0] + b" %d" % n for n, line in enumerate(lines)]


@pytest.mark.parametrize("damage", RANK_DAMAGE)
def test_a_damaged_rank_file_is_refused(damage, tmp_path):
    change, why = RANK_DAMAGE[damage]
    save_all(tmp_path)
    rewrite(tmp_path / "ranks.tiktoken", change(lines_of(tmp_path / "ranks.tiktoken")))
    with pytest.raises(ValueError, match=why) as error:
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


BPE_DAMAGE = {
    "no version line": (lambda ls: ls[1:], "#version"),
    "two merges exchanged": (lambda ls: [*ls[:1], *ls[:0:-1]], "out of order, or missing|but the merges make it"),
    "a merge missing": (lambda ls: ls[:10] + ls[11:], "the merges make it|nothing before it makes"),
    "a merge doubled": (lambda ls: [*ls[:11], ls[10], *ls[11:]], "is there already"),
    "the last merge missing": (lambda ls: ls[:-1], "merges are missing"),
    "one word": (lambda ls: [*ls[:10], b"abc", *ls[11:]], "is not two tokens"),
    "not UTF-8": (lambda ls: [*ls[:10], b"\xff\xfe a", *ls[11:]], "is not UTF-8"),
}


@pytest.mark.parametrize("damage", BPE_DAMAGE)
def test_a_damaged_vocab_bpe_is_refused(damage, tmp_path):
    change, why = BPE_DAMAGE[damage]
    save_all(tmp_path)
    rewrite(tmp_path / "vocab.bpe", change(lines_of(tmp_path / "vocab.bpe")))
    with pytest.raises(ValueError, match=why):
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


def exchange_ids(ids):
    names = list(ids)
    ids[names[280]], ids[names[281]] = ids[names[281]], ids[names[280]]


JSON_DAMAGE = {
    ("ours.json", "an array"): (lambda f: [1, 2], "holds a JSON list"),
    ("ours.json", "another format"): (put("format", "x"), "'format' is 'x'"),
    ("ours.json", "no merges"): (put("merges", None), "'merges' must be a list"),
    ("ours.json", "a merge of three"): (lambda f: f["merges"].__setitem__(3, [1, 2, 3]), "merge 3 must be two ids"),
    ("ours.json", "a merge of strings"): (lambda f: f["merges"].__setitem__(3, ["a", "b"]), "merge 3 must be two ids"),
    ("ours.json", "a merge of truths"): (lambda f: f["merges"].__setitem__(3, [True, 2]), "merge 3 must be two ids"),
    ("ours.json", "an id from the future"): (
        lambda f: f["merges"].__setitem__(3, [1, 290]),
        "merge 3 joins ids 1 and 290",
    ),
    ("ours.json", "a negative id"): (lambda f: f["merges"].__setitem__(3, [1, -2]), "merge 3 joins ids 1 and -2"),
    ("ours.json", "a merge missing"): (lambda f: f["merges"].pop() and None, "'vocab_size' is 300"),
    ("ours.json", "merges exchanged"): (swap_merges, "'sha256' is not that|not two|joins ids"),
    ("ours.json", "a byte twice"): (lambda f: f["alphabet"].__setitem__(0, 34), "256 bytes once"),
    ("ours.json", "a byte of 300"): (lambda f: f["alphabet"].__setitem__(0, 300), "must list the 256 bytes"),
    ("ours.json", "a bad pattern"): (put("pattern", "["), "not a regular expression"),
    ("ours.json", "a special id that is taken"): (put("special", {"<|end|>": 5}), "below 300"),
    ("ours.json", "a special id that is text"): (put("special", {"<|end|>": "5"}), "whole numbers"),
    ("encoder.json", "ids exchanged"): (exchange_ids, "the merges make it number"),
    ("encoder.json", "an id missing"): (lambda f: f.pop("a") and None, "has id None"),
    ("encoder.json", "an id too many"): (put("zzz", 999), "belong to no merge"),
    ("encoder.json", "no special token"): (lambda f: f.pop("<|end|>") and None, "has no id"),
    ("tokenizer.json", "another model"): (
        lambda f: f["model"].__setitem__("type", "WordPiece"),
        "model.type is 'WordPiece'",
    ),
    ("tokenizer.json", "merges left out at random"): (
        lambda f: f["model"].__setitem__("dropout", 0.1),
        "model.dropout is 0.1",
    ),
    ("tokenizer.json", "a mark at the ends of words"): (
        lambda f: f["model"].__setitem__("end_of_word_suffix", "</w>"),
        "end_of_word_suffix is '</w>'",
    ),
    ("tokenizer.json", "a normaliser"): (put("normalizer", {"type": "NFC"}), "normalizer is"),
    ("tokenizer.json", "another split"): (put("pre_tokenizer", {"type": "Whitespace"}), "pre_tokenizer"),
    ("tokenizer.json", "a split that drops what it matches"): (
        lambda f: f["pre_tokenizer"]["pretokenizers"][0].__setitem__("behavior", "Removed"),
        "pre_tokenizer",
    ),
    ("tokenizer.json", "no split"): (put("pre_tokenizer", None), "pre_tokenizer"),
    ("tokenizer.json", "a space in front"): (
        put("pre_tokenizer", {"type": "ByteLevel", "add_prefix_space": True}),
        "pre_tokenizer",
    ),
    ("tokenizer.json", "ids exchanged"): (lambda f: exchange_ids(f["model"]["vocab"]), "the merges make it number"),
    ("tokenizer.json", "merges exchanged"): (lambda f: swap_merges(f["model"]), "number|nothing before it makes"),
    ("tokenizer.json", "a merge missing"): (lambda f: f["model"]["merges"].pop() and None, "belong to no merge"),
    ("tokenizer.json", "a merge of one"): (lambda f: f["model"]["merges"].__setitem__(0, ["a"]), "merge 0 must be two"),
    ("tokenizer.json", "a merge that is a number"): (
        lambda f: f["model"]["merges"].__setitem__(0, 7),
        "merge 0 must be two",
    ),
    ("tokenizer.json", "a letter that is no byte"): (
        lambda f: f["model"]["vocab"].__setitem__("日", f["model"]["vocab"].pop("a")),
        "none of the 256 letters",
    ),
    ("tokenizer.json", "no model"): (put("model", 3), "'model' must be a dict"),
    ("tokenizer.json", "a special id that is taken"): (
        lambda f: f["added_tokens"][0].__setitem__("id", 3),
        "below 300",
    ),
}


@pytest.mark.parametrize("name, damage", JSON_DAMAGE)
def test_damaged_json_is_refused(name, damage, tmp_path):
    change, why = JSON_DAMAGE[name, damage]
    save_all(tmp_path)
    change_json(tmp_path / name, change)
    with pytest.raises(ValueError, match=why) as error:
        LOADERS[name](tmp_path)
    assert str(tmp_path) in str(error.value) or "letters" in why


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
    with pytest.raises(ValueError, match="missing or doubled"):
        Vocabulary.from_ranks({b"a": 0, b"b": 2})
    with pytest.raises(ValueError, match="merge 0 joins ids 999"):
        Vocabulary.from_merges([(999, 1)])


# ---------------------------------------------------------------- named files


def test_a_named_file_that_is_another_one_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("HARDWAY_DATA", str(tmp_path))
    (tmp_path / "tinyshakespeare.txt").write_text("not by him")
    with pytest.raises(ValueError, match="sha256"):
        path_of("shakespeare")


def test_a_file_that_cannot_be_had_names_address_and_folder(tmp_path, monkeypatch):
    import pooch

    monkeypatch.setenv("HARDWAY_DATA", str(tmp_path))

    def unreachable(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr(pooch, "retrieve", unreachable)
    with pytest.raises(FileNotFoundError, match="cl100k_base.tiktoken.*https://.*HARDWAY_DATA"):
        path_of("cl100k")


@pytest.mark.data
def test_truncated_real_vocabularies_are_refused(tmp_path):
    from test_oracles import here

    whole = here("cl100k_base.tiktoken").read_bytes()
    (tmp_path / "cut.tiktoken").write_bytes(whole[:200_003])
    with pytest.raises(ValueError, match="cut.tiktoken"):
        load_tiktoken(tmp_path / "cut.tiktoken", CL100K, size=100256)
