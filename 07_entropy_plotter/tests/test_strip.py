"""Strips: one span a token, nothing a text can break, and dark letters that are readable on every colour."""

import math
import re

import pytest
import torch
from entropy_plotter import NGram, strip_html, strip_terminal
from entropy_plotter.strip import colour, measure


def test_one_span_a_token_and_the_text_is_escaped():
    page = strip_html(["<b>", " a", "\n", '"&'], [1.0, 2.5, 14.0], [0.5, 3.0, 1.0])
    assert page.count("<span") == 4 and "&lt;b&gt;" in page and "&quot;&amp;" in page and "<b>" not in page
    assert "surprisal 2.5 bits, entropy 3.0 bits" in page and "prefers-color-scheme: dark" in page


def test_the_terminal_shows_the_same_text():
    shown = strip_terminal(["The", " cat", " sat"], [1.0, 8.0])
    assert re.sub(r"\x1b\[[0-9;]*m", "", shown) == "The cat sat" and shown.count("\x1b[0m") == 2


def luminance(rgb):
    linear = [c / 255 / 12.92 if c / 255 <= 0.04045 else ((c / 255 + 0.055) / 1.055) ** 2.4 for c in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("bits", [0.0, 3.0, 6.0, 12.0, 40.0])
def test_dark_letters_are_readable_on_every_colour(bits):
    contrast = (luminance(colour(bits)) + 0.05) / (luminance((27, 27, 27)) + 0.05)
    assert contrast > 4.5  # what WCAG asks for


def test_measure_is_by_token():
    model = NGram([0, 1, 2] * 20, 3, 2)
    surprisals, entropies = measure(model, [0, 1, 2, 2])
    assert len(surprisals) == len(entropies) == 3 and surprisals[2] > 3 > 0.5 > surprisals[0]
    want = float(torch.special.entr(model.probs((0,))).sum()) / math.log(2)
    assert entropies[0] == pytest.approx(want, rel=1e-4)


def test_lengths_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="pieces=2: 2 surprisals"):
        strip_html(["a", "b"], [1.0, 2.0], [1.0, 2.0])
