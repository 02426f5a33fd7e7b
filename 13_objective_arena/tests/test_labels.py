"""What each objective asks and what it may look at. The oracles are transformers' own shift and its data collator."""

import mistakes
import pytest
import torch
import torch.nn.functional as F
from mistakes import generator, ints, randn, rows_of
from objective_arena import (
    attention_masks,
    bidirectional_attention_mask,
    causal_attention_mask,
    causal_labels,
    draw,
    leaks,
    mask_tokens,
    mask_tokens_fast,
    prefix_attention_mask,
    prefix_labels,
    select_words,
    shift_labels,
)

# ---------------------------------------------------------------- causal


@pytest.mark.task("shift_labels")
@pytest.mark.parametrize(("B", "T"), [(3, 7), (1, 2), (5, 1)])
def test_each_position_is_asked_for_the_next_token(impl, seed, B, T):
    ids = ints(seed, 50, B, T, low=1)
    labels = impl.shift_labels(ids, -7)
    assert labels.shape == ids.shape and labels.dtype == ids.dtype
    assert torch.equal(labels[:, : T - 1], ids[:, 1:]) and (labels[:, T - 1] == -7).all()


@pytest.mark.task("shift_labels")
def test_a_token_of_any_id_is_asked_for(impl):
    ids = torch.tensor([[4, 0, 0, 9], [2, 9, 2, 0]])
    assert impl.shift_labels(ids).tolist() == [[0, 0, 9, -100], [9, 2, 0, -100]]
    assert impl.shift_labels(ids, 9).tolist() == [[0, 0, 9, 9], [9, 2, 0, 9]]


@pytest.mark.task("shift_labels")
def test_the_loss_is_that_of_a_model_that_shifts_by_itself(impl, seed):
    ids, logits = ints(seed, 11, 2, 9), randn(seed, 2, 9, 11, dtype=torch.float64)
    mine = F.cross_entropy(logits.flatten(0, 1), impl.shift_labels(ids).flatten())
    torch.testing.assert_close(mine, shifted_loss(logits, ids))


def shifted_loss(logits, ids):
    """The loss of all but the last score, with the ids behind the first as labels."""
    return F.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten())


def test_oracle_transformers_shifts_in_this_way():
    """Its causal loss takes the ids as labels and shifts them itself. Imported here: no grading has to wait for it."""
    from transformers.loss.loss_utils import ForCausalLMLoss

    for seed in range(3):
        ids, logits = ints(seed, 11, 2, 9), randn(seed, 2, 9, 11, dtype=torch.float64)
        theirs = ForCausalLMLoss(logits, ids, 11).float()
        torch.testing.assert_close(shifted_loss(logits, ids).float(), theirs, rtol=1e-6, atol=1e-6)
        mine = F.cross_entropy(logits.flatten(0, 1), shift_labels(ids).flatten())
        torch.testing.assert_close(mine.float(), theirs, rtol=1e-6, atol=1e-6)


@pytest.mark.task("causal_labels")
@pytest.mark.parametrize("left", [False, True])
def test_padding_asks_for_nothing_and_is_not_asked_for(impl, seed, left):
    ids, mask = ints(seed, 50, 4, 9, low=1), rows_of([9, 5, 2, 1], 9, left)
    labels = impl.causal_labels(ids, mask, -9)
    for row, real, label in zip(ids, mask, labels, strict=True):
        for t in range(9):
            counts = t + 1 < 9 and bool(real[t]) and bool(real[t + 1])
            assert label[t] == (row[t + 1] if counts else -9)


@pytest.mark.task("causal_labels")
def test_the_loss_of_a_padded_text_is_that_of_the_text_alone(impl, seed):
    ids, logits = ints(seed, 11, 1, 8), randn(seed, 8, 11, dtype=torch.float64)
    padded = F.cross_entropy(logits, impl.causal_labels(ids, rows_of([5], 8))[0])
    alone = F.cross_entropy(logits[:4], ids[0, 1:5])
    torch.testing.assert_close(padded, alone)


