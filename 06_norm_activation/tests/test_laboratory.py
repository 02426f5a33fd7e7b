"""The laboratory: each regulariser by its definition, each schedule beside PyTorch, the statistics beside SciPy."""

import itertools
import math

import numpy as np
import pytest
import scipy
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from norm_activation.lab import recipes
from norm_activation.laboratory import (
    NORMS,
    OPTIMIZERS,
    REGULARIZERS,
    SCHEDULES,
    Recipe,
    accuracy,
    fit,
    holm,
    paired,
    schedule,
    sign_flip_p,
)
from norm_activation.laboratory import regularizers as reg
from norm_activation.laboratory.network import normalized


def values(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_dropconnect_drops_weights_and_keeps_the_mean():
    uniforms = torch.rand(300, 200, generator=torch.Generator().manual_seed(0))
    dropped = reg.dropconnect(torch.ones(300, 200), 0.25, uniforms)
    assert dropped.unique().tolist() == pytest.approx([0.0, 4 / 3])
    assert float(dropped.mean()) == pytest.approx(1, abs=0.015)


def test_drop_path_drops_whole_examples():
    branch = torch.ones(2, 500, 3)
    kept = reg.drop_path(branch, 0.4, torch.rand(2, 500, 1, generator=torch.Generator().manual_seed(0)))
    assert ((kept == 0).all(-1) | (kept == 1 / 0.6).all(-1)).all()
    assert float(kept.mean()) == pytest.approx(1, abs=0.1)


def test_penalties_and_their_gradients():
    w = torch.tensor([[1.0, -2.0], [0.5, 0.0]], requires_grad=True)
    assert float(reg.l1([w]).detach()) == 3.5 and float(reg.l2([w]).detach()) == 2.625
    torch.testing.assert_close(torch.autograd.grad(reg.l1([w]), w)[0], w.detach().sign())
    torch.testing.assert_close(torch.autograd.grad(reg.l2([w]), w)[0], w.detach())
    torch.testing.assert_close(reg.elastic_net([w], 0.25).detach(), torch.tensor(0.25 * 3.5 + 0.75 * 2.625))


@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_l2_is_weight_decay_under_sgd_and_not_under_adam(momentum):
    def trained(optimizer, penalty):
        w = torch.tensor([1.0, -2.0, 0.3], requires_grad=True)
        made = optimizer([w])
        for step in range(20):
            made.zero_grad()
            ((w * (step + 1)).sin().sum() + penalty * reg.l2([w])).backward()
            made.step()
        return w.detach()

    sgd = [
        trained(lambda p: torch.optim.SGD(p, 0.01, momentum=momentum, weight_decay=0.1), 0.0),
        trained(lambda p: torch.optim.SGD(p, 0.01, momentum=momentum), 0.1),
    ]
    torch.testing.assert_close(*sgd)
    adam = [
        trained(lambda p: torch.optim.AdamW(p, 0.01, weight_decay=0.1), 0.0),
        trained(lambda p: torch.optim.AdamW(p, 0.01, weight_decay=0.0), 0.1),
    ]
    assert (adam[0] - adam[1]).abs().max() > 1e-3


def test_label_smoothing_is_torchs():
    logits, classes = values(1, 7, 5), torch.tensor([[0, 1, 2, 3, 4, 0, 1]])
    targets = reg.label_smoothing(reg.one_hot(classes, 5), 0.1)
    ours = -(targets * logits.log_softmax(-1)).sum(-1).mean()
    torch.testing.assert_close(ours, torch.nn.functional.cross_entropy(logits[0], classes[0], label_smoothing=0.1))


def test_mixup_mixes_inputs_and_targets_alike():
    x, targets = values(2, 3, 4), reg.one_hot(torch.tensor([[0, 1, 2], [2, 2, 0]]), 3)
    partner, share = torch.tensor([[1, 2, 0], [0, 2, 1]]), torch.tensor([0.25, 1.0])
    mixed, soft = reg.mixup(x, targets, partner, share)
    torch.testing.assert_close(mixed[0, 0], 0.25 * x[0, 0] + 0.75 * x[0, 1])
    torch.testing.assert_close(soft[0, 0], torch.tensor([0.25, 0.75, 0.0]))
    assert torch.equal(mixed[1], x[1]) and torch.equal(soft[1], targets[1])


def test_cutmix_pastes_a_box_and_mixes_targets_by_area():
    x = torch.arange(32.0).reshape(1, 2, 16)
    targets = reg.one_hot(torch.tensor([[0, 1]]), 2)
    mixed, soft = reg.cutmix(x, targets, torch.tensor([[1, 0]]), (1, 3, 0, 2), 4)
    image = mixed[0, 0].reshape(4, 4)
    assert image[1:3, 0:2].tolist() == [[20, 21], [24, 25]] and image[0].tolist() == [0, 1, 2, 3]
    torch.testing.assert_close(soft[0, 0], torch.tensor([0.75, 0.25]))


def test_schedules_are_torchs():
    steps = 30
    made = torch.optim.SGD([torch.zeros(1, requires_grad=True)], 1.0)
    theirs = torch.optim.lr_scheduler.CosineAnnealingLR(made, steps)
    for step in range(steps):
        assert schedule("cosine", step, steps) == pytest.approx(made.param_groups[0]["lr"], abs=1e-12)
        made.step()
        theirs.step()
    warm = [schedule("warm-up + cosine", s, steps) for s in range(steps)]
    assert warm[:3] == pytest.approx([1 / 3, 2 / 3, 1.0]) and warm[-1] < 0.01
    assert [schedule("step", s, 3) for s in range(3)] == [1.0, 1.0, 0.1]
    assert schedule("constant", 7, 30) == 1.0
    with pytest.raises(ValueError, match="name='linear'"):
        schedule("linear", 0, 1)


def test_the_norms_of_the_laboratory_are_the_chapters():
    from norm_activation import batch_norm, group_norm, layer_norm, rms_norm

    x = values(3, 5, 8)
    one, zero = torch.ones(8), torch.zeros(8)
    for i in range(3):
        torch.testing.assert_close(normalized(x, "layer")[i], layer_norm(x[i], one, zero))
        torch.testing.assert_close(normalized(x, "rms")[i], rms_norm(x[i], one))
        torch.testing.assert_close(normalized(x, "batch")[i], batch_norm(x[i], one, zero, zero, one, True)[0])
        torch.testing.assert_close(normalized(x, "group")[i], group_norm(x[i], 4, one, zero))


# ---------------------------------------------------------------- statistics


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5)), min_size=3, max_size=9, unique=True))
def test_the_paired_test_is_scipys(pairs):
    a, b = map(list, zip(*pairs, strict=True))
    if np.std(np.subtract(a, b)) < 1e-3:
        return
    ours, theirs = paired(a, b), scipy.stats.ttest_rel(a, b)
    assert ours.p == pytest.approx(theirs.pvalue, rel=1e-6, abs=1e-9)
    assert (ours.low, ours.high) == pytest.approx(tuple(theirs.confidence_interval()), rel=1e-6, abs=1e-9)


