"""What the grader says of a wrong output is true of it. The same bytes in every project."""

import ast
import os
import time
import types

import numpy as np
import pytest
from changes import changes
from compare import Raised, brief, close, first_difference, ordinal, same
from diagnosis import error_of, output, part
from limits import TooLong, limited
from mutants import Pieces, bare, built, changed
from symptoms import symptom

X = np.arange(1.0, 25.0).reshape(2, 3, 4) ** 1.5
ROWS = np.array([[0.2, 0.3, 0.5], [0.1, 0.6, 0.3]])


@pytest.mark.parametrize(
    "got, want, said",
    [
        (X * 7, X, "too large by a factor of 7"),
        (X / 4, X, "too small by a factor of 4"),
        (X * np.sqrt(11), X, "everywhere 3.317 times the right value"),
        (-X, X, "the sign is wrong everywhere"),
        (X + 3, X, "everywhere 3 too large"),
        (X * 0, X, "all zeros"),
        (np.array([[17022976]]), np.array([[17022977]]), "off by up to 1, and whole numbers must be exact"),
        (np.array([[2**25, 8]]), np.array([[2**25 + 1, 8]]), "off by up to 1, and whole numbers"),
        (X.transpose(2, 1, 0), X, "axes exchanged: permute(2, 1, 0)"),
        (X[:, :, 1:], X, "only the last 3 of 4 along axis 2"),
        (X[:, :2], X, "only the first 2 of 3 along axis 1"),
        (np.concatenate([X, X[:1]]), X, "right, with 1 more at the end of axis 0"),
        (np.roll(X, 1, 2), X, "rotated by 1 along axis 2"),
        (X[:, ::-1], X, "reversed along axis 1"),
        (X.reshape(6, 4), X, "right values, but of shape [6, 4]"),
        (X.astype(np.float32), X, "right, but of dtype float32 where float64 is expected"),
        (X.astype(np.float16).astype(float), X, "the values are those of float16"),
        ((X.astype(np.float32).view(np.uint32) & 0xFFFF0000).view(np.float32).astype(float), X, "those of bfloat16"),
        (np.where(np.arange(4) == 2, np.nan, X), X, "nan in 6 of 24 places, the first at [0, 0, 2]"),
        (X, np.where(np.arange(4) == 2, -np.inf, X), "5.19615 where -inf is right, in 6 of 24 places, the first at"),
        (3, np.inf, "it is 3, right is inf"),
        (np.where(np.arange(4) == 3, 0, X), X, "right except at position 3 (the last) along axis 2"),
        (np.concatenate([X[:1], 2 * X[1:] + 1]), X, "right except at row 1 (the last)"),
        (ROWS.T.reshape(2, 3), ROWS, "the right values in another order"),
        (ROWS * [[2], [1]], ROWS, "do not sum to one: one of them sums to 2"),
        (None, X, "returns None"),
        (None, "ValueError", "no error, where a ValueError is promised"),
        (X.tolist(), X, "returns a list where a NumPy array is expected"),
        (3, 4, "1 too small (3 where 4 is right)"),
        (3, 6, "too small by a factor of 2 (3 where 6 is right)"),
        (17, 4, "13 too large (17 where 4 is right)"),
        (np.array(3.0), np.array(6.0), "too small by a factor of 2 (3 where 6 is right)"),
        (4.0, 4, "right, but a float where an int is promised"),
        ([1, 2, 3], [3, 2, 1], "reversed"),
        ([1, 2], [1, 2, 3], "only the first 2 of 3 items"),
        ("abcd", "abXd", "the text differs from character 2"),
        ({"a": 1}, {"a": 1, "b": 2}, "the key 'b' is missing"),
        (Raised("KeyError", "'x'"), X, "raises KeyError: 'x'"),
        (1, Raised("ValueError", "no"), "returns 1 where a ValueError is promised"),
        (1, Raised("AssertionError", "no"), "returns 1 where an AssertionError is promised"),
        (Raised("KeyError", "x"), Raised("IndexError", "y"), "raises a KeyError where an IndexError is promised"),
        (True, False, "it is True, right is False"),
        ("RuntimeError", None, "raises a RuntimeError where no error is promised"),
        ([], [1, 2], "empty, where 2 items are expected"),
        (X[:, :0], X, "shape [2, 0, 4] where [2, 3, 4] is expected"),
        ((12, 4, -8.0), (12, 4, -8), "item 2 is a float where an int is promised"),
        ("RuntimeError", "ValueError", "raises a RuntimeError where a ValueError is promised"),
    ],
)
def test_a_symptom_says_what_is_so(got, want, said):
    assert not same(got, want)
    assert said in symptom(got, want)


def test_a_factor_is_named_by_the_argument_that_it_equals():
    named = {"heads": 6.0, "length": 64.0}
    assert "which is `heads`" in symptom(X / 6, X, named)
    assert "which is √`length`" in symptom(X * 8, X, {"length": 64.0})
    assert "too large by `length`" in symptom(100.5 + 64, 100.5, named)


def test_values_beyond_float16_stop_nothing():
    assert symptom(np.array([1e6, 19.0]), np.array([1e6, 199.0]))


def test_a_shift_is_told():
    x = np.arange(1.0, 7.0) ** 2
    assert "shifted by 1" in symptom(np.concatenate([[0.0], x[:-1]]), x)


