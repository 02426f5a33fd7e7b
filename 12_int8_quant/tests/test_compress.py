"""Distillation, pruning, lottery ticket, the sentence encoder."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from int8_quant.calibrate import fit
from int8_quant.compress import (
    Encoder,
    apply_masks,
    channel_mask,
    encode,
    iterative_masks,
    keep_masks,
    magnitude_masks,
    prunable,
    read_polarity,
    rewound,
    sparsity_of,
    vocabulary,
    wanda_mask,
    without_channels,
)
from mistakes import logits, randn
from torch import nn
from torch.nn.utils import prune


@pytest.mark.task("distillation_loss")
@pytest.mark.parametrize(("T", "alpha"), [(1.0, 0.3), (2.0, 0.5), (5.0, 1.0), (3.0, 0.0)])
def test_oracle_kl_div_values_and_gradients(impl, seed, T, alpha):
    student, teacher, labels = logits(seed, 5, 7, torch.float64)
    student.requires_grad_(), teacher.requires_grad_()
    soft = F.kl_div((student / T).log_softmax(1), (teacher.detach() / T).softmax(1), reduction="batchmean")
    want = alpha * T**2 * soft + (1 - alpha) * F.cross_entropy(student, labels)
    got = impl.distillation_loss(student, teacher, labels, T, alpha)
    torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-12)
    mine, theirs = (torch.autograd.grad(x, (student, teacher), allow_unused=True) for x in (got, want))
    torch.testing.assert_close(mine[0], theirs[0], rtol=1e-9, atol=1e-12)
    assert mine[1] is None


@pytest.mark.task("distillation_loss")
def test_the_callers_teacher_still_requires_a_gradient(impl):
    student, teacher, labels = logits(0)
    teacher.requires_grad_()
    impl.distillation_loss(student.requires_grad_(), teacher, labels)
    assert teacher.requires_grad


@pytest.mark.task("distillation_loss")
def test_defaults_and_large_logits(impl, seed):
    student, teacher, labels = logits(seed)
    whole = impl.distillation_loss(student, teacher, labels)
    torch.testing.assert_close(whole, impl.distillation_loss(student, teacher, labels, 2.0, 0.5))
    assert torch.isfinite(impl.distillation_loss(student * 1e4, teacher * 1e4, labels))


@pytest.mark.task("distillation_loss")
def test_property_a_student_that_equals_its_teacher_loses_nothing(impl):
    @settings(deadline=None, max_examples=20)
    @given(st.integers(1, 5), st.integers(2, 6), st.floats(0.5, 20), st.integers(0, 2**20))
    def holds(B, C, T, seed):
        student, _, labels = logits(seed, B, C, torch.float64)
        assert abs(float(impl.distillation_loss(student, student + 3, labels, T, 1.0))) < 1e-9

    holds()


@pytest.mark.task("distillation_loss")
def test_effect_the_gradient_keeps_its_size_at_a_high_temperature(impl, seed):
    sizes = []
    for T in (1.0, 20.0):
        student, teacher, labels = logits(seed, 64, 7)
        student.requires_grad_()
        loss = impl.distillation_loss(student, teacher, labels, T, 1.0)
        sizes.append(float(torch.autograd.grad(loss, student)[0].norm()))
    assert 0.2 < sizes[1] / sizes[0] < 20


def test_oracle_pytorchs_pruning():
    model = nn.Sequential(nn.Linear(7, 5), nn.ReLU(), nn.Linear(5, 3))
    weights = list(prunable(model).values())
    masks, by_layer = magnitude_masks(weights, 0.4), magnitude_masks(weights, 0.4, everywhere=False)
    parameters = [(model[0], "weight"), (model[2], "weight")]
    prune.global_unstructured(parameters, prune.L1Unstructured, amount=0.4)
    for mask, (layer, _) in zip(masks, parameters, strict=True):
        assert torch.equal(mask, layer.weight_mask.bool())
        prune.remove(layer, "weight")
    layer = nn.Linear(7, 5)
    own = magnitude_masks([layer.weight], 0.4)[0]
    prune.l1_unstructured(layer, "weight", 0.4)
    assert torch.equal(own, layer.weight_mask.bool())
    assert [int((~m).sum()) for m in by_layer] == [14, 6]


def test_oracle_structured_pruning():
    layer = nn.Linear(6, 9)
    keep = channel_mask(layer.weight, 1 / 3)
    prune.ln_structured(layer, "weight", 1 / 3, n=2, dim=0)
    assert torch.equal(keep, layer.weight_mask[:, 0].bool()) and int(keep.sum()) == 6


def test_smaller_layers_compute_what_the_masked_ones_do():
    first, second, x = nn.Linear(5, 8), nn.Linear(8, 3), randn(0, 4, 5)
    keep = channel_mask(first.weight, 0.5)
    a, b = without_channels(first, second, keep)
    with torch.no_grad():
        want = second(F.relu(first(x)) * keep)
        torch.testing.assert_close(b(F.relu(a(x))), want)
    assert a.weight.shape == (4, 5) and b.weight.shape == (3, 4)


def test_wanda_looks_at_the_inputs():
    weight, hessian = torch.tensor([[1.0, 2.0, 3.0, 4.0]]), torch.diag(torch.tensor([10_000.0, 1.0, 1.0, 1.0]))
    assert wanda_mask(weight, hessian, 0.5).tolist() == [[True, False, False, True]]
    assert wanda_mask(weight, torch.eye(4), 0.5).tolist() == [[False, False, True, True]]


def test_masks_must_be_applied_after_each_step():
    def trained(after_step):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 3))
        masks = magnitude_masks(list(prunable(model).values()), 0.5)
        apply_masks(list(prunable(model).values()), masks)
        keep = keep_masks(masks) if after_step else None
        return sparsity_of(fit(model, randn(0, 40, 5), torch.arange(40) % 3, 5, after_step=keep))

    assert trained(True) == 0.5 and trained(False) < 0.1


def test_the_lottery_rewinds_and_prunes_a_share_each_round():
    start, seen = nn.Linear(10, 10), []

    def train(model, masks):
        seen.append(sparsity_of(model))
        with torch.no_grad():
            model.weight += 0.1
        return model

    masks = iterative_masks(start, train, 0.875, 3)
    assert seen == [0, 0.5, 0.75] and int(masks[0].sum()) == 12
    again = rewound(start, masks)
    assert torch.equal(again.weight, start.weight * masks[0]) and sparsity_of(start) == 0


def test_the_encoder_ignores_padding():
    model = Encoder(50, 16, 2).eval()
    tokens = torch.randint(2, 50, (3, 32), generator=torch.Generator().manual_seed(0))
    tokens[0, 5:] = 0
    other = tokens.clone()
    with torch.no_grad():
        first = model(tokens)
        model.wpe.weight[10:] += 5
        torch.testing.assert_close(model(other)[0], first[0])
        assert not torch.allclose(model(other)[1], first[1])


def test_sentences_become_ids(tmp_path):
    import zipfile

    ids = vocabulary(["good good film .", "a film"])
    assert encode(["Good film, nice"], ids, 5).tolist() == [[2, 3, 1, 1, 0]]
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("x/rt-polarity.neg", "bad\nworse\n")
        archive.writestr("x/rt-polarity.pos", "good\n")
    assert read_polarity(tmp_path / "a.zip") == (["bad", "worse", "good"], [0, 0, 1])
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("other", "x")
    with pytest.raises(ValueError, match="has no rt-polarity.neg"):
        read_polarity(tmp_path / "b.zip")


@pytest.mark.parametrize("sparsity", [-0.1, 1.1])
def test_bad_input_a_sparsity(sparsity):
    with pytest.raises(ValueError, match=f"sparsity={sparsity}: .* between 0 and 1"):
        magnitude_masks([torch.ones(3)], sparsity)
