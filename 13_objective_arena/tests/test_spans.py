"""Span corruption, UL2's mixture and fill-in-the-middle. The oracles are T5's arithmetic and the text itself."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mistakes import FOUR_MARKS, generator, ints, span_table
from objective_arena import (
    UL2,
    corrupt_batch,
    corrupted_lengths,
    draw_uniforms,
    fill_in_the_middle,
    noise_counts,
    random_partition,
    random_spans,
    raw_length,
    restore,
    span_corruption,
)

# ---------------------------------------------------------------- random parts


@pytest.mark.task("random_partition")
@pytest.mark.parametrize(("total", "parts"), [(17, 5), (7, 1), (7, 7), (1, 1), (29, 13)])
def test_parts_sum_and_none_is_empty(impl, seed, total, parts):
    uniforms = torch.rand(total - 1, generator=generator(seed))
    lengths = impl.random_partition(total, parts, uniforms)
    assert lengths.shape == (parts,) and lengths.sum() == total and lengths.min() >= 1
    cuts = lengths.cumsum(0)[:-1] - 1
    assert set(cuts.tolist()) == set(uniforms.argsort()[: parts - 1].tolist())


@pytest.mark.task("random_partition")
def test_effect_every_partition_has_the_same_probability(impl, seed):
    """Five items in three parts: six ways, each expected 100 times of 600; four deviations are 37."""
    uniforms = torch.rand(600, 4, generator=generator(seed))
    counts = {}
    for row in uniforms:
        key = tuple(impl.random_partition(5, 3, row).tolist())
        counts[key] = counts.get(key, 0) + 1
    assert len(counts) == 6 and all(abs(n - 100) < 37 for n in counts.values())


@pytest.mark.task("random_partition")
@pytest.mark.parametrize("parts", [0, -1, 4])
def test_bad_input_parts(impl, parts):
    with pytest.raises(ValueError):
        impl.random_partition(3, parts, torch.tensor([0.3, 0.2]))


# ---------------------------------------------------------------- span corruption


@pytest.mark.task("span_corruption")
def test_the_sentence_of_the_paper(impl):
    """Thank you [for inviting] me to your party [last] week."""
    words = torch.tensor([10, 11, 12, 13, 14, 15, 16, 17, 18, 19])
    inputs, targets = impl.span_corruption(words, span_table([2, 4], [8, 9]), 32_099, 1)
    assert inputs.tolist() == [10, 11, 32_099, 14, 15, 16, 17, 32_098, 19, 1]
    assert targets.tolist() == [32_099, 12, 13, 32_098, 18, 1]


@pytest.mark.task("span_corruption")
def test_spans_that_touch_keep_a_sentinel_each(impl):
    inputs, targets = impl.span_corruption(torch.arange(10, 16), span_table([1, 3], [3, 4]), 99, 1)
    assert inputs.tolist() == [10, 99, 98, 14, 15, 1] and targets.tolist() == [99, 11, 12, 98, 13, 1]


@pytest.mark.task("span_corruption")
def test_token_0_and_the_id_of_eos_are_tokens_of_the_text(impl):
    inputs, targets = impl.span_corruption(torch.tensor([0, 1, 5, 0, 1]), span_table([1, 2], [3, 4]), 99, 1)
    assert inputs.tolist() == [0, 99, 5, 98, 1, 1] and targets.tolist() == [99, 1, 98, 0, 1]


@pytest.mark.task("span_corruption")
def test_property_interleaving_gives_back_the_text(impl, seed):
    @settings(deadline=None, max_examples=20)
    @given(st.data())
    def holds(data):
        T = data.draw(st.integers(1, 30))
        cuts = sorted(data.draw(st.sets(st.integers(0, T), max_size=12)))
        spans = [[a, b] for a, b in zip(cuts[::2], cuts[1::2], strict=False)]
        if data.draw(st.booleans()):
            spans = [[a, b] for a, b in zip(cuts, cuts[1:], strict=False)]  # all of them touch
        ids = torch.arange(5, 5 + T)
        inputs, targets = impl.span_corruption(ids, span_table(*spans), 999, 1)
        assert inputs[-1] == targets[-1] == 1
        assert torch.equal(interleaved(inputs, targets), ids)
        assert torch.equal(restore(inputs, targets, 999, len(spans)), ids)

    holds()


def interleaved(inputs, targets):
    """The text, by reading sentinels (above 900) alone."""
    hidden, key = {}, None
    for token in targets[:-1].tolist():
        if token > 900:
            hidden[key := token] = []
        else:
            hidden[key].append(token)
    assert list(hidden) == list(range(999, 999 - len(hidden), -1))
    return torch.tensor([t for token in inputs[:-1].tolist() for t in (hidden[token] if token > 900 else [token])])


@pytest.mark.task("span_corruption")
@pytest.mark.parametrize(("density", "mean"), [(0.15, 3.0), (0.5, 3.0), (0.5, 32.0), (0.15, 8.0)])
def test_oracle_the_lengths_of_t5(impl, seed, density, mean):
    T, targets_length = raw_length(512, density, mean)
    spans = random_spans(T, density, mean, torch.rand(2, T, generator=generator(seed)))
    inputs, targets = impl.span_corruption(torch.arange(T) + 2, spans, 32_099, 1)
    assert (len(inputs), len(targets)) == (512, targets_length)


@pytest.mark.task("span_corruption")
@pytest.mark.parametrize(
    "spans", [([1, 4], [3, 5]), ([4, 5], [1, 2]), ([2, 2],), ([3, 2],), ([4, 8],), ([-1, 2],), ([0, 0],)]
)
def test_bad_input_spans(impl, spans):
    with pytest.raises(ValueError):
        impl.span_corruption(torch.arange(2, 9), span_table(*spans), 99, 1)


@pytest.mark.parametrize(
    ("density", "mean", "lengths"),
    [(0.15, 3.0, (568, 114)), (0.5, 3.0, (767, 513)), (0.5, 32.0, (991, 513)), (0.15, 8.0, (588, 100))],  # fmt: skip
)
def test_oracle_the_algebra_of_t5(density, mean, lengths):
    """512 inputs in T5's own arithmetic; the published pair of the default setting is 568 and 114."""
    assert raw_length(512, density, mean) == lengths
    assert corrupted_lengths(lengths[0], density, mean) == (512, lengths[1])
    assert corrupted_lengths(lengths[0] + 1, density, mean)[0] > 512