@pytest.mark.task("causal_labels")
def test_without_padding_nothing_but_the_end_is_left_out(impl, seed):
    ids = ints(seed, 50, 3, 6, low=1)
    labels = impl.causal_labels(ids, torch.ones(3, 6, dtype=torch.bool))
    assert torch.equal(labels[:, :-1], ids[:, 1:]) and (labels[:, -1] == -100).all()
    shorter = impl.causal_labels(ids, rows_of([6, 4, 2], 6), -1)
    assert ((shorter == -1).sum(1) == torch.tensor([1, 3, 5])).all()


@pytest.mark.task("causal_labels")
def test_a_token_with_the_id_of_padding_counts(impl):
    mask = torch.tensor([[True, True, True, False]])
    assert impl.causal_labels(torch.tensor([[5, 0, 7, 0]]), mask).tolist() == [[0, 7, -100, -100]]


@pytest.mark.task("causal_labels")
@pytest.mark.parametrize("dtype", [torch.int32, torch.int16])
def test_labels_of_padded_texts_have_the_dtype_of_the_ids(impl, dtype):
    mask = torch.tensor([[True, True, True, False]])
    labels = impl.causal_labels(torch.tensor([[5, 6, 7, 0]], dtype=dtype), mask)
    assert labels.dtype == dtype and labels.tolist() == [[6, 7, -100, -100]]


# ---------------------------------------------------------------- masked


@pytest.mark.task("mask_tokens")
def test_the_shares_of_masked_random_and_kept_tokens(impl, seed):
    ids = ints(seed, 200, 40, 500)
    uniforms = torch.rand(3, 40, 500, generator=generator(seed))
    has_the_shares(ids, *impl.mask_tokens(ids, torch.arange(5), 4, 200, uniforms))


def test_oracle_the_shares_are_those_of_the_data_collator():
    """transformers' collator passes the same test. Imported here: no grading has to wait for it."""
    for seed in range(3):
        ids = ints(seed, 200, 40, 500)
        has_the_shares(ids, *collated(ids, torch.arange(5), seed))


def has_the_shares(ids, inputs, labels):
    """80 / 10 / 10 of 15 %, within four deviations of a binomial; ids below 5 are special, 4 is [MASK]."""
    ordinary, selected = ids >= 5, labels != -100
    assert not (selected & ~ordinary).any()
    within(selected.sum(), ordinary.sum(), 0.15)
    n = selected.sum()
    within((selected & (inputs == 4)).sum(), n, 0.8)
    within((selected & (inputs == ids)).sum(), n, 0.1 + 0.1 / 195)
    assert torch.equal(labels[selected], ids[selected]) and torch.equal(inputs[~selected], ids[~selected])


def within(count, n, share):
    assert abs(float(count) - float(n) * share) < 4 * (float(n) * share * (1 - share)) ** 0.5 + 1


def collated(ids, special, seed):
    from transformers import BertTokenizerFast, DataCollatorForLanguageModeling

    words = {f"w{i}": i for i in range(5, 200)}
    vocab = {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "[MASK]": 4, **words}
    collator = DataCollatorForLanguageModeling(BertTokenizerFast(vocab=vocab), mlm=True, mlm_probability=0.15)
    torch.manual_seed(seed)
    is_special = torch.isin(ids, special)
    return collator.torch_mask_tokens(ids.clone(), special_tokens_mask=is_special)


@pytest.mark.task("mask_tokens")
def test_random_tokens_are_ordinary_and_all_of_them_come(impl, seed):
    ids, special = ints(seed, 23, 20, 300), torch.tensor([0, 7, 22])
    uniforms = torch.rand(3, 20, 300, generator=generator(seed))
    inputs, labels = impl.mask_tokens(ids, special, 7, 23, uniforms, 0.9)
    replaced = inputs[(labels != -100) & (inputs != ids) & (inputs != 7)]
    assert set(replaced.tolist()) == set(range(23)) - {0, 7, 22}


