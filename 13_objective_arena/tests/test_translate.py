"""The encoder-decoder, teacher forcing, greedy and beam search."""

import itertools

import pytest
import torch
from mistakes import ints
from objective_arena.translate import (
    Translator,
    TranslatorConfig,
    Vocabulary,
    beam_search,
    corpus,
    greedy,
    shift_right,
    train_translator,
)
from objective_arena.translate.search import penalty

CONFIG = TranslatorConfig(9, d_model=16, layers=1, heads=2, max_len=12)


def test_oracle_teacher_forcing_is_t5s():
    from transformers import T5Config, T5ForConditionalGeneration

    shape = T5Config(vocab_size=9, d_model=4, d_kv=2, d_ff=4, num_layers=1, num_heads=1, decoder_start_token_id=5)
    theirs = T5ForConditionalGeneration(shape)
    labels = torch.tensor([[3, 4, 8, -100], [7, -100, -100, -100]])
    assert torch.equal(shift_right(labels, 5, shape.pad_token_id), theirs._shift_right(labels))
    assert labels[0, 3] == -100  # not changed in place


def test_effect_the_decoder_sees_the_source_and_never_its_future():
    model, source, labels = Translator(CONFIG), ints(0, 9, 1, 5, low=3), ints(1, 9, 1, 6, low=3)
    before = model(source, labels)
    other = labels.clone()
    other[0, 3] = 3 + (other[0, 3] - 2) % 6
    changed = ((model(source, other) - before).abs().amax(-1) > 1e-6)[0].tolist()
    assert changed == [False] * 4 + [True] * 2  # one place late
    source[0, 4] = 3 + (source[0, 4] - 2) % 6
    assert ((model(source, labels) - before).abs().amax(-1) > 1e-6).all()


def test_padding_of_the_source_changes_nothing():
    model, source, labels = Translator(CONFIG), ints(2, 9, 1, 5, low=3), ints(3, 9, 1, 4, low=3)
    torch.testing.assert_close(model(torch.nn.functional.pad(source, (0, 3)), labels), model(source, labels))


def logprob(model, source, ids):
    labels = torch.tensor([ids])
    return float(model(source, labels).log_softmax(-1)[0].gather(1, labels[0][:, None]).sum())


def test_oracle_a_wide_beam_finds_the_best_of_all():
    """Every sequence of up to two tokens, scored by hand."""
    model, source = Translator(CONFIG, seed=4), ints(5, 9, 1, 4, low=3)
    with torch.no_grad():
        scored = []
        for length in (0, 1, 2):
            for ids in itertools.product([i for i in range(9) if i != 2], repeat=length):
                scored.append((logprob(model, source, [*ids, 2]) / penalty(length + 1, 0.6), list(ids)))
    assert beam_search(model, source, 3, beams=100) == max(scored)[1]


def test_one_beam_is_greedy():
    model, source = Translator(CONFIG, seed=6), ints(7, 9, 3, 4, low=3)
    rows = greedy(model, source, 6)
    for row, ids in zip(rows, source, strict=True):
        best = beam_search(model, ids[None], 6, beams=1)
        assert best[: len(row)] == row[: len(best)]
    with pytest.raises(ValueError, match="beams"):
        beam_search(model, source[:1], 3, beams=0)


def test_effect_a_translator_learns_to_copy():
    words = [f"w{i}" for i in range(6)]
    pairs = [(" ".join(p), " ".join(p)) for p in itertools.permutations(words, 3)]
    vocabulary = Vocabulary.of(pairs)
    model, losses = train_translator(pairs, vocabulary, 90, B=32, label_smoothing=0.0, lr=5e-3)
    assert losses[-1] < 0.6 < losses[0]
    source = vocabulary.encode([a for a, _ in pairs[:20]])
    right = sum(vocabulary.decode(ids) == b for ids, (_, b) in zip(greedy(model, source, 6), pairs, strict=False))
    assert right >= 15


def test_the_made_language_is_what_its_rules_say():
    pairs = dict(corpus(3000, seed=1))
    assert len(pairs) == 3000 and list(corpus(3, 1)) == list(pairs.items())[:3]
    for english, made in list(pairs.items())[:200]:
        assert made.endswith("as") and len(made.split()) == len(english.split()) - english.split().count("the")
    vocabulary = Vocabulary.of(pairs.items())
    assert vocabulary.encode(["the cat"]).tolist()[0][-1] == 2 and vocabulary.decode([4]) == vocabulary.words[4]
