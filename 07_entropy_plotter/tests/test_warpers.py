"""The rules: the oracle is `transformers`, for random and for tied logits."""

import itertools
import math

import pytest
import torch
from entropy_plotter import SamplingParams, warpers
from hypothesis import given, settings
from hypothesis import strategies as st

RULES = {
    "temperature": ("TemperatureLogitsWarper", [0.3, 1.7]),
    "top_k": ("TopKLogitsWarper", [1, 4, 50]),
    "top_p": ("TopPLogitsWarper", [0.05, 0.4, 0.9, 0.99]),
    "min_p": ("MinPLogitsWarper", [0.02, 0.3, 1.0]),
    "typical": ("TypicalLogitsWarper", [0.2, 0.6, 0.95]),
    "eta": ("EtaLogitsWarper", [3e-4, 0.05, 0.4]),
}
IN_TASKS = ["temperature", "top_k", "top_p", "min_p"]


def theirs(name):
    from transformers.generation import logits_process  # imported here: it takes a second, in every graded run

    return getattr(logits_process, name)


def random_logits(seed, *shape, dtype=torch.float32):
    return 2.5 * torch.randn(shape, generator=torch.Generator().manual_seed(seed)).to(dtype)


def check_rule(rule, name, logits, rtol=0):
    made, values = RULES[name]
    for value in values:
        got, want = rule(logits, value), theirs(made)(value)(None, logits.clone())
        torch.testing.assert_close(got, want, rtol=rtol, atol=0, msg=f"{name} {value}")


@pytest.mark.parametrize("name", RULES)
def test_oracle_random_and_tied_logits(name, seed):
    check_rule(getattr(warpers, name), name, random_logits(seed, 64, 37))
    tied = random_logits(seed, 64, 37).round()  # whole numbers: many ties, at the edges too
    check_rule(getattr(warpers, name), name, tied)


@pytest.mark.task("temperature")
def test_temperature_divides_the_logits(impl, seed):
    for T in (0.3, 1.7):
        logits = random_logits(seed, 11, 37)
        torch.testing.assert_close(impl.temperature(logits, T), logits / T, rtol=1e-6, atol=0)  # or by the reciprocal
    logits = random_logits(seed, 3, 7, dtype=torch.float64)
    torch.testing.assert_close(impl.temperature(logits, 0.01), logits / 0.01, rtol=1e-12, atol=0)  # as cold as it gets


@pytest.mark.task("top_k")
@pytest.mark.parametrize("k", [1, 4, 50])
def test_top_k_keeps_what_the_kth_logit_of_the_row_does_not_exceed(impl, seed, k):
    for logits in (random_logits(seed, 11, 37), random_logits(seed, 11, 37).round()):  # the second has many ties
        edges = [sorted(row)[-min(k, 37)] for row in logits.tolist()]
        want = [[x if x >= edge else -math.inf for x in row] for row, edge in zip(logits.tolist(), edges, strict=True)]
        assert impl.top_k(logits, k).tolist() == want


@pytest.mark.task("top_k")
def test_each_row_has_its_own_edge_and_the_others_are_minus_infinity(impl):
    inf = math.inf
    logits = torch.tensor([[1.0, 2.0, 3.0], [7.0, 9.0, 8.0]])
    assert impl.top_k(logits, 2).tolist() == [[-inf, 2.0, 3.0], [-inf, 9.0, 8.0]]


@pytest.mark.task("top_k")
def test_logits_are_compared_and_only_equal_ones_are_ties(impl):
    inf = math.inf
    near = torch.tensor([0.999999, 1.0, 0.999998], dtype=torch.float64)
    assert impl.top_k(near, 1).tolist() == [-inf, 1.0, -inf]
    far = torch.tensor([[-901.0, 0.0, -900.0, -902.0]])  # three probabilities that round to 0
    assert impl.top_k(far, 2).tolist() == [[-inf, 0.0, -900.0, -inf]]


def test_oracle_top_p(impl, seed):
    check_rule(impl.top_p, "top_p", random_logits(seed, 11, 37))


def test_oracle_min_p(impl, seed):
    check_rule(impl.min_p, "min_p", random_logits(seed, 11, 37))