def test_the_interval_covers_the_true_mean_in_95_of_100_experiments():
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(1000):
        difference = paired(list(rng.normal(0.3, 1, 8)), [0.0] * 8)
        covered += difference.low <= 0.3 <= difference.high
    assert 925 < covered < 975  # 950 ± 3.6 standard deviations


def test_the_sign_flip_test_is_scipys():
    rng = np.random.default_rng(1)
    a, b = rng.normal(0.4, 1, 8), rng.normal(0, 1, 8)
    theirs = scipy.stats.permutation_test(
        (a, b), lambda x, y: np.mean(x - y), permutation_type="samples", n_resamples=math.inf
    )
    assert sign_flip_p(list(a), list(b)) == pytest.approx(theirs.pvalue)
    assert sign_flip_p([1.0] * 8, [0.0] * 8) == 2 / 256


def test_holms_correction_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0] and holm([]) == []


def test_bad_input_of_the_paired_test():
    for a, b in (([1.0], [2.0]), ([1.0, 2.0], [1.0])):
        with pytest.raises(ValueError, match="at least two pairs"):
            paired(a, b)
    assert paired([1.0, 1.0], [1.0, 1.0]).p == 1.0 and paired([2.0, 2.0], [1.0, 1.0]).p == 0.0


def test_the_linear_model_finds_effects_that_were_put_in():
    rates = {f"{norm}, {optimizer}": 0.1 for norm in recipes.CHOICES["norm"] for optimizer in OPTIMIZERS}
    chosen = recipes.fraction(recipes.CHOICES, rates)
    assert len({recipes.name_of(r) for r in chosen}) == 200
    effect = {("norm", "rms"): 0.02, ("optimizer", "adamw"): -0.01, ("regularizer", "mixup"): 0.03}
    cells = {}
    for recipe in chosen:
        value = 0.9 + sum(e for (factor, v), e in effect.items() if getattr(recipe, factor) == v)
        cells[recipes.name_of(recipe)] = {"report": [value, value + 0.01]}
    for key, by_seed in recipes.linear_model(cells, recipes.CHOICES).items():
        assert by_seed == pytest.approx([effect.get(key, 0.0)] * 2, abs=1e-9), key