@pytest.mark.parametrize(
    "got, want, equal",
    [
        (X + 1e-9, X, True),
        (X.astype(np.float32), X, False),
        (3, 3.0, True),
        (3.0, 3, False),
        (np.int64(3), 3, True),
        ((1, 2), [1, 2], True),
        ([1, 2], [2, 1], False),
        (True, 1, False),
        (Raised("KeyError", "a", (), ("KeyError", "LookupError")), Raised("LookupError", "b"), True),
        (Raised("ValueError", "a", (), ("ValueError",)), Raised("KeyError", "a"), False),
        (np.array([5, 17022976]), np.array([5, 17022977]), False),
    ],
)
def test_equal_outputs_are_equal(got, want, equal):
    assert same(got, want) is equal


def test_the_first_difference_is_found_by_its_words():
    at, got, want = first_difference({"keys": [1, {"x": 2}]}, {"keys": [1, {"x": 3}]})
    assert (at, got, want) == ("keys, second item, x", 2, 3)
    errors = Raised("KeyError", "x"), Raised("IndexError", "x")
    assert first_difference(*errors) == ("", *errors)
    assert [ordinal(i) for i in (0, 6, 10, 20, 22)] == ["first", "7th", "11th", "21st", "23rd"]
    assert brief(X) == "float64[2, 3, 4]" and brief(np.array([1.0, 2])) == "float64[2] [1., 2.]"
    assert close(X, X) and not close(X, X[:1])


def test_mutants_change_one_thing_each():
    source = "def f(x, n=2):\n    if n < 1:\n        raise ValueError\n    y = x - n\n    return min(y, 3)\n"
    tree = bare(ast.parse(source))
    texts = {ast.unparse(changed(tree, c.path, c.new)) for c in changes(tree, {"x", "n"})}
    for line in ("y = x + n", "y = x", "y = n", "return max(y, 3)", "return min(y, 4)", "if n <= 1:", "if False:"):
        assert any(line in text for text in texts), line
    assert any("n=3" in text for text in texts) and any("n = 2\n" in text for text in texts)
    assert ast.unparse(tree) not in texts
    assert all("raise ValueError" in t or "pass" in t for t in texts)


def test_rounding_is_no_offset_and_small_numbers_are_no_squares():
    right = np.array([0.5, 0.0, 0.125])
    assert "nearly right" in symptom(right - 3e-6, right)
    assert "square" not in symptom(np.array([3e-4, 2e-4]), np.array([2e-6, 5e-6]))
    assert "square" in symptom(np.array([0.5, 0.25]), np.array([0.25, 0.0625]))


def test_a_row_with_a_negative_number_is_no_distribution():
    assert "sum to one" not in symptom(np.array([0.0, 4.0]), np.array([-3.0, 4.0]))


def test_ids_are_whole_numbers():
    assert "off by up to 1," in symptom(np.array([2**53]), np.array([2**53 + 1]))
    assert "bfloat16" not in symptom([258, 256], [256, 256]) and "nearly" not in symptom([50257, 1], [50256, 1])


def test_a_promised_error_counts_whatever_is_warned_of_before():
    def function():
        np.zeros(1) / np.zeros(1)
        raise KeyError

    assert error_of(function) == "KeyError"


def test_what_ends_in_time_keeps_its_value_and_its_error():
    assert limited(lambda: 3) == 3
    with pytest.raises(KeyError):
        limited(lambda: {}[1])
    with pytest.raises(TooLong):
        limited(lambda: [None for _ in iter(int, 1)], 0.2)
    with pytest.raises(TooLong):
        limited(lambda: [time.sleep(0.05) for _ in iter(int, 1)], wall=0.5)


def test_a_gradient_that_is_missing_is_no_missing_return():
    assert part("the gradient", None, X).startswith("the gradient: there is none")
    assert part("the loss", None, X) == "the loss: returns None: is there a `return`?"


@pytest.mark.parametrize("got", [[2.0, 9.08e-5], [2.0, 0.0625], [1.9990234, 0.01]])
def test_a_few_round_or_tiny_numbers_are_no_lower_precision(got):
    assert "values are those of" not in symptom(np.array(got), np.array([2.0, 0.0]))


def test_a_power_with_millions_of_digits_is_refused_at_once():
    text = "def f(n):\n    m = n ** n\n    m **= 2\n    return m, 2.0 ** -n"
    f = built([Pieces().program(ast.parse(text))], types.ModuleType("home"), "f")
    assert f(3) == (729, 0.125)
    with pytest.raises(OverflowError, match="too many digits"):
        f(10**7)


def test_annotations_are_checked_again_after_a_probe_that_fails():
    config, seen = pytest.importorskip("jaxtyping").config, []

    def probe(impl, seed):
        seen.append(config.jaxtyping_disable)
        raise ValueError

    before = config.jaxtyping_disable
    assert output(probe, None, 0).kind == "ValueError"
    assert seen == [True] and config.jaxtyping_disable == before


def test_the_threads_are_set_before_numpy_is_loaded(pytestconfig):
    assert "OMP_NUM_THREADS" in os.environ
    assert not pytestconfig.pluginmanager.has_plugin("jaxtyping"), "its plugin loads NumPy first"


def test_a_small_whole_factor_names_no_argument():
    said = symptom(X * 2, X, {"batch_size": 2.0})
    assert "factor of 2" in said and "batch_size" not in said