@pytest.mark.task("repetition_penalty")
def test_logits_of_tokens_that_occurred_are_divided_or_multiplied(impl, seed):
    logits = random_logits(seed, 5, 11)
    tokens = torch.randint(11, (5, 7), generator=torch.Generator().manual_seed(seed))
    for penalty in (0.8, 1.3, 5.0):
        want = logits.clone()
        for row, token in {(i, t) for i in range(5) for t in tokens[i].tolist()}:
            want[row, token] *= penalty if logits[row, token] < 0 else 1 / penalty
        torch.testing.assert_close(impl.repetition_penalty(logits, tokens, penalty), want, rtol=1e-6, atol=0)


def test_oracle_repetition_penalty(impl, seed):
    logits = random_logits(seed, 5, 11)
    tokens = torch.randint(11, (5, 7), generator=torch.Generator().manual_seed(seed))
    for penalty in (0.8, 1.3, 5.0):
        want = theirs("RepetitionPenaltyLogitsProcessor")(penalty)(tokens, logits.clone())
        torch.testing.assert_close(impl.repetition_penalty(logits, tokens, penalty), want, rtol=1e-6, atol=0)


def test_oracle_the_order_is_that_of_transformers(impl, seed):
    logits = random_logits(seed, 9, 37)
    tokens = torch.randint(37, (9, 5), generator=torch.Generator().manual_seed(seed))
    params = SamplingParams(repetition_penalty=1.4, temperature=2.0, top_k=20, top_p=0.8, min_p=0.15, typical=0.9)
    chain = [
        theirs("RepetitionPenaltyLogitsProcessor")(1.4),
        theirs("TemperatureLogitsWarper")(2.0),
        theirs("TopKLogitsWarper")(20),
    ]
    chain += [theirs("TopPLogitsWarper")(0.8), theirs("MinPLogitsWarper")(0.15), theirs("TypicalLogitsWarper")(0.9)]
    want = logits.clone()
    for step in chain:
        want = step(tokens, want)
    torch.testing.assert_close(impl.warp(logits, tokens, params), want, rtol=1e-6, atol=0)


@pytest.mark.task("warp")
@pytest.mark.parametrize("name", ["repetition_penalty", "temperature", "top_k", "top_p", "min_p"])
def test_a_setting_of_zero_is_not_none(impl, name):
    with pytest.raises(ValueError):
        impl.warp(torch.zeros(1, 3), torch.tensor([[1]]), SamplingParams(**{name: 0}))


@pytest.mark.task("warp")
def test_each_pair_of_rules_is_applied_in_the_order_of_the_list(impl, seed):
    logits = random_logits(seed, 60, 23, dtype=torch.float64) / 2
    tokens = torch.randint(23, (60, 5), generator=torch.Generator().manual_seed(seed))
    values = {"repetition_penalty": 1.5, "frequency_penalty": 0.9, "presence_penalty": 0.7, "temperature": 2.0}
    values |= {"top_k": 6, "top_p": 0.7, "min_p": 0.2, "typical": 0.7, "eta": 0.2}
    for first, second in itertools.combinations(values, 2):
        want = logits
        for name in (first, second):
            more = (tokens,) if name.endswith("penalty") else ()
            want = getattr(warpers, name)(want, *more, values[name])
        got = impl.warp(logits, tokens, SamplingParams(**{first: values[first], second: values[second]}))
        torch.testing.assert_close(got, want, rtol=1e-9, atol=0)


