"""One step of several micro-batches: equal to one large batch, clipped once, in the right order."""

import pytest
import torch
from given import Drop, integers
from torch import nn
from torch.nn import functional as F


def batches(seed, sizes, ignored=0):
    """Micro-batches of unequal size; `ignored` targets of each row of the first are not counted."""
    made = [(integers(seed + i, 13, rows, 5), integers(seed + 50 + i, 13, rows, 5)) for i, rows in enumerate(sizes)]
    made[0][1][:, :ignored] = -100
    return made


def loss_of(model):
    return lambda x, y: F.cross_entropy(model(x).flatten(0, 1), y.flatten(), reduction="sum", ignore_index=-100)


def quiet(seed):
    return Drop(seed).eval().double()


@pytest.mark.task("train_step")
def test_oracle_micro_batches_of_unequal_size_are_one_batch(impl, seed):
    for decay in (0.0, 0.1):
        parts = batches(seed, (1, 4, 2), ignored=3)
        whole = torch.cat([x for x, _ in parts]), torch.cat([y for _, y in parts])
        got, want = quiet(seed), quiet(seed)
        optimizer = torch.optim.SGD(got.parameters(), lr=0.3, weight_decay=decay)
        loss, norm = impl.train_step(loss_of(got), optimizer, parts)
        mean = F.cross_entropy(want(whole[0]).flatten(0, 1), whole[1].flatten(), ignore_index=-100)
        mean.backward()
        other = torch.optim.SGD(want.parameters(), lr=0.3, weight_decay=decay)
        other.step()
        assert type(loss) is float and loss == pytest.approx(mean.item(), rel=1e-12)
        assert norm == pytest.approx(nn.utils.get_total_norm([p.grad for p in want.parameters()]).item(), rel=1e-10)
        for a, b in zip(got.parameters(), want.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=1e-12)


@pytest.mark.task("train_step")
def test_a_micro_batch_without_targets_adds_nothing(impl, seed):
    a, b, parts = quiet(seed), quiet(seed), batches(seed, (2, 3), ignored=5)
    with_it = impl.train_step(loss_of(a), torch.optim.SGD(a.parameters(), lr=0.1), parts)
    without = impl.train_step(loss_of(b), torch.optim.SGD(b.parameters(), lr=0.1), parts[1:])
    assert with_it == pytest.approx(without, rel=1e-12)


@pytest.mark.task("train_step")
def test_gradients_are_clipped_once_and_together(impl, seed):
    model, parts = quiet(seed), batches(seed, (2, 3))
    before = [p.detach().clone() for p in model.parameters()]
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    _, norm = impl.train_step(loss_of(model), optimizer, parts, 0.01)
    moved = torch.cat([(b - p.detach()).flatten() for b, p in zip(before, model.parameters(), strict=True)])
    assert norm > 0.1 and moved.norm().item() == pytest.approx(0.01, rel=1e-3)


@pytest.mark.task("train_step")
def test_the_groups_of_an_optimizer_are_clipped_together(impl):
    """The gradients are 3 and 4: their norm is 5, and a limit of 1 leaves a fifth of each."""
    a, b = nn.Parameter(torch.zeros(1)), nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([{"params": [a]}, {"params": [b]}], lr=1.0)
    parts = [(torch.tensor([3.0]), torch.tensor([4.0]))]
    _, norm = impl.train_step(lambda x, y: (x * a + y * b).sum(), optimizer, parts, 1.0)
    assert norm == pytest.approx(5.0) and (-a.item(), -b.item()) == pytest.approx((0.6, 0.8), rel=1e-4)


@pytest.mark.task("train_step")
def test_old_gradients_do_not_count(impl, seed):
    a, b = quiet(seed), quiet(seed)
    for p in a.parameters():
        p.grad = torch.full_like(p, 1e3)
    for model in (a, b):
        for _ in range(2):
            impl.train_step(loss_of(model), torch.optim.SGD(model.parameters(), lr=0.1), batches(seed, (2, 1)))
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))


@pytest.mark.task("train_step")
def test_the_scale_is_taken_out_before_clipping(impl, seed):
    a, b = quiet(seed).float(), quiet(seed).float()
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**12)
    parts = batches(seed, (2, 3))
    _, scaled = impl.train_step(loss_of(a), torch.optim.SGD(a.parameters(), lr=1.0), parts, 0.5, scaler)
    _, plain = impl.train_step(loss_of(b), torch.optim.SGD(b.parameters(), lr=1.0), parts, 0.5)
    assert scaled == pytest.approx(plain, rel=1e-5)
    for p, q in zip(a.parameters(), b.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=0, atol=1e-6)


@pytest.mark.task("train_step")
def test_a_step_that_overflows_is_left_out_and_the_scale_halves(impl, seed):
    model = quiet(seed).float()
    before = [p.detach().clone() for p in model.parameters()]
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10)

    def overflows(x, y):
        return loss_of(model)(x, y) * torch.tensor(3e38)

    impl.train_step(overflows, torch.optim.SGD(model.parameters(), lr=1.0), batches(seed, (2,)), 1.0, scaler)
    assert all(torch.equal(p, q) for p, q in zip(model.parameters(), before, strict=True))
    assert scaler.get_scale() == 2.0**9


@pytest.mark.task("train_step")
def test_no_other_negative_target_is_ignored(impl):
    """w = 0, x = 1, targets -2 and -150: the loss is their mean square, its gradient minus twice their mean."""
    w, parts = nn.Parameter(torch.zeros(1)), [(torch.ones(3), torch.tensor([-2.0, -100.0, -150.0]))]

    def squares(x, y):
        return (w * x - y)[y != -100].square().sum()

    loss, norm = impl.train_step(squares, torch.optim.SGD([w], lr=0.1), parts)
    assert loss == pytest.approx(11252.0) and norm == pytest.approx(152.0) and w.item() == pytest.approx(-15.2)


@pytest.mark.task("train_step")
def test_the_example_of_the_workbook(impl):
    w = nn.Parameter(torch.tensor([1.0]))
    parts = [(torch.tensor([2.0]), torch.tensor([0.0])), (torch.tensor([1.0, 3.0]), torch.tensor([0.0, -100.0]))]

    def squares(x, y):
        kept = y != -100
        return ((w * x)[kept] - y[kept]).square().sum()

    loss, norm = impl.train_step(squares, torch.optim.SGD([w], lr=0.1), parts)
    assert loss == pytest.approx(2.5) and norm == pytest.approx(5.0) and w.item() == pytest.approx(0.5)
