"""Encoder-decoders, the two scores, and the language models of the road."""

import pytest
import torch
from attention_lab.lab.bottleneck import COPY, REVERSE, accuracies, batch, train
from attention_lab.lab.training import corpus, loss_of, validation
from attention_lab.lab.training import train as train_lm
from attention_lab.road import KINDS, AdditiveScore, LanguageModel, MultiplicativeScore, Seq2Seq, width_for


def test_the_scores_are_the_papers():
    torch.manual_seed(0)
    queries, keys = torch.randn(2, 3, 5).double(), torch.randn(2, 7, 5).double()
    additive, multiplicative = AdditiveScore(5, 4).double(), MultiplicativeScore(5).double()
    for b, i, j in ((0, 0, 0), (1, 2, 6), (0, 1, 3)):
        q, k = queries[b, i], keys[b, j]
        want = additive.weight.weight[0] @ torch.tanh(additive.of_query.weight @ q + additive.of_key.weight @ k)
        torch.testing.assert_close(additive(queries, keys)[b, i, j], want, rtol=0, atol=1e-12)
        want = q @ multiplicative.of_key.weight @ k
        torch.testing.assert_close(multiplicative(queries, keys)[b, i, j], want, rtol=0, atol=1e-12)


def test_cost_additive_attention_has_a_times_two_h_plus_one_parameters():
    assert sum(p.numel() for p in AdditiveScore(64, 32).parameters()) == 32 * (2 * 64 + 1)
    assert sum(p.numel() for p in MultiplicativeScore(64).parameters()) == 64 * 64


@pytest.mark.parametrize("attention", ["none", "additive", "multiplicative"])
def test_teacher_forcing_and_generation_agree_on_the_models_own_output(attention):
    torch.manual_seed(1)
    model = Seq2Seq(9, 8, attention).double()
    source = torch.randint(3, 9, (4, 6))
    made = model.generate(source, 5)
    assert torch.equal(model(source, made)[0].argmax(-1), made)  # fed its own output, it repeats itself
    assert torch.equal(model.shifted(made)[:, 1:], made[:, :-1]) and (model.shifted(made)[:, 0] == 0).all()


def test_teacher_forcing_shows_no_future():
    torch.manual_seed(2)
    model = Seq2Seq(9, 8, "additive")
    source, target = torch.randint(3, 9, (1, 6)), torch.randint(3, 9, (1, 5))
    other = target.clone()
    other[0, 3] = 3 if int(target[0, 3]) != 3 else 4
    moved = (model(source, target)[0] != model(source, other)[0]).any(-1)[0]
    assert moved.tolist() == [False] * 4 + [True]


def test_the_task_is_what_it_says():
    source, target = batch(2, 5, COPY, torch.Generator().manual_seed(0))
    assert torch.equal(source[:, 1:], target) and (source[:, 0] == COPY).all()
    source, target = batch(2, 5, REVERSE, torch.Generator().manual_seed(0))
    assert torch.equal(source[:, 1:].flip(1), target)


@pytest.mark.timeout(240)
def test_effect_attention_opens_the_bottleneck():
    """A short training already shows it: at length 6, attention is right far more often."""
    right = {name: accuracies(train(name, 0, 200), (6,))["copy"][0] for name in ("none", "multiplicative")}
    assert right["multiplicative"] > right["none"] + 0.25, right


@pytest.mark.parametrize("kind", KINDS)
def test_language_models_are_causal_and_of_equal_size(kind):
    width = width_for(kind, 20_000, 31, 16)
    torch.manual_seed(0)
    model = LanguageModel(kind, 31, width, 16)
    assert abs(sum(p.numel() for p in model.parameters()) / 20_000 - 1) < 0.06
    tokens = torch.randint(31, (2, 16))
    other = tokens.clone()
    other[:, 9] = (tokens[:, 9] + 1) % 31
    with torch.no_grad():
        moved = ((model(tokens) - model(other)).abs() > 1e-6).any(-1)[0]
    assert not moved[:9].any() and moved[9]


def test_effect_language_models_learn_and_samples_repeat():
    data = corpus("the cat sat on the mat and the dog lay on the log. " * 60)
    torch.manual_seed(0)
    model = LanguageModel("attention-lstm", len(data.characters), 24, 32)
    trained = train_lm(model, data, 32, 60, 2e-2, 0)
    assert loss_of(model, validation(data, 32, 8)) < 1.0 < 2.5 < torch.log(torch.tensor(len(data.characters) * 1.0))
    uniforms = torch.rand(20, generator=torch.Generator().manual_seed(0))
    first, second = (model.sample(data.train[:4], uniforms, 32) for _ in range(2))
    assert torch.equal(first, second) and len(first) == 24
    assert len(trained.gradient_norms) == 60 and trained.seconds > 0


def test_bad_input():
    with pytest.raises(ValueError, match="attention='dot': choose one of none, additive, multiplicative"):
        Seq2Seq(9, 8, "dot")
    with pytest.raises(ValueError, match="kind='mlp'"):
        LanguageModel("mlp", 9, 8, 16)
    with pytest.raises(ValueError, match="at least 2000"):
        corpus("short")