def test_property_hidden_and_visible_tokens_are_all_tokens():
    @settings(deadline=None, max_examples=30)
    @given(st.integers(2, 300), st.floats(0.01, 0.99), st.floats(1, 40))
    def holds(T, density, mean):
        hidden, count = noise_counts(T, density, mean)
        assert 1 <= count <= min(hidden, T - hidden)
        spans = random_spans(T, density, mean, torch.rand(2, T, generator=generator(T)))
        lengths = spans[:, 1] - spans[:, 0]
        assert len(spans) == count and lengths.sum() == hidden and lengths.min() >= 1
        gaps = spans[:, 0] - torch.cat([torch.tensor([0]), spans[:-1, 1]])
        assert gaps.min() >= 1 and spans[-1, 1] == T  # T5: visible first, hidden last

    holds()


@pytest.mark.parametrize(("T", "density", "mean"), [(568, 0.15, 3.0), (97, 0.5, 3.0), (23, 0.15, 8.0), (40, 0.9, 1.0)])
def test_the_fast_form_is_the_plain_one(T, density, mean):
    B, rng = 5, np.random.default_rng(T)
    ids = rng.integers(2, 900, (B, T))
    visible, hidden = draw_uniforms(rng, B, T, density, mean)
    inputs, targets = corrupt_batch(ids, 32_099, 1, (visible, hidden), density, mean)
    for b in range(B):
        uniforms = torch.zeros(2, T)
        for row, numbers in enumerate((visible[b], hidden[b])):
            uniforms[row, : len(numbers)] = torch.from_numpy(numbers)
        spans = random_spans(T, density, mean, uniforms)
        want = span_corruption(torch.from_numpy(ids[b]), spans, 32_099, 1)
        assert inputs[b].tolist() == want[0].tolist() and targets[b].tolist() == want[1].tolist()


