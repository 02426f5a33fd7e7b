"""Vocabulary files: each format comes back as it went, and whatever is damaged is refused with the reason."""

import hashlib
import re

import pytest
from byte_pair_smith import GPT2, GPT2_ORDER, Vocabulary, load_tiktoken, load_tokenizer_json, save_gpt2
from byte_pair_smith.formats.bytes_to_unicode import from_unicode, to_unicode
from vocabulary_files import LOADERS, SPECIAL, VOCABULARY, change_json, lines_of, rewrite, save_all


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
