"""The network, the five objectives and the questions of the arena."""

import pytest
import torch
import torch.nn.functional as F
from mistakes import generator, ints
from objective_arena import (
    OBJECTIVES,
    Config,
    SpecialTokens,
    Transformer,
    bidirectional_attention_mask,
    causal_attention_mask,
    prefix_attention_mask,
    random_windows,
    restore,
    train,
)
from objective_arena.lab import questions

SPECIAL = SpecialTokens(11)
CONFIG = Config(SPECIAL.vocab_size, d_model=16, layers=2, heads=2, max_len=32)
CHANGED = 1e-6  # float32 rounds at 1e-7


def moved(model, ids, at, mask):
    """At which positions the logits change when one token does."""
    other = ids.clone()
    other[0, at] = (other[0, at] + 1) % 11
    with torch.no_grad():
        return ((model(ids, mask) - model(other, mask)).abs().amax(-1) > CHANGED)[0].tolist()


def test_effect_the_mask_alone_makes_a_writer_or_a_reader():
    model, ids = Transformer(CONFIG), ints(0, 11, 1, 7)
    assert moved(model, ids, 4, causal_attention_mask(7)) == [False] * 4 + [True] * 3
    assert moved(model, ids, 4, bidirectional_attention_mask(7)) == [True] * 7
    prefix = prefix_attention_mask(torch.tensor([3]), 7)
    assert moved(model, ids, 1, prefix) == [True] * 7
    assert moved(model, ids, 4, prefix) == [False] * 4 + [True] * 3


def test_one_mask_for_all_texts_is_the_same_as_one_for_each():
    model, ids = Transformer(CONFIG), ints(1, 11, 3, 7)
    mask = prefix_attention_mask(torch.tensor([3, 3, 3]), 7)
    torch.testing.assert_close(model(ids, mask[0]), model(ids, mask))


def test_bad_input_a_text_that_is_too_long():
    with pytest.raises(ValueError, match="33 tokens"):
        Transformer(CONFIG)(ints(0, 11, 1, 33), causal_attention_mask(33))


def test_cost_flops_are_those_of_the_products():
    """torch counts the products of one forward pass; attention's softmax and the norms are no products."""
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    model, ids = Transformer(CONFIG), ints(0, 11, 1, 32)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        model(ids, causal_attention_mask(32))
    assert counter.get_total_flops() == model.flops(32)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_batch_asks_for_what_cannot_be_seen(name):
    """No label may be the token that a position reads, or one that the position may look at as its next."""
    windows = torch.arange(5 * 32).view(5, 32) % 11
    batch = OBJECTIVES[name](windows, SPECIAL, generator(2))
    assert batch.inputs.shape == batch.labels.shape == (5, 32)
    mask = batch.attention_mask.expand(5, 32, 32)
    asked = batch.labels != -100
    assert asked.any()
    if name == "masked":
        assert 0.02 < asked.double().mean() < 0.35 and mask.all()
        return
    rows, places = asked.nonzero(as_tuple=True)
    assert places.max() < 31
    assert torch.equal(batch.labels[asked], batch.inputs[rows, places + 1])
    assert not mask[rows, places, places + 1].any()


def test_the_batch_of_spans_gives_back_the_text():
    windows = ints(3, 11, 4, 32)
    batch = OBJECTIVES["spans"](windows, SPECIAL, generator(4))
    for row, window in zip(batch.inputs, windows, strict=True):
        eos = (row == SPECIAL.eos).nonzero()[:, 0]
        read, written = row[: eos[0] + 1], row[eos[0] + 1 : eos[1] + 1]
        spans = int((read > SPECIAL.marks[-1]).sum())
        text = restore(read, written, SPECIAL.sentinel, spans)
        assert torch.equal(text, window[: len(text)]) and len(text) >= 26


def test_windows_are_pieces_of_the_text():
    text = torch.arange(50)
    windows = random_windows(text, 20, 7, generator(0))
    assert torch.equal(windows - windows[:, :1], torch.arange(7).expand(20, 7)) and windows.max() < 50


def test_training_lowers_the_loss_and_repeats():
    text = torch.arange(11).repeat(60)
    for name in ("causal", "masked"):
        model, losses = train(OBJECTIVES[name], text, SPECIAL, CONFIG, 60, B=8, seed=3)
        _, again = train(OBJECTIVES[name], text, SPECIAL, CONFIG, 60, B=8, seed=3)
        assert losses == again
        assert sum(losses[-5:]) < 0.8 * sum(losses[:5])
    assert isinstance(model, Transformer)


def test_effect_a_leak_makes_the_training_loss_small():
    """Random letters cannot be predicted: log 11 = 2.40 is the limit of every honest loss; a leak falls below it."""
    from objective_arena.lab.ladder import LADDER

    text, ends = ints(0, 11, 4000), {}
    for name in ("right", "labels not shifted"):
        _, losses = train(LADDER[name], text, SPECIAL, CONFIG, 60, B=8, lr=1e-2)
        ends[name] = sum(losses[-5:]) / 5
    assert ends["right"] > 2.3 and ends["labels not shifted"] < 0.5


@pytest.mark.parametrize("name", OBJECTIVES)
def test_questions_hide_what_is_asked(name):
    """Changing the hidden token must not change the prediction of it, and a two-sided model must see the right side."""
    windows = ints(5, 11, 3, 12)
    left, hidden, right = windows[:, :4], windows[:, 4:7], windows[:, 7:]
    model = Transformer(CONFIG)
    for form, changed in zip(
        questions.forms(name, left, hidden, right, SPECIAL),
        questions.forms(name, left, (hidden + 1) % 11, right, SPECIAL),
        strict=True,
    ):
        inputs, mask, at, k = form
        if k == 0:
            with torch.no_grad():
                a, b = (model(x[0], x[1])[:, x[2]] for x in (form, changed))
            torch.testing.assert_close(a, b)
        if name != "masked":
            shifted = F.pad(inputs, (0, 1))[:, at + 1]
            assert torch.equal(shifted, hidden[:, k])
    sees = torch.isin(right, inputs).all() if name in ("middle", "spans", "masked") else inputs.shape[1] == 7
    assert bool(sees)


def test_word_lengths_are_those_of_the_words():
    letters = torch.tensor([[c.isalpha() for c in "ab, cdefghijk x"]])
    assert questions.word_lengths(letters)[0].tolist() == [2, 2, 0, 0, *[7] * 9, 0, 1]