def test_ul2_is_a_mixture_of_short_long_and_last_spans():
    T = 200
    for denoiser in UL2:
        spans = denoiser.spans(T, torch.rand(2, T, generator=generator(1)))
        hidden = int((spans[:, 1] - spans[:, 0]).sum())
        assert hidden == pytest.approx(T * denoiser.density, abs=1)
        if denoiser.mean_length is None:
            assert spans.tolist() == [[150, 200]]
        else:
            assert hidden / len(spans) == pytest.approx(denoiser.mean_length, rel=0.6)
    assert [d.mode for d in UL2].count("X") == 4 and len({d.mode for d in UL2}) == 3


# ---------------------------------------------------------------- fill-in-the-middle


@pytest.mark.task("fill_in_the_middle")
def test_both_orders_by_hand(impl):
    ids, marks = torch.arange(10, 17), torch.tensor([1, 2, 3, 4])
    psm = impl.fill_in_the_middle(ids, 2, 5, marks)
    spm = impl.fill_in_the_middle(ids, 2, 5, marks, "spm")
    assert psm.tolist() == [1, 10, 11, 2, 15, 16, 3, 12, 13, 14, 4]
    assert spm.tolist() == [1, 2, 15, 16, 3, 10, 11, 12, 13, 14, 4]


@pytest.mark.task("fill_in_the_middle")
def test_the_output_has_the_dtype_of_the_ids_and_not_of_the_marks(impl):
    ids = torch.tensor([10, 11, 12], dtype=torch.int32)
    out = impl.fill_in_the_middle(ids, 1, 2, torch.tensor([1, 2, 3, 4]))
    assert out.dtype == torch.int32 and out.tolist() == [1, 10, 2, 12, 3, 11, 4]


@pytest.mark.task("fill_in_the_middle")
def test_property_no_token_is_lost_and_the_middle_comes_last(impl, seed):
    @settings(deadline=None, max_examples=20)
    @given(st.integers(0, 20), st.data())
    def holds(T, data):
        start = data.draw(st.integers(0, T))
        end = data.draw(st.integers(start, T))
        ids = torch.arange(T)
        for order in ("psm", "spm"):
            out = impl.fill_in_the_middle(ids, start, end, FOUR_MARKS, order)
            assert sorted(out.tolist()) == sorted([*range(T), *FOUR_MARKS.tolist()])
            assert out[-1] == FOUR_MARKS[3] and out[0] == FOUR_MARKS[0]
            assert out[T + 3 - (end - start) : T + 3].tolist() == list(range(start, end))

    holds()


@pytest.mark.task("fill_in_the_middle")
@pytest.mark.parametrize(
    ("start", "end", "order"), [(4, 2, "psm"), (3, 8, "psm"), (-2, 3, "spm"), (1, 2, "mps"), (1, 2, "PSM"), (1, 2, "")]
)
def test_bad_input_middles(impl, start, end, order):
    with pytest.raises(ValueError):
        impl.fill_in_the_middle(ints(0, 9, 7), start, end, FOUR_MARKS, order)


def test_the_reference_keeps_the_dtype():
    assert fill_in_the_middle(ints(0, 9, 4, dtype=torch.int32), 1, 2, FOUR_MARKS.int()).dtype == torch.int32
    assert random_partition(5, 2, torch.rand(4)).dtype == torch.int64
