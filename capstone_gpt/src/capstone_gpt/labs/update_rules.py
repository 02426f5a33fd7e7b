"""The optimizers beside AdamW and Muon, each as its paper has it: SGD, momentum, Adam, Lion, Adafactor."""

import torch
from torch import Tensor


class Rule(torch.optim.Optimizer):
    """An optimizer whose whole rule is `update(p, grad, state, **options)`, in place, for one parameter."""

    def __init__(self, params, **options):
        super().__init__(params, options)

    @torch.no_grad()
    def step(self, closure=None) -> None:
        for group in self.param_groups:
            options = {name: group[name] for name in self.defaults}
            for p in group["params"]:
                if p.grad is not None:
                    self.update(p, p.grad, self.state[p], **options)

    def update(self, p: Tensor, grad: Tensor, state: dict, **options) -> None:
        raise NotImplementedError(f"{type(self).__name__}: an optimizer needs an update rule")


class SGD(Rule):
    """Against the gradient; with `momentum`, against a sum of gradients that forgets (Polyak 1964). L2 decay."""

    def __init__(self, params, lr: float | int = 0.1, momentum: float | int = 0.0, weight_decay: float | int = 0.0):
        super().__init__(params, lr=lr, momentum=momentum, weight_decay=weight_decay)

    def update(self, p: Tensor, grad: Tensor, state: dict, lr, momentum, weight_decay) -> None:
        grad = grad + weight_decay * p
        if momentum:
            if not state:
                state["velocity"] = torch.zeros_like(p)
            grad = state["velocity"].mul_(momentum).add_(grad)
        p.sub_(lr * grad)


class Adam(Rule):
    """A rate for each weight, by the averages of its gradient and of the square (Kingma and Ba 2015, algorithm 1).

    The decay is L2: it is added to the gradient, so it passes through the averages.
    """

    def __init__(
        self,
        params,
        lr: float | int = 1e-3,
        betas: tuple[float, float] = (0.9, 0.95),
        eps: float | int = 1e-8,
        weight_decay: float | int = 0.0,
    ):
        super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)

    def update(self, p: Tensor, grad: Tensor, state: dict, lr, betas, eps, weight_decay) -> None:
        if not state:
            state.update(step=0, exp_avg=torch.zeros_like(p), exp_avg_sq=torch.zeros_like(p))
        state["step"] += 1
        grad = grad + weight_decay * p
        state["exp_avg"].lerp_(grad, 1 - betas[0])
        state["exp_avg_sq"].lerp_(grad.square(), 1 - betas[1])
        mean = state["exp_avg"] / (1 - betas[0] ** state["step"])
        square = state["exp_avg_sq"] / (1 - betas[1] ** state["step"])
        p.sub_(lr * mean / (square.sqrt() + eps))


class Lion(Rule):
    """The sign of a mixture of momentum and gradient (Chen et al. 2023, algorithm 2). Every weight moves by `lr`.

    The step is taken with one mixture (`betas[0]`), the momentum is kept with another (`betas[1]`).
    """

    def __init__(
        self,
        params,
        lr: float | int = 1e-4,
        betas: tuple[float, float] = (0.9, 0.99),
        weight_decay: float | int = 0.0,
    ):
        super().__init__(params, lr=lr, betas=betas, weight_decay=weight_decay)

    def update(self, p: Tensor, grad: Tensor, state: dict, lr, betas, weight_decay) -> None:
        if not state:
            state["exp_avg"] = torch.zeros_like(p)
        direction = (betas[0] * state["exp_avg"] + (1 - betas[0]) * grad).sign()
        p.mul_(1 - lr * weight_decay)
        p.sub_(lr * direction)
        state["exp_avg"].mul_(betas[1]).add_(grad, alpha=1 - betas[1])


class Adafactor(Rule):
    """Adam without a mean, whose squares are kept as row and column means (Shazeer and Stern 2018, algorithm 4).

    `lr` is relative: a step is `lr` times the root mean square of the weights, at least 1e-3. Without `lr` it is
    min(1e-2, 1 / sqrt(step)). An update whose root mean square is above `clip_threshold` is scaled down to it.
    """

    def __init__(
        self,
        params,
        lr: float | int | None = None,
        eps: tuple[float, float] = (1e-30, 1e-3),
        clip_threshold: float | int = 1.0,
        decay_rate: float | int = -0.8,
        weight_decay: float | int = 0.0,
    ):
        super().__init__(
            params, lr=lr, eps=eps, clip_threshold=clip_threshold, decay_rate=decay_rate, weight_decay=weight_decay
        )

    def update(self, p: Tensor, grad: Tensor, state: dict, lr, eps, clip_threshold, decay_rate, weight_decay) -> None:
        state["step"] = state.get("step", 0) + 1
        new = state["step"] ** decay_rate  # the share of the new square: 1 at the first step, then less and less
        update = grad / self.squares(grad.square() + eps[0], state, new).sqrt()
        update = update / max(1.0, float(root_mean_square(update)) / clip_threshold)
        relative = min(1e-2, state["step"] ** -0.5) if lr is None else lr
        size = relative * max(eps[1], float(root_mean_square(p)))
        p.mul_(1 - size * weight_decay)
        p.sub_(size * update)

    def squares(self, square: Tensor, state: dict, new: float) -> Tensor:
        """The running mean of the squares. Of a matrix, only its rows' and columns' means are kept."""
        if square.ndim < 2:
            return state.setdefault("exp_avg_sq", torch.zeros_like(square)).lerp_(square, new)
        row = state.setdefault("row", torch.zeros_like(square[..., 0])).lerp_(square.mean(-1), new)
        column = state.setdefault("column", torch.zeros_like(square[..., 0, :])).lerp_(square.mean(-2), new)
        return (row / row.mean(-1, keepdim=True))[..., None] * column[..., None, :]


def root_mean_square(x: Tensor) -> Tensor:
    return x.square().mean().sqrt()


def state_bytes(optimizer: torch.optim.Optimizer) -> float:
    """Bytes of state for each parameter that the optimizer has moved: counted in its tensors."""
    held = sum(t.numel() * t.element_size() for s in optimizer.state.values() for t in s.values() if torch.is_tensor(t))
    return held / sum(p.numel() for p in optimizer.state)
