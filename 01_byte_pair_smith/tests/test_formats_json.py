"""JSON files that are damaged, or that would give other ids: each is refused with the file and the reason."""

import pytest
from vocabulary_files import LOADERS, change_json, save_all


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
