"""The premium of languages, and the page that shows tokens."""

import json
from html.parser import HTMLParser

import pytest
from byte_pair_smith import CL100K, Tokenizer, Vocabulary, train_fast
from byte_pair_smith.lab.experiment import SAMPLES
from byte_pair_smith.lab.fetch import load_text
from byte_pair_smith.lab.languages import LANGUAGES, count_tokens, premiums, sentences
from byte_pair_smith.lab.view import page, spans, visible
from byte_pair_smith.lab.vocabularies import udhr

VOCABULARY = Vocabulary.from_merges(train_fast(load_text("pydoc")[:60_000], 700))
TOKENIZER = Tokenizer(VOCABULARY)
BYTES = Tokenizer(Vocabulary.from_merges([]))


# ---------------------------------------------------------------- languages


def test_there_are_at_least_twenty_languages_in_many_scripts():
    assert len({language.name for language in LANGUAGES}) == len(LANGUAGES) >= 20
    assert len(set(sentences().values())) == len(LANGUAGES)


def test_a_token_count_holds_characters_bytes_words_and_tokens():
    found = count_tokens(BYTES, "né 12 ओम")
    assert found == (8, 13, 3, 13)
    assert found.per_byte == 1 and found.per_word == 13 / 3
    assert count_tokens(BYTES, "日本", spaced=False).per_word is None


def test_the_premium_is_relative_to_english():
    found = premiums({"bytes": BYTES}, sentences())["bytes"]
    assert found["English"]["premium"] == 1
    for language, text in sentences().items():
        assert found[language]["premium"] == len(text.encode()) / len(sentences()["English"].encode())
    with pytest.raises(ValueError, match="English"):
        premiums({"bytes": BYTES}, {"German": "Wasser"})


def test_effect_a_vocabulary_of_english_makes_other_scripts_longer_more_than_bytes_do():
    ours, plain = premiums({"ours": TOKENIZER, "bytes": BYTES}, sentences()).values()
    assert min(ours[name]["premium"] for name in ("Russian", "Hindi", "Thai", "Greek")) > 3
    for name in ("Russian", "Hindi", "Thai", "Greek", "Tamil", "Arabic"):
        assert ours[name]["premium"] > 1.4 * plain[name]["premium"]


@pytest.mark.data
def test_the_declaration_is_there_in_every_language():
    from test_oracles import here

    here("udhr2.zip")
    texts = udhr([language.code for language in LANGUAGES])
    assert all(2_000 < len(text) < 30_000 for text in texts.values())


# ---------------------------------------------------------------- the page


class Reader(HTMLParser):
    """Collects the token spans, and minds that every element is closed in its order."""

    VOID = {"meta", "br", "input"}

    def __init__(self):
        super().__init__()
        self.open, self.ids, self.addresses = [], [], []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.addresses += [v for k, v in attrs.items() if k in ("src", "href")]
        if "data-id" in attrs:
            self.ids.append(int(attrs["data-id"]))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_and_holds_the_tokens():
    reader = Reader()
    written = page(SAMPLES, {"ours": TOKENIZER}, VOCABULARY, "A <title>")
    reader.feed(written)
    assert not reader.open and not reader.addresses
    assert reader.ids == [i for text in SAMPLES.values() for i in TOKENIZER.encode_ordinary(text)]
    assert "A &lt;title&gt;" in written and "prefers-color-scheme: dark" in written


def test_nothing_in_a_text_becomes_markup():
    text = "</script><b>&amp;</b> <img src=x>"
    assert "<b>" not in spans(BYTES, text) and "<img" not in spans(BYTES, text)
    written = page({"bad": text}, {"ours": TOKENIZER}, VOCABULARY, "t")
    data = written.split('id="data">')[1].split("</script>")[0]
    assert json.loads(data)["samples"]["bad"] == text


def test_white_space_and_parts_of_characters_can_be_seen():
    assert visible(b" the\n") == "·the↵"
    assert visible("é".encode()[:1]) == "c3"
    assert visible("🙂".encode()) == "🙂"
    assert visible(b"\x00") == "U+0000"


def test_the_page_knows_gpt2_s_split_only():
    with pytest.raises(ValueError, match="knows GPT2 only"):
        page(SAMPLES, {}, Vocabulary.from_merges([], pattern=CL100K), "t")