@pytest.mark.task("top_p")
def test_property_the_nucleus_reaches_p_and_no_smaller_set_does(impl):
    @settings(deadline=None, max_examples=30)
    @given(st.floats(0.01, 0.98), st.integers(0, 2**20))
    def holds(p, seed):
        logits = 3 * torch.randn(2, 23, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        kept = impl.top_p(logits, p) > -math.inf
        for probs, keep in zip(logits.softmax(-1), kept, strict=True):
            inside = probs[keep]
            assert inside.sum() >= p - 1e-9 and inside.sum() - inside.min() < p + 1e-9
            assert not keep.all() and inside.min() > probs[~keep].max() or keep.all()

    holds()


@pytest.mark.task("top_p")
def test_a_sum_of_exactly_p_is_enough_and_p_1_keeps_everything(impl):
    equal = torch.zeros(1, 4, dtype=torch.float64)  # four times 0.25, without rounding
    kept = [int((impl.top_p(equal, p) > -math.inf).sum()) for p in (0.25, 0.5, 0.75, 0.6, 0.5001, 1.0)]
    assert kept == [1, 2, 3, 3, 3, 4]


@pytest.mark.task("top_p")
def test_the_likeliest_token_stays_at_every_p_and_p_may_be_a_whole_number(impl):
    logits = torch.tensor([[1.0, 3.0, 2.0], [0.0, -1.0, -2.0]])
    assert (impl.top_p(logits, 1e-9) > -math.inf).tolist() == [[False, True, False], [True, False, False]]
    assert torch.equal(impl.top_p(logits, 1), logits)


@pytest.mark.task("min_p")
def test_a_token_exactly_at_the_threshold_stays(impl):
    half, inf = math.log(0.5), math.inf
    logits = torch.tensor([[0.0, half, half, -inf, -2.0], [half, -2.0, 0.0, half, -inf]], dtype=torch.float64)
    assert impl.min_p(logits, 0.5).tolist() == [[0.0, half, half, -inf, -inf], [half, -inf, 0.0, half, -inf]]
    assert impl.min_p(logits, 1).tolist() == [[0.0, -inf, -inf, -inf, -inf], [-inf, -inf, 0.0, -inf, -inf]]


@pytest.mark.task("min_p")
def test_property_a_constant_moves_no_edge(impl):
    @settings(deadline=None, max_examples=30)
    @given(st.floats(0.01, 0.98), st.floats(-30, 30), st.integers(0, 2**20))
    def holds(p, constant, seed):
        logits = 3 * torch.randn(2, 23, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        kept = impl.min_p(logits, p) > -math.inf
        assert ((impl.min_p(logits + constant, p) > -math.inf) == kept).all()
        probs = logits.softmax(-1)
        assert (kept == (probs >= p * probs.amax(-1, keepdim=True))).all()

    holds()


@pytest.mark.task("top_k")
@pytest.mark.parametrize("k", [0, -1])
def test_bad_input_top_k(impl, k):
    with pytest.raises(ValueError):
        impl.top_k(torch.zeros(2, 3), k)


@pytest.mark.task("temperature")
@pytest.mark.parametrize("value", [0.0, -1.0])
def test_bad_input_temperature(impl, value):
    with pytest.raises(ValueError):
        impl.temperature(torch.zeros(2, 3), value)


@pytest.mark.parametrize("value", [0.0, -0.1, 1.1])
@pytest.mark.parametrize("name", ["top_p", "min_p", "typical", "eta"])
def test_bad_input_shares(name, value):
    with pytest.raises(ValueError, match=rf"={value}: must be above 0 and at most 1"):
        getattr(warpers, name)(torch.zeros(2, 3), value)


@pytest.mark.task("top_p")
@pytest.mark.parametrize("value", [0.0, 1.1])
def test_bad_input_top_p(impl, value):
    with pytest.raises(ValueError):
        impl.top_p(torch.zeros(2, 3), value)


@pytest.mark.task("min_p")
@pytest.mark.parametrize("value", [0.0, 1.1])
def test_bad_input_min_p(impl, value):
    with pytest.raises(ValueError):
        impl.min_p(torch.zeros(2, 3), value)


@pytest.mark.task("repetition_penalty")
def test_bad_input_penalty(impl):
    with pytest.raises(ValueError):
        impl.repetition_penalty(torch.zeros(1, 3), torch.zeros(1, 1, dtype=torch.long), 0.0)


def test_frequency_counts_and_presence_does_not():
    logits, tokens = torch.tensor([[1.0, 2.0, 3.0]]), torch.tensor([[2, 0, 2]])
    assert warpers.frequency_penalty(logits, tokens, 0.5).tolist() == [[0.5, 2.0, 2.0]]
    assert warpers.presence_penalty(logits, tokens, 0.5).tolist() == [[0.5, 2.0, 2.5]]


def test_effect_a_known_tail_is_drawn_as_often_as_it_weighs(seed):
    """A model whose tail has mass ε: T draws hold ε·T tail tokens on average, and none after top-p = 1 - ε."""
    eps, T = 0.03, 40_000
    head, tail = torch.full((5,), (1 - eps) / 5).log(), torch.full((300,), eps / 300).log()
    logits = torch.cat((head, tail))[None]
    from entropy_plotter import sample

    uniforms = torch.rand(T, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    drawn = sample(logits.expand(T, -1), uniforms)
    deviation = math.sqrt(eps * (1 - eps) * T)
    assert abs(int((drawn >= 5).sum()) - eps * T) < 4.5 * deviation
    for cut in (warpers.top_p(logits, 0.96), warpers.min_p(logits, 0.05), warpers.top_k(logits, 5)):
        assert int((sample(cut.expand(T, -1), uniforms) >= 5).sum()) == 0
