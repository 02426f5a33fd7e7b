"""Which tokens are scored, and how they are averaged."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from instruct_tuner import IGNORE, Config, Decoder, Example, answer_labels, answer_loss
from instruct_tuner.finetune import accumulated_step, pad_batch
from mistakes import ids_of, labelled, randn

HEADER, END = [1, 7, 3], 2


def plain_labels(ids, header, end):
    """Token by token: which opening is the last before it, and has the answer ended since?"""
    found = []
    for t in range(len(ids)):
        opened = max((s for s in range(len(header), t + 1) if ids[s - len(header) : s] == header), default=None)
        first = opened
        while (
            first is not None
            and (s := max((s for s in range(len(header), first) if ids[s - len(header) : s] == header), default=None))
            is not None
            and end not in ids[s:first]
        ):
            first = s
        found.append(ids[t] if first is not None and end not in ids[first:t] else IGNORE)
    return found


@pytest.mark.task("answer_labels")
@pytest.mark.parametrize("lengths", [(4, 3), (2, 3, 1, 5, 2), (3,), (1, 0, 2, 2), ()])
def test_labels_against_a_plain_search(impl, seed, lengths):
    ids = ids_of(seed, *lengths)
    for cut in (len(ids), len(ids) - 3):
        labels = impl.answer_labels(ids[:cut], HEADER, END)
        assert labels.dtype == torch.long and labels.tolist() == plain_labels(ids[:cut].tolist(), HEADER, END)


@pytest.mark.task("answer_labels")
def test_property_any_text(impl):
    @settings(deadline=None, max_examples=30)
    @given(
        st.lists(st.integers(0, 3), min_size=1, max_size=24),
        st.lists(st.sampled_from([0, 1, 3]), min_size=1, max_size=2),
    )
    def holds(ids, header):
        labels = impl.answer_labels(torch.tensor(ids), header, 2)
        assert labels.tolist() == plain_labels(ids, header, 2)

    holds()


@pytest.mark.task("answer_labels")
@pytest.mark.parametrize(
    ("ids", "header", "first"),
    [
        ([1, 1, 7, 3, 41, 2, 9], (1, 7, 3), 4),
        ([1, 7, 1, 7, 3, 41, 2], [1, 7, 3], 5),
        ([1, 1, 1, 3, 41, 2, 9], [1, 1, 3], 4),
    ],
)
def test_a_header_that_begins_inside_of_a_failed_match(impl, ids, header, first):
    labels = impl.answer_labels(torch.tensor(ids), header, 2)
    assert labels.tolist() == [i if first <= t <= first + 1 else IGNORE for t, i in enumerate(ids)]


@pytest.mark.task("answer_labels")
def test_an_empty_answer_has_an_end_and_a_short_text_has_no_answer(impl):
    assert impl.answer_labels(torch.tensor([1, 7, 3, 2, 9, 1, 7, 3, 2]), [1, 7, 3], 2).tolist() == [
        *[IGNORE] * 3, 2, *[IGNORE] * 4, 2,
    ]  # fmt: skip
    assert impl.answer_labels(torch.tensor([7, 3]), (1, 7, 3), 2).tolist() == [IGNORE, IGNORE]


@pytest.mark.task("answer_labels")
def test_padding_that_equals_the_end_is_not_scored_and_the_end_is(impl):
    ids = torch.cat([ids_of(0, 2, 2), torch.full((5,), END)])
    labels = impl.answer_labels(ids, HEADER, END)
    assert (labels == END).sum() == 1 and (labels != IGNORE).sum() == 3


def test_effect_the_gradient_of_prompt_logits_is_zero():
    logits = randn(0, 2, 29, 97).requires_grad_()
    ids = torch.stack([ids_of(s, 4, 7)[:27] for s in (0, 1)])
    ids = F.pad(ids, (0, 2), value=END)
    labels = torch.stack([answer_labels(row, HEADER, END) for row in ids])
    answer_loss(logits, labels).backward()
    scored = F.pad(labels[:, 1:] != IGNORE, (0, 1))
    assert torch.equal(logits.grad.abs().sum(-1) > 0, scored) and scored.sum() == 16


@pytest.mark.task("answer_loss")
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("rows", [((4,), (2, 3, 4, 5, 6)), ((), (1, 6)), ((0, 1), (0, 2, 3), (5,))])
def test_oracle_cross_entropy_values_and_gradients(impl, seed, rows, dtype):
    logits, labels = labelled(seed, *rows, V=13)
    labels[-1, 5] = 0  # a token like any other
    logits = logits.to(dtype).requires_grad_()
    want = F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten(), ignore_index=IGNORE)
    got = impl.answer_loss(logits, labels)
    assert got.dtype == dtype
    torch.testing.assert_close(got, want)
    torch.testing.assert_close(*(torch.autograd.grad(x, logits)[0] for x in (got, want)))


@pytest.mark.task("answer_loss")
def test_accumulated_gradients_are_those_of_one_batch(impl, seed):
    logits, labels = labelled(seed, (4,), (2, 3, 4, 5, 6), (6,))
    parts = [impl.answer_loss(logits[i : i + 1], labels[i : i + 1], 7) for i in range(3)]
    torch.testing.assert_close(sum(parts), impl.answer_loss(logits, labels))


@pytest.mark.task("answer_loss")
def test_bad_input_nothing_is_scored(impl):
    with pytest.raises(ValueError):
        impl.answer_loss(torch.zeros(2, 3, 5), torch.full((2, 3), IGNORE))
    with pytest.raises(ValueError):
        impl.answer_loss(torch.zeros(2, 3, 5), torch.full((2, 3), IGNORE), 7)
    with pytest.raises(ValueError):
        impl.answer_loss(torch.zeros(2, 1, 5), torch.ones(2, 1, dtype=torch.long))


@pytest.mark.task("answer_loss")
def test_large_logits_have_a_finite_loss(impl):
    logits = torch.tensor([[[0.0, 200.0, -1000.0], [5.0, 0.0, 0.0]]])
    loss = impl.answer_loss(logits, torch.tensor([[IGNORE, 0]]))
    torch.testing.assert_close(loss, torch.tensor(200.0))


@pytest.mark.parametrize("parts", [1, 2, 4])
def test_a_step_in_parts_has_the_gradients_of_a_step_in_one(parts):
    model = Decoder(Config(19, 8, 1, 2, 1, 8)).double()
    g = torch.Generator().manual_seed(1)
    made = []
    for i in range(4):
        ids = torch.randint(19, (5 + 2 * i,), generator=g)
        made.append(Example(ids, torch.where(torch.arange(len(ids)) > i, ids, IGNORE)))
    accumulated_step(model, [pad_batch(made)])
    want = model.wte.weight.grad.clone()
    model.zero_grad()
    accumulated_step(model, [pad_batch(made[i : i + 4 // parts]) for i in range(0, 4, 4 // parts)])
    torch.testing.assert_close(model.wte.weight.grad, want, rtol=1e-10, atol=1e-12)
