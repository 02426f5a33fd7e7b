"""Losses by hand against PyTorch's, values and gradients in float64."""

import math

import pytest
import torch
import torch.nn.functional as F
from mistakes import ints, loss_and_gradient, randn, some_labels
from objective_arena import log_softmax, perplexity
from objective_arena.losses import (
    contrastive_loss,
    focal_loss,
    hinge_loss,
    huber_loss,
    info_nce,
    mae_loss,
    margin_ranking_loss,
    mse_loss,
    triplet_loss,
)

F64 = torch.float64
EXACT = {"rtol": 1e-10, "atol": 1e-12}  # float64 has sixteen digits; sums have a hundred terms


def alike(got, want):
    for key in want:
        torch.testing.assert_close(got[key], want[key], **EXACT)


@pytest.mark.task("cross_entropy")
@pytest.mark.parametrize(("V", "ignore"), [(7, -100), (11, 3), (2, -1), (13, 0), (5, 9)])
def test_oracle_cross_entropy(impl, seed, V, ignore):
    logits, labels = randn(seed, 17, V, dtype=F64), some_labels(seed, V, 17, ignore)
    got = loss_and_gradient(impl.cross_entropy, logits, labels, ignore)
    alike(got, loss_and_gradient(F.cross_entropy, logits, labels, ignore_index=ignore))


@pytest.mark.task("cross_entropy")
def test_large_scores_do_not_overflow(impl, seed):
    logits, labels = 1e4 * randn(seed, 5, 7, dtype=F64), ints(seed, 7, 5)
    alike(loss_and_gradient(impl.cross_entropy, logits, labels), loss_and_gradient(F.cross_entropy, logits, labels))


@pytest.mark.task("cross_entropy")
def test_property_a_position_that_is_left_out_changes_nothing(impl, seed):
    logits, labels = randn(seed, 6, 5, dtype=F64), ints(seed, 5, 6)
    more = torch.cat([logits, 50 * randn(seed + 1, 3, 5, dtype=F64)])
    wanted = torch.cat([labels, torch.full((3,), -100)])
    torch.testing.assert_close(impl.cross_entropy(more, wanted), impl.cross_entropy(logits, labels), **EXACT)
    shifted = impl.cross_entropy(logits + 3.5, labels)
    torch.testing.assert_close(shifted, F.cross_entropy(logits, labels), **EXACT)


@pytest.mark.task("cross_entropy")
def test_bad_input_no_label_counts(impl):
    with pytest.raises(ValueError):
        impl.cross_entropy(torch.zeros(2, 3), torch.tensor([1, 1]), 1)


@pytest.mark.task("smoothed_cross_entropy")
@pytest.mark.parametrize(("V", "ignore", "smoothing"), [(7, -100, 0.1), (11, 3, 0.4), (2, -1, 1.0), (5, 9, 0.0)])
def test_oracle_label_smoothing(impl, seed, V, ignore, smoothing):
    logits, labels = randn(seed, 17, V, dtype=F64), some_labels(seed, V, 17, ignore)
    got = loss_and_gradient(impl.smoothed_cross_entropy, logits, labels, smoothing, ignore)
    want = loss_and_gradient(F.cross_entropy, logits, labels, label_smoothing=smoothing, ignore_index=ignore)
    alike(got, want)


@pytest.mark.task("smoothed_cross_entropy")
def test_effect_the_best_prediction_is_the_softened_target(impl):
    """At the target's own distribution the gradient is zero: 1 - ε + ε / V on the label."""
    V, smoothing = 5, 0.3
    target = torch.full((V,), smoothing / V, dtype=F64)
    target[2] += 1 - smoothing
    got = loss_and_gradient(impl.smoothed_cross_entropy, target.log()[None], torch.tensor([2]), smoothing)
    assert got["the gradient"].abs().max() < 1e-12
    torch.testing.assert_close(got["the loss"], -(target * target.log()).sum(), **EXACT)


@pytest.mark.task("smoothed_cross_entropy")
def test_bad_input_smoothing(impl):
    logits, labels = torch.zeros(2, 3), torch.tensor([0, 1])
    for smoothing in (-0.1, 1.1):
        with pytest.raises(ValueError):
            impl.smoothed_cross_entropy(logits, labels, smoothing)
    with pytest.raises(ValueError):
        impl.smoothed_cross_entropy(logits, torch.full((2,), -100))
    default = impl.smoothed_cross_entropy(logits + torch.arange(3.0), labels)
    torch.testing.assert_close(default, F.cross_entropy(logits + torch.arange(3.0), labels, label_smoothing=0.1))


def choices(a, b, temperature):
    """The loss written as PyTorch's cross-entropy over explicit lists of other views."""
    views = F.normalize(torch.cat([a, b]), dim=1)
    n, B = len(views), len(a)
    losses = []
    for i in range(n):
        others = [j for j in range(n) if j != i]
        scores = views[others] @ views[i] / temperature
        losses.append(F.cross_entropy(scores[None], torch.tensor([others.index((i + B) % n)])))
    return torch.stack(losses).mean()


@pytest.mark.task("info_nce")
@pytest.mark.parametrize(("B", "temperature"), [(5, 0.7), (3, 0.05), (1, 0.1), (2, 50.0)])
def test_oracle_contrast(impl, seed, B, temperature):
    leaves = [(3 * randn(seed + i, B, 7, dtype=F64)).requires_grad_() for i in (0, 1)]
    got, want = impl.info_nce(*leaves, temperature), choices(*leaves, temperature)
    torch.testing.assert_close(got, want, **EXACT)
    for mine, theirs in zip(*(torch.autograd.grad(x, leaves) for x in (got, want)), strict=True):
        torch.testing.assert_close(mine, theirs, **EXACT)


