"""Optimizers and schedules: the oracles are torch's own and those of `transformers`."""

import math

import pytest
import torch
from given import TINY, helper_of, plain_newton_schulz, randn, tied_model
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils.flop_counter import FlopCounterMode

from capstone_gpt import GPT

SHAPES = [(7, 13), (13, 5), (11,)]


def gradient(p, seed, step):
    return 4 * (p.detach() - randn(seed, *p.shape)) ** 3 + 0.3 * randn(seed + step + 1, *p.shape)


@pytest.mark.task("param_groups")
def test_matrices_decay_vectors_do_not_each_once(impl):
    model = tied_model(0)
    decay, rest = impl.param_groups(model, 0.3)
    names = {id(p): n for n, p in model.named_parameters(remove_duplicate=True)}
    assert [names[id(p)] for p in decay["params"]] == ["scale", "wte.weight"]
    assert [names[id(p)] for p in rest["params"]] == [
        "share",
        "norm.weight",
        "norm.bias",
        "lm_head.bias",
        "frozen.bias",
    ]
    assert decay["weight_decay"] == 0.3 and rest["weight_decay"] == 0.0
    torch.optim.AdamW([decay, rest])


@pytest.mark.task("param_groups")
def test_gpt_has_all_parameters_in_two_groups(impl):
    model = GPT(TINY)
    groups = impl.param_groups(model, 0.1)
    grouped = [id(p) for g in groups for p in g["params"]]
    assert len(grouped) == len(set(grouped)) and set(grouped) == {id(p) for p in model.parameters()}
    assert all(p.ndim >= 2 for p in groups[0]["params"]) and all(p.ndim < 2 for p in groups[1]["params"])


@pytest.mark.task("param_groups")
def test_there_are_two_groups_even_if_one_is_empty(impl):
    for model, sizes in ((torch.nn.LayerNorm(4), [0, 2]), (torch.nn.Linear(2, 3, bias=False), [1, 0])):
        groups = impl.param_groups(model, 0.2)
        assert [len(g["params"]) for g in groups] == sizes
        assert [g["weight_decay"] for g in groups] == [0.2, 0.0]


@pytest.mark.task("adamw")
@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_oracle_fifty_steps_of_torch(impl, seed, decay, dtype):
    for shape in SHAPES:
        ours = randn(seed, *shape, dtype=dtype)
        theirs, state = ours.clone().requires_grad_(), {}
        optimizer = torch.optim.AdamW([theirs], lr=1e-2, betas=(0.9, 0.95), eps=1e-3, weight_decay=decay)
        for step in range(50):
            grad = gradient(ours, seed, step).to(dtype)
            impl.adamw(ours, grad, state, 1e-2, (0.9, 0.95), 1e-3, decay)
            theirs.grad = grad
            optimizer.step()
        assert set(state) == {"step", "exp_avg", "exp_avg_sq"} and state["step"] == 50
        torch.testing.assert_close(ours, theirs.detach(), rtol=0, atol=1e-12 if dtype == torch.float64 else 2e-5)


@pytest.mark.task("adamw")
def test_the_first_step_is_the_learning_rate_whatever_the_gradient(impl):
    p = torch.tensor([1.0, 1.0, 1.0])
    assert impl.adamw(p, torch.tensor([1e-3, -5.0, 400.0]), {}, 0.1) is None
    torch.testing.assert_close(p, torch.tensor([0.9, 1.1, 0.9]), rtol=1e-4, atol=0)


def singular_values(step, before):
    return torch.linalg.svdvals(before - step)


@pytest.mark.task("muon")
def test_oracle_torch_with_its_newton_schulz_in_float64(impl, seed, monkeypatch):
    import torch.optim._muon as theirs

    def in_float64(grad, coefficients, steps, eps):
        a, b, c = coefficients
        X = grad.T if grad.size(0) > grad.size(1) else grad
        X = X / X.norm().clamp(min=eps)
        for _ in range(steps):
            A = X @ X.T
            X = a * X + (b * A + c * A @ A) @ X
        return X.T if grad.size(0) > grad.size(1) else X

    monkeypatch.setattr(theirs, "_zeropower_via_newtonschulz", in_float64)
    for shape in [(7, 13), (13, 5), (11, 11)]:
        ours = {"blocks.0.w": randn(seed, *shape)}
        p, state = ours["blocks.0.w"].clone().requires_grad_(), {}
        optimizer = torch.optim.Muon([p], lr=1e-2, weight_decay=0.1, momentum=0.95)
        for step in range(50):
            grad = gradient(p, seed, step)
            ours["blocks.0.w"].grad, p.grad = grad.clone(), grad.clone()
            impl.muon(ours, state, 1e-2, 0.95, 0.1)
            optimizer.step()
        torch.testing.assert_close(ours["blocks.0.w"], p.detach(), rtol=0, atol=1e-11)


@pytest.mark.task("muon")
def test_only_hidden_matrices_are_updated(impl):
    model = GPT(TINY)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    for p in model.parameters():
        p.grad = torch.ones_like(p)
    named, state = dict(model.named_parameters()), {}
    updated = impl.muon(named, state, 0.02)
    assert all((p.grad == 1).all() for p in named.values())
    want = [n for n, p in named.items() if n.startswith("blocks.") and p.ndim == 2]
    assert list(updated) == want and set(state) == set(want)
    assert all(torch.equal(p, before[n]) != (n in want) for n, p in named.items())
    other = {"head.blocks.0.w": randn(0, 3, 4)}
    other["head.blocks.0.w"].grad = randn(1, 3, 4)
    assert list(impl.muon(other, {})) == []