@pytest.mark.task("mask_tokens")
def test_each_number_does_what_the_workbook_says(impl, seed):
    ids, special = torch.tensor([[4, 5, 6, 7]]), torch.tensor([0, 1])
    for dtype, decide, wanted in (
        (torch.float32, [0.1, 0.8, 0.95, 0.0], [1, 7, 6, 1]),
        (torch.float64, [0.1, 0.85, 0.9, 0.0], [1, 7, 6, 1]),  # a float32 of 0.9 is a little less than 0.9
    ):
        uniforms = torch.tensor([[[0.1] * 4], [decide], [[0.0, 0.5, 0.0, 0.0]]], dtype=dtype)
        inputs, labels = impl.mask_tokens(ids, special, 1, 12, uniforms, 0.5)
        assert inputs.tolist() == [wanted] and labels.tolist() == [[4, 5, 6, 7]]


@pytest.mark.task("mask_tokens")
def test_a_part_of_the_tokens_is_hidden_and_the_rest_is_not_asked_for(impl, seed):
    ids, uniforms = ints(seed, 90, 3, 41, low=2), torch.rand(3, 3, 41, generator=generator(seed))
    inputs, labels = impl.mask_tokens(ids, torch.tensor([0, 1]), 1, 90, uniforms, 0.4)
    selected = uniforms[0] < 0.4
    assert torch.equal(labels, torch.where(selected, ids, -100))
    assert torch.equal(inputs == 1, selected & (uniforms[1] < 0.8))
    kept = selected & (uniforms[1] >= 0.9)
    assert torch.equal(inputs[kept | ~selected], ids[kept | ~selected])
    random = selected & (uniforms[1] >= 0.8) & (uniforms[1] < 0.9)
    assert torch.equal(inputs[random], 2 + (uniforms[2][random] * 88).long())


@pytest.mark.task("mask_tokens")
def test_ids_of_32_bits_give_inputs_and_labels_of_64(impl):
    ids = torch.tensor([[4, 5, 6]], dtype=torch.int32)
    uniforms = torch.tensor([[[0.1, 0.1, 0.9]], [[0.0, 0.95, 0.0]], [[0.0, 0.0, 0.0]]])
    inputs, labels = impl.mask_tokens(ids, torch.tensor([0, 1]), 1, 9, uniforms, 0.5)
    assert inputs.dtype == labels.dtype == torch.int64
    assert inputs.tolist() == [[1, 5, 6]] and labels.tolist() == [[4, 5, -100]]


@pytest.mark.task("mask_tokens")
def test_token_0_is_ordinary_unless_it_is_special(impl):
    uniforms = torch.tensor([[[0.1, 0.1, 0.1]], [[0.0, 0.85, 0.85]], [[0.0, 0.0, 0.3]]])
    inputs, labels = impl.mask_tokens(torch.tensor([[0, 3, 4]]), torch.tensor([5, 1]), 1, 6, uniforms, 0.5)
    assert inputs.tolist() == [[1, 0, 2]] and labels.tolist() == [[0, 3, 4]]


@pytest.mark.task("mask_tokens")
@pytest.mark.parametrize("probability", [-0.1, 1.1])
def test_bad_input_a_probability(impl, probability):
    with pytest.raises(ValueError):
        impl.mask_tokens(torch.tensor([[5]]), torch.tensor([0]), 0, 9, torch.full((3, 1, 1), 0.5), probability)


def test_the_fast_masking_has_the_same_shares():
    import numpy as np

    ids = ints(0, 200, 40, 500)
    flags = np.arange(200) < 5
    inputs, labels = map(
        torch.from_numpy, mask_tokens_fast(ids.numpy(), flags, np.arange(5, 200), 4, np.random.default_rng(0))
    )
    selected, n = labels != -100, (labels != -100).sum()
    within(n, (ids >= 5).sum(), 0.15)
    within((selected & (inputs == 4)).sum(), n, 0.8)
    within((selected & (inputs == ids)).sum(), n, 0.1 + 0.1 / 195)
    assert torch.equal(labels[selected], ids[selected]) and torch.equal(inputs[~selected], ids[~selected])
    replaced = inputs[selected & (inputs != ids) & (inputs != 4)]
    assert len(replaced) > 100 and replaced.min() >= 5 and len(replaced.unique()) > 100


