"""Negatives: probabilities by hand, frequencies by a chi-square test, edges of the unit interval."""

import numpy as np
import pytest
from expect import array, close
from meaning_space.sampler import NegativeSampler
from scipy.special import chdtrc

COUNTS = np.array([1000, 400, 170, 90, 41, 17, 9, 5, 3, 1])


def p_value(seen, wanted):
    """Of a chi-square test."""
    return chdtrc(len(seen) - 1, ((seen - wanted) ** 2 / wanted).sum())


@pytest.mark.task("NegativeSampler")
def test_probability_is_the_count_to_the_three_quarters(impl):
    got = array(impl.NegativeSampler(np.array([81, 16, 1])).probability, (3,), "f", "probability")
    close(got, np.array([27, 8, 1]) / 36, "81, 16 and 1 to the power 3/4 are 27, 8 and 1, and they add up to 36")
    close(impl.NegativeSampler(np.array([3, 1]), 1.0).probability, [0.75, 0.25], "with power 1 these are the shares")


@pytest.mark.task("NegativeSampler")
def test_samples_by_hand(impl):
    sampler = impl.NegativeSampler(np.array([81, 16, 1]))
    got = sampler.sample(np.array([0, 1, 2]), np.array([[0.0, 0.8, 0.9], [0.0, 0.95, 0.97], [0.0, 0.76, 0.79]]))
    message = "without word 0 the line is 8 + 1 long, without word 1 27 + 1, without word 2 27 + 8"
    assert array(got, (3, 3), "i").tolist() == [[1, 1, 2], [0, 0, 2], [0, 0, 1]], message


@pytest.mark.task("NegativeSampler")
def test_the_edges_of_the_intervals_have_the_digits_of_float64(impl):
    sampler = impl.NegativeSampler(np.arange(1, 9), 1.0)
    edges = np.array([1, 3, 6, 10, 15, 21]) / 28
    below, above = (sampler.sample(np.array([7]), edges[None] + step).tolist() for step in (-1e-10, 1e-10))
    message = "without word 7 the line is 28 long, and words end at 1, 3, 6, 10, 15, 21: 1e-10 beside these ends"
    assert (below, above) == ([[0, 1, 2, 3, 4, 5]], [[1, 2, 3, 4, 5, 6]]), message


@pytest.mark.task("NegativeSampler")
@pytest.mark.parametrize(
    "counts, target, words", [([3, 3, 2], 2, [1, 0]), ([2, 3, 3], 0, [2, 1]), ([2, 4, 2], 1, [2, 0])]
)
def test_a_point_on_a_border_belongs_to_the_word_behind_it(impl, counts, target, words):
    """All shares are eighths, without rounding; half of the line is a border."""
    got = impl.NegativeSampler(np.array(counts), 1.0).sample(np.array([target]), np.array([[0.5, 0.0]]))
    assert got.tolist() == [words], "an interval includes its lower end"


@pytest.mark.task("NegativeSampler")
def test_a_second_sampler_leaves_the_first_as_it_is(impl):
    counts = np.array([16, 81, 1])
    first = impl.NegativeSampler(counts)
    second = impl.NegativeSampler(np.array([1, 1, 1, 1]))
    assert counts.tolist() == [16, 81, 1], "the counts belong to the caller"
    close(first.probability, np.array([8, 27, 1]) / 36, "the probability of the first sampler")
    close(second.probability, np.full(4, 0.25), "the probability of the second sampler")
    got = first.sample(np.array([1, 1]), np.array([[0.5, 0.95], [0.85, 0.9]]))
    second.sample(np.array([1, 1]), np.array([[0.5, 0.95], [0.85, 0.9]]))
    assert got.tolist() == [[0, 2], [0, 2]], "without word 1 the line of the first sampler is 8 + 1 long"


@pytest.mark.task("NegativeSampler")
def test_the_same_counts_in_another_order_make_another_line(impl):
    uniforms = np.array([[0.01, 0.5, 0.98]])
    for counts, words in (([81, 16, 1], [0, 0, 2]), ([1, 16, 81], [0, 2, 2])):
        got = impl.NegativeSampler(np.array(counts)).sample(np.array([1]), uniforms)
        assert got.tolist() == [words], f"counts {counts}, without word 1, at 0.01, 0.5 and 0.98 of the line"


@pytest.mark.task("NegativeSampler")
@pytest.mark.parametrize("power, weights", [(0.0, [1, 1, 1]), (4.0, [256, 16, 1]), (-1.0, [0.25, 0.5, 1])])
def test_the_power_may_be_any_number(impl, power, weights):
    got = impl.NegativeSampler(np.array([4, 2, 1]), power=power).probability
    close(got, np.array(weights) / sum(weights), f"counts 4, 2 and 1 to the power {power}, with the sum 1")


