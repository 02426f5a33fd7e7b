"""AdamW (Loshchilov and Hutter 2019, algorithm 2): Adam's step, and a decay that does not pass through it."""

import torch
from torch import Tensor


@torch.no_grad()
def adamw(
    p: Tensor,
    grad: Tensor,
    state: dict,
    lr: float | int,
    betas: tuple[float, float] = (0.9, 0.95),
    eps: float | int = 1e-8,
    weight_decay: float | int = 0.0,
) -> None:
    """One step, in place. `state` is empty before the first one; then it holds step, exp_avg and exp_avg_sq."""
    if not state:
        state.update(step=0, exp_avg=torch.zeros_like(p), exp_avg_sq=torch.zeros_like(p))
    state["step"] += 1
    beta_1, beta_2 = betas
    state["exp_avg"].lerp_(grad, 1 - beta_1)
    state["exp_avg_sq"].lerp_(grad.square(), 1 - beta_2)
    mean = state["exp_avg"] / (1 - beta_1 ** state["step"])
    square = state["exp_avg_sq"] / (1 - beta_2 ** state["step"])
    p.mul_(1 - lr * weight_decay)
    p.sub_(lr * mean / (square.sqrt() + eps))


class AdamW(torch.optim.Optimizer):
    """The same as an optimizer with groups and state dicts."""

    def __init__(
        self,
        params,
        lr: float | int = 1e-3,
        betas=(0.9, 0.95),
        eps: float | int = 1e-8,
        weight_decay: float | int = 0.0,
    ):
        super().__init__(params, {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})

    def step(self, closure=None) -> None:
        for group in self.param_groups:
            options = {name: group[name] for name in ("lr", "betas", "eps", "weight_decay")}
            for p in group["params"]:
                if p.grad is not None:
                    adamw(p, p.grad, self.state[p], **options)
