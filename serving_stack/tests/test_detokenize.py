"""Text in pieces: decoding everything at once is the oracle."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

SINGLE = [bytes([b]) for b in range(256)]


def whole(text, stop):
    """What must arrive: the text up to the stop string that is complete first (the longer of two)."""
    ends = [(text.find(s) + len(s), -len(s)) for s in stop if s in text]
    return text[: sum(min(ends))] if ends else text


def stream(impl, pieces, stop):
    """(what was sent, whether it stopped) for tokens that are these pieces of bytes."""
    text = impl.StreamDetokenizer(pieces, stop)
    sent = "".join(text.push(i) for i in range(len(pieces)))
    return sent + text.finish(), text.stopped


@pytest.mark.task("StreamDetokenizer")
def test_oracle_any_cut_gives_the_same_text(impl):
    """vllm 48853 and 3572: half characters and half stop strings."""

    @settings(deadline=None, max_examples=30)
    @given(st.text("ab#é😀", max_size=14), st.lists(st.text("ab#é", min_size=1, max_size=3), max_size=3),
           st.lists(st.integers(0, 40), max_size=8))  # fmt: skip
    def holds(text, stop, cuts):
        data = text.encode()
        marks = sorted({0, len(data), *(c for c in cuts if c < len(data))})
        pieces = [data[a:b] for a, b in zip(marks, marks[1:], strict=False)]
        want = whole(text, stop)
        assert stream(impl, pieces, stop) == (want, want != text or any(s in text for s in stop))
        assert stream(impl, [bytes([b]) for b in data], stop)[0] == want

    holds()


@pytest.mark.task("StreamDetokenizer")
@pytest.mark.parametrize("data", [b"\xc3", b"a\xf0\x9f", b"\xff\xfe", b"\xe2\x82a", b"\xf0\x9f\x98x"])
def test_oracle_broken_bytes_are_those_of_python(impl, data):
    text = impl.StreamDetokenizer(SINGLE)
    assert "".join(map(text.push, data)) + text.finish() == data.decode(errors="replace")


@pytest.mark.task("StreamDetokenizer")
def test_property_nothing_is_held_longer_than_it_must(impl):
    text = impl.StreamDetokenizer(SINGLE, ["##", "end"])
    assert [text.push(b) for b in b"hi #x e"] == ["h", "i", " ", "", "#x", " ", ""]
    assert [text.push(b) for b in b"n!"] == ["", "en!"] and not text.stopped


@pytest.mark.task("StreamDetokenizer")
def test_property_after_a_stop_nothing_is_sent(impl):
    text = impl.StreamDetokenizer([b"one END two END", b"three"], ["END"])
    assert text.push(0) == "one " and text.stopped
    assert text.push(1) == "" and text.finish() == ""


@pytest.mark.task("StreamDetokenizer")
def test_property_which_of_two_stop_strings(impl):
    for stop in (["abcd", "bc"], ["bc", "abcd"]):
        assert stream(impl, [b"xabcd"], stop) == ("xa", True)
    for stop in (["c", "bc"], ["bc", "c"]):
        assert stream(impl, [b"xabc"], stop) == ("xa", True)