@pytest.mark.parametrize("a, b", list(itertools.combinations(recipes.CHOICES, 2)))
def test_every_two_values_of_different_factors_meet(a, b):
    rates = {f"{norm}, {optimizer}": 0.1 for norm in recipes.CHOICES["norm"] for optimizer in OPTIMIZERS}
    met = {(getattr(r, a), getattr(r, b)) for r in recipes.fraction(recipes.CHOICES, rates)}
    assert len(met) == len(recipes.CHOICES[a]) * len(recipes.CHOICES[b])


# ---------------------------------------------------------------- the network


def digits(seeds, n=100):
    from sklearn.datasets import load_digits

    data = load_digits()
    x, y = torch.tensor(data.data / 8 - 1).float(), torch.tensor(data.target)
    rows = torch.stack([torch.randperm(len(x), generator=torch.Generator().manual_seed(s))[: 2 * n] for s in seeds])
    return x[rows[:, :n]], y[rows[:, :n]], x[rows[:, n:]], y[rows[:, n:]]


@pytest.mark.parametrize("regularizer", REGULARIZERS)
def test_each_regularizer_trains_with_each_norm_somewhere(regularizer):
    i = REGULARIZERS.index(regularizer)
    recipe = Recipe(NORMS[(i + 1) % 5], list(OPTIMIZERS)[i % 4], SCHEDULES[i % 4], regularizer)
    x, y, test_x, test_y = digits([0, 1])
    got = accuracy(fit(recipe, [0, 1], x, y, 150), test_x, test_y)
    assert min(got) > 0.5, (recipe, got)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_weight_decay_shrinks_the_weights_under_every_optimizer(optimizer):
    x, y, *_ = digits([0])
    sizes = [
        sum(
            float(w.detach().square().sum())
            for w in fit(Recipe("layer", optimizer, regularizer=kind), [0], x, y, 60).weights
        )
        for kind in ("none", "weight decay")
    ]
    assert sizes[1] < 0.995 * sizes[0], sizes


def test_networks_that_train_side_by_side_do_not_touch_each_other():
    x, y, *_ = digits([0, 1])
    both = fit(Recipe("layer"), [0, 1], x, y, 10)
    alone = fit(Recipe("layer"), [1], x[1:], y[1:], 10)
    torch.testing.assert_close(both.weights[1][1], alone.weights[1][0], rtol=1e-4, atol=1e-5)