@pytest.mark.task("info_nce")
def test_property_lengths_do_not_matter_and_the_default_is_a_tenth(impl, seed):
    a, b = randn(seed, 4, 5, dtype=F64), randn(seed + 1, 4, 5, dtype=F64)
    torch.testing.assert_close(impl.info_nce(5 * a, b / 30), impl.info_nce(a, b, 0.1), **EXACT)
    torch.testing.assert_close(impl.info_nce(a, b), choices(a, b, 0.1), **EXACT)


@pytest.mark.task("info_nce")
@pytest.mark.parametrize("temperature", [0.0, -0.5])
def test_bad_input_temperature(impl, temperature):
    with pytest.raises(ValueError):
        impl.info_nce(torch.ones(2, 3), torch.ones(2, 3), temperature)


def test_effect_contrast_is_a_bound_on_information():
    """The loss of views that know nothing of each other is log(2B - 1); that of equal ones falls toward 0."""
    generator = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 256, 64, generator=generator)
    assert abs(float(info_nce(a, b, 1.0)) - math.log(511)) < 0.05
    assert info_nce(a, a, 0.05) < 0.01


# ---------------------------------------------------------------- the other losses


def test_oracle_the_losses_of_pytorch():
    x, y = randn(0, 23, dtype=F64) * 3, randn(1, 23, dtype=F64)
    torch.testing.assert_close(mse_loss(x, y), F.mse_loss(x, y), **EXACT)
    torch.testing.assert_close(mae_loss(x, y), F.l1_loss(x, y), **EXACT)
    torch.testing.assert_close(huber_loss(x, y, 0.7), F.huber_loss(x, y, delta=0.7), **EXACT)
    sign = torch.where(y > 0, 1.0, -1.0).to(F64)
    want = F.margin_ranking_loss(x, y, torch.ones(23, dtype=F64), margin=0.3)
    torch.testing.assert_close(margin_ranking_loss(x, y, 0.3), want, **EXACT)
    torch.testing.assert_close(hinge_loss(x, sign), (1 - sign * x).clamp(min=0).mean(), **EXACT)
    a, p, n = (randn(i, 11, 5, dtype=F64) for i in (2, 3, 4))
    torch.testing.assert_close(triplet_loss(a, p, n, 0.5), F.triplet_margin_loss(a, p, n, margin=0.5, eps=0), **EXACT)
    d, same = x.abs(), (y > 0).to(F64)
    want = torch.where(same > 0, d**2, (1.5 - d).clamp(min=0) ** 2).mean()
    torch.testing.assert_close(contrastive_loss(d, same, 1.5), want, **EXACT)


def test_oracle_focal_loss_and_its_gradient():
    logits, targets = randn(0, 31, dtype=F64) * 4, (randn(1, 31) > 0.5).to(F64)

    def plain(x, y, gamma, alpha):
        p = torch.where(y > 0.5, x.sigmoid(), 1 - x.sigmoid())
        weight = torch.where(y > 0.5, alpha, 1 - alpha) if alpha is not None else 1.0
        return (weight * (1 - p) ** gamma * -p.log()).mean()

    for gamma, alpha in ((2.0, 0.25), (0.5, None), (0.0, 0.9)):
        got = loss_and_gradient(focal_loss, logits, targets, gamma, alpha)
        alike(got, loss_and_gradient(plain, logits, targets, gamma, alpha))
    want = F.binary_cross_entropy_with_logits(logits, targets)
    torch.testing.assert_close(focal_loss(logits, targets, 0.0, None), want, **EXACT)
    assert torch.isfinite(focal_loss(torch.tensor([900.0, -900.0]), torch.tensor([0.0, 1.0])))


def test_effect_what_an_outlier_pulls():
    """The gradient of one error of 100 among errors of 1: 100 times that of the others, equal, and at most delta."""
    error = torch.tensor([1.0, 1.0, 100.0], dtype=F64)
    pulls = {}
    for name, loss in (("mse", mse_loss), ("mae", mae_loss), ("huber", huber_loss)):
        pulls[name] = loss_and_gradient(loss, error, torch.zeros(3, dtype=F64))["the gradient"] * 3
    assert pulls["mse"].tolist() == pytest.approx([2, 2, 200])
    assert pulls["mae"].tolist() == pytest.approx([1, 1, 1])
    assert pulls["huber"].tolist() == pytest.approx([1, 1, 1])


def test_effect_focal_loss_turns_to_the_hard_examples():
    easy, hard = torch.tensor([3.0], dtype=F64), torch.tensor([-1.0], dtype=F64)
    one = torch.ones(1, dtype=F64)
    ratio = {g: float(focal_loss(hard, one, g, None) / focal_loss(easy, one, g, None)) for g in (0.0, 2.0)}
    assert ratio[2.0] > 100 * ratio[0.0]


@pytest.mark.parametrize(
    ("loss", "changes"),
    [(focal_loss, {"gamma": -1.0}), (focal_loss, {"alpha": 1.5}), (huber_loss, {"delta": 0.0})],
)
def test_bad_input_of_the_other_losses(loss, changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        loss(torch.zeros(2), torch.ones(2), **changes)


def test_perplexity_is_the_number_of_equal_choices():
    assert perplexity(math.log(50)) == pytest.approx(50)
    assert log_softmax(torch.zeros(1, 4)).tolist() == [[pytest.approx(-math.log(4))] * 4]