@pytest.mark.task("muon")
def test_effect_every_direction_moves_alike_and_tall_matrices_farther(impl, seed):
    for shape, size in (((12, 12), 1.0), ((5, 20), 1.0), ((20, 5), 2.0)):
        p = randn(seed, *shape)
        before = p.clone()
        named = {"blocks.0.w": p}
        U, V = (torch.linalg.qr(randn(seed + i, n, min(shape))).Q for i, n in enumerate(shape, 1))
        p.grad = U * 10.0 ** torch.linspace(0, -1, min(shape)).double() @ V.T  # singular values from 1 to 0.1
        impl.muon(named, {}, 1.0, 0.0)
        moved = torch.linalg.svdvals(before - p) / size
        assert 0.3 < moved.min() and moved.max() < 1.3


@pytest.mark.task("muon")
@pytest.mark.parametrize("steps", [0, 1, 3])
def test_oracle_the_polynomial_on_singular_values(impl, seed, steps):
    """Of the workbook's helper, where it is written: as many steps as are asked for."""
    polynomial = helper_of(impl.muon, "newton_schulz") or plain_newton_schulz
    for shape in ((3, 8), (8, 3)):
        G = randn(seed, *shape)
        torch.testing.assert_close(polynomial(G, steps), plain_newton_schulz(G, steps), rtol=0, atol=1e-12)


@pytest.mark.task("muon")
def test_a_matrix_that_comes_later_starts_at_zero(impl, seed):
    first, late, state = randn(seed, 3, 4), randn(seed + 1, 3, 4), {}
    first.grad, late.grad = randn(seed + 2, 3, 4), randn(seed + 3, 3, 4)
    impl.muon({"blocks.0.w": first}, state, momentum=0.75)
    both = {"blocks.0.w": first, "blocks.1.w": late}
    assert list(impl.muon(both, state, momentum=0.75)) == list(both)
    torch.testing.assert_close(state["blocks.1.w"], 0.25 * late.grad)


@pytest.mark.task("muon")
def test_cost_a_tall_matrix_is_no_dearer_than_a_wide_one(impl):
    flops = []
    for shape in ((4, 64), (64, 4)):
        named = {"blocks.0.w": randn(0, *shape)}
        named["blocks.0.w"].grad = randn(1, *shape)
        with FlopCounterMode(display=False) as counter:
            impl.muon(named, {}, 0.1)
        flops.append(counter.get_total_flops())
    assert flops[1] <= 1.1 * flops[0] + 1000


@pytest.mark.parametrize("warmup_steps, total_steps", [(0, 17), (5, 40)])
def test_oracle_transformers(impl, warmup_steps, total_steps):
    """Theirs warms up from 0 in warmup_steps steps; after that the two are the same."""
    from transformers import get_cosine_schedule_with_warmup

    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.3)
    schedule = get_cosine_schedule_with_warmup(optimizer, warmup_steps, total_steps)
    for step in range(total_steps + 1):
        got = impl.cosine_lr(step, 0.3, warmup_steps, total_steps)
        if step >= warmup_steps:
            assert got == pytest.approx(schedule.get_last_lr()[0], abs=1e-12)
        else:
            assert got == pytest.approx(0.3 * (step + 1) / (warmup_steps + 1), rel=1e-12)
        optimizer.step()
        schedule.step()


@pytest.mark.task("cosine_lr")
def test_the_rate_falls_along_half_a_wave(impl):
    for step in range(5, 41):
        want = 0.3 * (1 + math.cos(math.pi * (step - 5) / 35)) / 2
        assert impl.cosine_lr(step, 0.3, 5, 40) == pytest.approx(want, abs=1e-12)


@pytest.mark.task("cosine_lr")
def test_property_the_rate_stays_between_its_ends(impl):
    @settings(deadline=None, max_examples=30)
    @given(st.integers(0, 200), st.integers(0, 20), st.integers(21, 90), st.integers(1, 4))
    def holds(micro_step, warmup_steps, total_steps, accumulation):
        lr = impl.cosine_lr(micro_step, 1.0, warmup_steps, total_steps, 0.1, accumulation)
        step = micro_step // accumulation
        assert 0 < lr <= 1 and lr == impl.cosine_lr(step, 1.0, warmup_steps, total_steps, 0.1)
        if step >= total_steps:
            assert lr == pytest.approx(0.1)

    holds()


@pytest.mark.task("cosine_lr")
def test_the_example_of_the_workbook_and_bad_input(impl):
    rates = [impl.cosine_lr(s, 1.0, 3, 11) for s in (0, 1, 2, 3, 7, 11, 20)]
    assert rates == pytest.approx([0.25, 0.5, 0.75, 1.0, 0.5, 0.0, 0.0])
    assert impl.cosine_lr(7, 1.0, 3, 11, accumulation=2) == 1.0
    assert impl.cosine_lr(7, 1.0, 3, 11, 0.2) == pytest.approx(0.6)
    above = [impl.cosine_lr(s, 1.0, 3, 11, 0.4) for s in (0, 1, 3, 11)]
    assert above == pytest.approx([0.25, 0.5, 1.0, 0.4])  # min_lr is of the fall alone
    for warmup_steps in (11, 12):
        with pytest.raises(ValueError):
            impl.cosine_lr(0, 1.0, warmup_steps, 11)
    assert impl.cosine_lr(10, 1.0, 10, 11) == 1.0 and math.isfinite(impl.cosine_lr(0, 1, 0, 1))