def test_whole_words_are_selected_or_not():
    words = torch.tensor([[0, 0, 1, 2, 2, 2, -1], [-1, 5, 6, 6, 7, 8, 8]])
    uniforms = torch.rand(2, 7, generator=generator(3))
    selected = select_words(words, uniforms, 0.5)
    for b in range(2):
        for word in set(words[b].tolist()) - {-1}:
            place = words[b] == word
            assert selected[b][place].all() or not selected[b][place].any()
            assert bool(selected[b][place][0]) == bool(uniforms[b][place][0] < 0.5)
    assert not selected[words == -1].any()


# ---------------------------------------------------------------- prefix


@pytest.mark.task("prefix_attention_mask")
def test_a_prefix_is_read_in_both_directions_and_the_rest_is_written(impl, seed):
    lengths, T = ints(seed, 10, 4), 9
    mask = impl.prefix_attention_mask(lengths, T)
    assert mask.shape == (4, T, T) and mask.dtype == torch.bool
    for b, n in enumerate(lengths.tolist()):
        full = torch.zeros(T, T, dtype=torch.bool)
        full[:n, :n] = True
        assert torch.equal(mask[b], full | torch.ones(T, T, dtype=torch.bool).tril())


@pytest.mark.task("prefix_attention_mask")
def test_no_prefix_is_causal_and_a_whole_one_is_bidirectional(impl):
    none, whole, part = impl.prefix_attention_mask(torch.tensor([0, 5, 3]), 5)
    assert torch.equal(none, causal_attention_mask(5)) and torch.equal(whole, bidirectional_attention_mask(5))
    assert part.sum() == 15 + 3


@pytest.mark.task("prefix_attention_mask")
@pytest.mark.parametrize("lengths", [(2, -1), (2, 6), (-1, 2), (6, 2)])
def test_bad_input_a_prefix_outside_of_the_text(impl, lengths):
    with pytest.raises(ValueError):
        impl.prefix_attention_mask(torch.tensor(lengths), 5)


def test_a_prefix_asks_for_the_rest_and_for_nothing_else():
    ids = torch.tensor([[5, 6, 7, 8, 9]] * 3)
    labels = prefix_labels(ids, torch.tensor([0, 2, 5]))
    assert labels.tolist() == [[6, 7, 8, 9, -100], [-100, 7, 8, 9, -100], [-100] * 5]


def test_no_position_of_a_right_mask_sees_what_it_is_asked_for():
    """Effect: with next-token labels only the bidirectional mask leaks, and a prefix mask leaks in its prefix alone."""
    masks = attention_masks(7, 3)
    assert [leaks(m) for m in masks.values()] == [0, 6, 2]
    asked = prefix_labels(torch.ones(1, 7, dtype=torch.int64), torch.tensor([3]))[0, :6] != -100
    assert not (masks["prefix"].diagonal(1) & asked).any()


def test_masks_are_drawn():
    assert draw(attention_masks(3, 2)["prefix"]) == "■ ■ ·\n■ ■ ·\n■ ■ ■"


def test_padding_of_the_reference_keeps_its_default():
    ids = ints(0, 9, 2, 4)
    assert torch.equal(causal_labels(ids, torch.ones(2, 4, dtype=torch.bool)), shift_labels(ids))
    uniforms = torch.rand(3, 2, 4, generator=generator(0))
    same = mask_tokens(ids, torch.tensor([0]), 0, 9, uniforms, 0.0)
    assert torch.equal(same[0], ids) and (same[1] == -100).all()
    assert prefix_attention_mask(torch.tensor([1]), 3).sum() == 6
    assert len(mistakes.TASKS) == 11
