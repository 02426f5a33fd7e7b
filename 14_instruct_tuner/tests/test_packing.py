"""Rows that are full, and sequences that do not see each other."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from instruct_tuner import (
    Config,
    Decoder,
    Example,
    lower_bound,
    pack_batch,
    pack_best_fit,
    pack_best_fit_fast,
    packed_layout,
)
from mistakes import IGNORE, lengths_of

LENGTHS = st.lists(st.integers(1, 13), max_size=30)


def plain_packing(lengths, capacity):
    """The definition, told as a story: no formula is shared with the reference."""
    rows = []
    todo = list(enumerate(lengths))
    while todo:
        longest = max(n for _, n in todo)
        i = next(i for i, n in todo if n == longest)
        todo.remove((i, longest))
        sums = [sum(lengths[j] for j in row) for row in rows]
        able = [s for s in sums if s + longest <= capacity]
        if able:
            rows[sums.index(max(able))].append(i)
        else:
            rows.append([i])
    return rows


@pytest.mark.task("pack_best_fit")
@pytest.mark.parametrize(("count", "most", "capacity"), [(60, 17, 23), (40, 4, 7), (31, 97, 101), (25, 5, 5)])
def test_packing_against_its_definition(impl, seed, count, most, capacity):
    lengths = lengths_of(seed, count, most)
    assert [list(row) for row in impl.pack_best_fit(lengths, capacity)] == plain_packing(lengths, capacity)


@pytest.mark.task("pack_best_fit")
def test_best_fit_is_not_first_fit(impl):
    assert [list(row) for row in impl.pack_best_fit([7, 5, 4, 1], 10)] == [[0], [1, 2, 3]]


@pytest.mark.task("pack_best_fit")
def test_rows_stand_as_they_were_opened_and_indices_as_they_went_in(impl):
    rows = impl.pack_best_fit((6, 3, 7, 10, 4), 10)
    assert [list(row) for row in rows] == [[3], [2, 1], [0, 4]]


@pytest.mark.task("pack_best_fit")
def test_property_nothing_is_lost_or_split_and_no_row_is_over(impl):
    @settings(deadline=None, max_examples=30)
    @given(LENGTHS, st.integers(13, 20))
    def holds(lengths, capacity):
        rows = impl.pack_best_fit(lengths, capacity)
        assert sorted(i for row in rows for i in row) == list(range(len(lengths)))
        assert all(sum(lengths[i] for i in row) <= capacity for row in rows)

    holds()


@pytest.mark.task("pack_best_fit")
@pytest.mark.parametrize("lengths", [[3, 9, 2], [8], [1, 1, 100]])
def test_bad_input_a_sequence_that_no_row_holds(impl, lengths):
    with pytest.raises(ValueError):
        impl.pack_best_fit(lengths, 7)


def test_property_the_fast_form_gives_the_same_rows():
    @settings(deadline=None, max_examples=60)
    @given(LENGTHS, st.integers(13, 20))
    def holds(lengths, capacity):
        assert pack_best_fit_fast(lengths, capacity) == pack_best_fit(lengths, capacity)

    holds()
    lengths = lengths_of(0, 700, 211)
    assert pack_best_fit_fast(lengths, 256) == pack_best_fit(lengths, 256)
    with pytest.raises(ValueError, match="8 is longer than capacity=7; leave it out or cut it"):
        pack_best_fit_fast([8], 7)


def test_oracle_trl_packs_no_better():
    from datasets import Dataset
    from trl import pack_dataset

    lengths = lengths_of(3, 400, 60)
    data = Dataset.from_dict({"input_ids": [[7] * n for n in lengths]})
    theirs = len(pack_dataset(data, 64, strategy="bfd"))
    ours = len(pack_best_fit_fast(lengths, 64))
    assert lower_bound(lengths, 64) <= ours <= theirs


def test_effect_the_lower_bound_is_reached():
    g = torch.Generator().manual_seed(0)
    lengths = (torch.randn(4000, generator=g) * 0.8 + 5).exp().clamp(8, 2048).long().tolist()
    bound = lower_bound(lengths, 2048)
    assert len(pack_best_fit_fast(lengths, 2048)) <= 1.002 * bound
    assert sum(lengths) / (len(lengths) * max(lengths)) < 0.25  # what padding to the longest would use


@pytest.mark.task("packed_layout")
@pytest.mark.parametrize(
    ("lengths", "capacity"),
    [([3, 2, 4], 13), ((4, 1, 2), 7), ([5], 5), ([1], 4), ([2, 2], 4), ([], 3)],
)
def test_layout_pair_by_pair(impl, lengths, capacity):
    positions, mask = impl.packed_layout(lengths, capacity)
    owner = [s for s, n in enumerate(lengths) for _ in range(n)]
    owner += [-1 - i for i in range(capacity - len(owner))]
    assert positions.dtype == torch.long and mask.dtype == torch.bool
    assert positions.tolist() == [owner[:t].count(o) for t, o in enumerate(owner)]
    assert mask.tolist() == [[owner[q] == owner[k] and k <= q for k in range(capacity)] for q in range(capacity)]


@pytest.mark.task("packed_layout")
def test_hundreds_of_sequences_in_a_row(impl):
    positions, mask = impl.packed_layout([1] * 300, 300)
    assert not positions.any() and torch.equal(mask, torch.eye(300, dtype=torch.bool))


@pytest.mark.task("packed_layout")
def test_bad_input_more_than_a_row(impl):
    with pytest.raises(ValueError):
        impl.packed_layout([3, 3], 5)


def test_oracle_positions_of_transformers_collator():
    from transformers import DataCollatorWithFlattening

    made = DataCollatorWithFlattening(return_tensors="pt")([{"input_ids": [5] * n} for n in (3, 5, 2)])
    assert packed_layout([3, 5, 2], 10)[0].tolist() == made["position_ids"][0].tolist()


@pytest.mark.task("packed_layout")
def test_packed_logits_are_the_separate_ones(impl, seed):
    """To 1e-10 in float64. Without the mask, or with positions that go on, they differ by more than 0.01."""
    model = Decoder(Config(31, 16, 2, 4, 2, 24), seed=1).double()
    parts = [torch.randint(31, (n,), generator=torch.Generator().manual_seed(seed + n)) for n in (7, 3, 5)]
    positions, mask = impl.packed_layout([7, 3, 5], 17)
    row = torch.cat([*parts, torch.zeros(2, dtype=torch.long)])[None]
    with torch.no_grad():
        want = torch.cat([model(p[None])[0] for p in parts])
        got = model(row, positions[None], mask[None])[0]
        assert got.isfinite().all()
        torch.testing.assert_close(got[:15], want, rtol=0, atol=1e-10)
        assert (model(row, positions[None])[0, 7:15] - want[7:]).abs().max() > 1e-2


def test_a_packed_batch_loses_no_label_and_scores_no_first_token():
    examples = []
    for seed, n in enumerate((5, 3, 4, 2)):
        ids = torch.randint(1, 30, (n,), generator=torch.Generator().manual_seed(seed))
        examples.append(Example(ids, ids.clone()))
    batch = pack_batch(examples, [[0, 3], [2, 1]], 8)
    assert batch.input_ids.shape == (2, 8) and batch.attention_mask.shape == (2, 8, 8)
    assert int((batch.labels != IGNORE).sum()) == sum(len(e.input_ids) - 1 for e in examples)
    assert batch.labels[0, 0] == batch.labels[0, 5] == IGNORE and batch.labels[0, 6] == batch.input_ids[0, 6]


def test_mean_loss_of_packed_rows_is_that_of_padded_ones():
    from instruct_tuner import batch_loss, pad_batch

    model = Decoder(Config(31, 16, 1, 2, 1, 24)).double()
    examples = []
    for seed, n in enumerate((5, 9, 4, 2)):
        ids = torch.randint(1, 30, (n,), generator=torch.Generator().manual_seed(seed))
        examples.append(Example(ids, torch.where(torch.arange(n) > 0, ids, IGNORE)))
    rows = pack_best_fit([len(e.input_ids) for e in examples], 11)
    assert len(rows) == 2
    torch.testing.assert_close(
        batch_loss(model, pack_batch(examples, rows, 11)), batch_loss(model, pad_batch(examples))
    )


def test_padding_of_a_packed_row_is_position_zero_of_its_own():
    positions, mask = packed_layout([2], 5)
    assert positions.tolist() == [0, 1, 0, 0, 0] and torch.equal(mask[2:, 2:], torch.eye(3, dtype=torch.bool))
