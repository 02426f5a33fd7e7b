"""The vote, and its binomial promise."""

import pytest
import torch
from entropy_plotter.consistency import binomial_majority, plurality


@pytest.mark.task("majority_vote")
def test_answers_vote_and_chains_do_not(impl):
    chains = ["3 4 =4", "3 5=4", "4 4 = 4 ", "1 =7", "1 =7"]
    assert impl.majority_vote(chains) == "4"


@pytest.mark.task("majority_vote")
def test_the_answer_follows_the_last_marker_without_white_space(impl):
    assert impl.majority_vote(["1+2=3 3=12", "2=12 ", "= 12", "=7", "=7"]) == "12"
    assert impl.majority_vote(["1+2=3 =11", "1+2=3 =11", "1+2=3 =4"]) == "11"


@pytest.mark.task("majority_vote")
def test_chains_without_an_answer_have_no_vote(impl):
    assert impl.majority_vote(["no", "no", "no", "a =", "a =", "=5"]) == "5"
    assert impl.majority_vote(["nothing", "="]) is None
    assert impl.majority_vote([]) is None


@pytest.mark.task("majority_vote")
def test_tabs_and_line_ends_are_white_space_and_stay_inside_an_answer(impl):
    assert impl.majority_vote(["=8\n", "=\t8", "=9", "= 9", "=\r\n8 "]) == "8"
    assert impl.majority_vote(["=1\n2", "=1\n2\n", "=1", "=2"]) == "1\n2"


@pytest.mark.task("majority_vote")
def test_nothing_after_the_last_marker_is_no_vote_and_a_marker_is_text(impl):
    assert impl.majority_vote(["1+2=3 =", "2+1=3 =\n", "4=4"]) == "4"
    assert impl.majority_vote(["so. 8", "1=9 so. 9", "3.1. 9"], marker=".") == "9"


@pytest.mark.task("majority_vote")
def test_the_first_of_equals_wins(impl):
    assert impl.majority_vote(["x=b", "x=a", "y=a", "y=b"]) == "b"
    assert impl.majority_vote(["#2", "=3 #9", "#9"], marker="#") == "9"


@pytest.mark.parametrize("k", [1, 2, 5, 8, 31])
@pytest.mark.parametrize("p", [0.0, 0.3, 0.5, 0.8, 1.0])
def test_oracle_the_binomial_promise(k, p):
    from scipy.stats import binom  # imported here: it takes a second, in every graded run

    want = binom.sf(k // 2, k, p) + (binom.pmf(k // 2, k, p) / 2 if k % 2 == 0 else 0)
    assert binomial_majority(p, k) == pytest.approx(want, abs=1e-12)


def test_plurality_of_two_answers_is_the_binomial():
    shares = torch.tensor([0.6, 0.4])
    for k in (1, 4, 9):
        assert plurality(shares, k, draws=20_000) == pytest.approx(binomial_majority(0.6, k), abs=0.015)  # 4 deviations


def test_plurality_needs_no_majority():
    assert plurality(torch.tensor([0.3, *[0.1] * 7]), 63) > 0.9 > binomial_majority(0.3, 63)
