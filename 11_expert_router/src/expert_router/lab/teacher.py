"""The task that experts are made for: a teacher that is another linear map in each cluster of inputs."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..balance import load_balancing_loss
from ..experts import FeedForward
from ..moe import MoE, MoEConfig, init_weights

DIM, CLUSTERS, FFN, EXPERTS = 16, 8, 16, 8
STEPS, BATCH, LR, ALPHA = 2400, 256, 2e-2, 0.1


@dataclass(frozen=True)
class Teacher:
    """Centers of the clusters, and the linear map of each."""

    centers: Tensor  # C D
    maps: Tensor  # C D D

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """(x, y): a random cluster's center and noise, and the cluster's map of it."""
        cluster = torch.randint(len(self.centers), (count,), generator=generator)
        x = self.centers[cluster] + 0.5 * torch.randn(count, self.centers.shape[1], generator=generator)
        return x, torch.einsum("nij,nj->ni", self.maps[cluster], x)


def make_teacher(seed: int) -> Teacher:
    generator = torch.Generator().manual_seed(1000 + seed)
    centers = 2 * torch.randn(CLUSTERS, DIM, generator=generator)
    return Teacher(centers, torch.randn(CLUSTERS, DIM, DIM, generator=generator) * DIM**-0.5)


def models(seed: int) -> dict[str, nn.Module]:
    """Dense with the FLOPs of one expert, a mixture of eight, dense with eight times the FLOPs."""
    made = {
        "dense, equal FLOPs": FeedForward(DIM, FFN),
        "MoE, 1 of 8 experts": MoE(MoEConfig(DIM, FFN, EXPERTS, 1, normalize=False, noise=True)),
        "dense, 8× the FLOPs": FeedForward(DIM, EXPERTS * FFN),
    }
    for model in made.values():
        init_weights(model, torch.Generator().manual_seed(seed))
    return made


def output(model: nn.Module, x: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
    """(y, the balance loss). The generator is for the noise of the gates in training."""
    if isinstance(model, MoE):
        y, routing = model(torch.zeros_like(x[None]), x[None], generator)
        return y[0], load_balancing_loss(routing.scores, routing.indices)
    return model(x), x.new_zeros(())


def nmse(model: nn.Module, teacher: Teacher, seed: int, steps: int = STEPS) -> float:
    """The mean squared error on new inputs after training, as a share of the outputs' variance."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=LR)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = LR * (1 - step / steps)
        x, y = teacher.draw(BATCH, generator)
        got, balance = output(model, x, generator)
        optimizer.zero_grad()
        ((got - y).square().mean() + ALPHA * balance).backward()
        optimizer.step()
    model.eval()
    with torch.no_grad():
        x, y = teacher.draw(4096, torch.Generator().manual_seed(seed + 1))
        return ((output(model, x)[0] - y).square().mean() / y.var()).item()