@pytest.mark.task("NegativeSampler")
def test_counts_are_int64(impl):
    sampler = impl.NegativeSampler(np.array([81, 16, 1]) * 10**12)
    close(sampler.probability, np.array([27, 8, 1]) / 36, "the counts 81, 16 and 1, times 10^12")
    sampler = impl.NegativeSampler(np.array([2**51, 2**52, 2**51 - 1]), 1.0)
    close(sampler.probability, [0.25, 0.5, 0.25], "the shares of 2^61, 2^62 and 2^61")


@pytest.mark.task("NegativeSampler")
def test_no_target_no_uniform_and_parts_of_tables(impl):
    sampler = impl.NegativeSampler(np.array([81, 16, 1]))
    array(sampler.sample(np.array([], dtype=np.int64), np.zeros((0, 3))), (0, 3), "i")
    array(sampler.sample(np.array([0, 2]), np.zeros((2, 0))), (2, 0), "i")
    table, uniforms = np.array([[1, 0], [0, 1], [0, 2]]), np.array([[0.8, 0.95, 0.76], [0.9, 0.97, 0.79]])
    assert sampler.sample(table[:, 1], uniforms.T).tolist() == [[1, 2], [0, 2], [0, 1]], "views of larger arrays"


@pytest.mark.task("NegativeSampler")
def test_negatives_are_never_the_target(impl, seed):
    rng = np.random.default_rng(seed)
    targets = rng.integers(0, len(COUNTS), 500)
    got = array(impl.NegativeSampler(COUNTS).sample(targets, rng.random((500, 8))), (500, 8), "i")
    assert ((got >= 0) & (got < len(COUNTS))).all(), "a negative must be a word of the vocabulary"
    assert (got != targets[:, None]).all(), "a negative is the target of its own pair"


@pytest.mark.task("NegativeSampler")
@pytest.mark.parametrize("target", [0, 4, 9])
def test_frequencies_pass_a_chi_square_test(impl, seed, target):
    rng = np.random.default_rng(seed)
    got = array(impl.NegativeSampler(COUNTS).sample(np.full(4000, target), rng.random((4000, 5))), (4000, 5), "i")
    weight = COUNTS**0.75
    weight[target] = 0
    others = np.arange(len(COUNTS)) != target
    seen = np.bincount(got.ravel(), minlength=len(COUNTS))
    assert seen[target] == 0, "a negative is the target of its own pair"
    p = p_value(seen[others], 20_000 * weight[others] / weight.sum())
    # One right sampler in a hundred thousand fails; a wrong distribution is many orders of magnitude beyond.
    assert p > 1e-5, f"20,000 draws do not have the frequencies of count^(3/4) without the target (p = {p:.1e})"


@pytest.mark.task("NegativeSampler")
@pytest.mark.parametrize("targets, uniform", [([10], 0.5), ([-1], 0.5), ([1], 1.0), ([1], -1e-12)])
def test_samples_are_refused(impl, targets, uniform):
    with pytest.raises(ValueError):
        impl.NegativeSampler(COUNTS).sample(np.array(targets), np.array([[uniform]]))


@pytest.mark.task("NegativeSampler")
@pytest.mark.parametrize("counts", [[7], [3, 0], [5, -2, 4]])
def test_counts_are_refused(impl, counts):
    with pytest.raises(ValueError):
        impl.NegativeSampler(np.array(counts))


@pytest.mark.task("NegativeSampler")
def test_uniforms_next_to_one_stay_inside_the_vocabulary(impl):
    sampler = impl.NegativeSampler(np.arange(50_000, 0, -1))
    largest = np.nextafter(1.0, 0.0)
    for target in (0, 1, 49_998, 49_999):
        got = sampler.sample(np.array([target]), np.array([[largest, 0.0]]))[0]
        assert target not in got, f"the largest float below 1 stands for the target {target} itself"
        assert got.min() >= 0 and got.max() < 50_000, f"the words {got} are not all inside a vocabulary of 50,000"


def test_uniforms_that_are_no_number_are_refused():
    with pytest.raises(ValueError, match="uniforms=nan"):
        NegativeSampler(COUNTS).sample(np.array([1]), np.array([[np.nan]]))


def test_shared_negatives_have_the_full_distribution():
    sampled = NegativeSampler(COUNTS).sample_shared(np.random.default_rng(0), 500, 64)
    weight = COUNTS**0.75
    assert sampled.shape == (500, 64)
    assert p_value(np.bincount(sampled.ravel(), minlength=10), sampled.size * weight / weight.sum()) > 1e-5
