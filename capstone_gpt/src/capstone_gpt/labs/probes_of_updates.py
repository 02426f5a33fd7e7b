"""The probes that change modes or take steps: dropout, decay, clipping, eps and the rate."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .faulty_run import Run

Make = Callable[[], Run]


def train_against_eval(make: Make) -> str | None:
    """Compare the two modes: how much longer is what the dropout layers let through in training mode?"""
    run = make()
    x, _ = run.batch()
    lengths: dict[bool, float] = {}
    drops = [module for module in run.model.modules() if isinstance(module, nn.Dropout)]

    def note(module: nn.Module, inputs: tuple, output: Tensor) -> None:
        lengths[module.training] = lengths.get(module.training, 0.0) + float(output.norm())

    handles = [drop.register_forward_hook(note) for drop in drops]
    with torch.no_grad():
        for training in (True, False):
            run.model.train(training)
            run.model(x)
    for handle in handles:
        handle.remove()
    return "dropout too high" if lengths[True] > 1.6 * lengths[False] else None


def change(run: Run, norm: float) -> Float[Tensor, "n"]:
    """What one update does to the weights, on a random gradient of this norm."""
    generator = torch.Generator().manual_seed(0)
    parameters = [p for group in run.optimizer.param_groups for p in group["params"]]
    for p in parameters:
        p.grad = torch.randn(p.shape, generator=generator)
    size = float(torch.stack([p.grad.norm() for p in parameters]).norm())
    before = torch.cat([p.detach().flatten() for p in parameters])
    for p in parameters:
        p.grad *= norm / size
    run.update(0)
    return torch.cat([p.detach().flatten() for p in parameters]) - before


def one_update(make: Make) -> str | None:
    """Update on no gradient, on a small one, on one twice as large: decay, clipping and eps show themselves."""
    run = make()
    length = float(torch.cat([p.detach().flatten() for p in run.model.parameters()]).norm())
    decay = change(run, 0.0)
    if float(decay.norm()) > 3 * run.rate(0) * length:
        return "weight decay too large"
    adaptive = any("exp_avg_sq" in state for state in run.optimizer.state.values())
    small, large = (float((change(make(), norm) - decay).norm()) for norm in (0.05, 0.1))
    proportional = large > 1.5 * small
    if adaptive:
        return "eps too large" if proportional else None
    return None if proportional else "clipped to nothing"


def rates(make: Make) -> str | None:
    """Read the schedule; then try its first steps, warm-up and all, at a hundredth and at the hundredfold."""
    run = make()
    plan = [run.rate(step) for step in range(run.setup.steps)]
    peak = max(plan)
    if plan[len(plan) // 2] < 0.01 * peak:
        return "decay too early"
    if plan[-1] - plan[int(0.9 * len(plan))] > 0.05 * peak:
        return "warm-up never ends"
    count = plan.index(peak) + 20
    start, as_planned, at_hundredth = (few_steps(make(), share, count) for share in (0.0, 1.0, 0.01))
    if at_hundredth < start - 0.1 and as_planned > at_hundredth - 0.1:  # a hundredth learns as much
        return "rate too high"
    if as_planned > start - 0.1 and few_steps(make(), 100.0, count) < as_planned - 0.2:
        return "rate too low"
    return None


def few_steps(run: Run, share: float, count: int) -> float:
    """The loss on three batches after the first steps of the schedule, each rate multiplied by `share`.

    The warm-up stays: a rate that is right after it can be too high for the first steps.
    """
    plan = run.rate
    run.rate = lambda step: share * plan(step)
    for step in range(count):
        run.backward(*run.batch())
        run.update(step)
    with torch.no_grad():
        return sum(run.loss(*run.batch()).item() for _ in range(3)) / 3
