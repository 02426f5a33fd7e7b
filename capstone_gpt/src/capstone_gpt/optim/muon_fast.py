"""Muon for the matrices and AdamW for the rest in one optimizer: matrices of one shape in one batched product.

What is faster than `muon.py`: matrices of equal shape are stacked, the three matrices of a qkv projection are
orthogonalised as three squares, the products are taken in bfloat16, and three steps of the Polar Express polynomials
(Amsel et al. 2025) replace five of Newton and Schulz.
"""

from collections import defaultdict

import torch
from torch import Tensor, nn

from .adamw import adamw
from .muon import COEFFICIENTS

# The first three polynomials of a published sequence: they lift small singular values faster than a fixed one does.
POLAR_EXPRESS = (
    (8.156554524902461, -22.48329292557795, 15.878769915207462),
    (4.042929935166739, -2.808917465908714, 0.5000178451051316),
    (3.8916678022926607, -2.772484153217685, 0.5060648178503393),
)


def orthogonalise(
    G: Tensor, coefficients=(COEFFICIENTS,) * 5, dtype: torch.dtype = torch.bfloat16, margin: float | int = 1.0
) -> Tensor:
    """The matrices of a stack (K, rows, columns), each brought near the closest orthogonal one."""
    tall = G.shape[-2] > G.shape[-1]
    X = G.mT if tall else G
    X = X.to(dtype)
    X = X / (X.norm(dim=(-2, -1), keepdim=True) * margin).clamp(min=1e-7)
    for a, b, c in coefficients:
        A = X @ X.mT
        X = torch.baddbmm(X, torch.baddbmm(A, A, A, beta=b, alpha=c), X, beta=a)
    return (X.mT if tall else X).to(G.dtype)


def pieces_of(name: str) -> int:
    """A qkv projection is three matrices in one parameter."""
    return 3 if "qkv_proj" in name else 1


class MuonAdamW(torch.optim.Optimizer):
    """`blocks.*` matrices by Muon with `muon_lr`, everything else by AdamW with `lr`."""

    def __init__(
        self,
        model: nn.Module,
        lr: float | int = 3e-3,
        muon_lr: float | int = 0.02,
        momentum: float | int = 0.95,
        betas: tuple[float, float] = (0.9, 0.95),
        eps: float | int = 1e-10,
        weight_decay: float | int = 0.0,
        polar_express: bool = True,
        dtype: torch.dtype = torch.bfloat16,
    ):
        named = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
        hidden = [(n, p) for n, p in named if p.ndim == 2 and n.startswith("blocks.")]
        chosen = {id(p) for _, p in hidden}
        rest = [p for _, p in named if id(p) not in chosen]
        self.pieces = {id(p): pieces_of(n) for n, p in hidden}
        self.settings = {"coefficients": POLAR_EXPRESS, "margin": 1.01} if polar_express else {}
        self.settings["dtype"] = dtype
        muon_group = {"params": [p for _, p in hidden], "lr": muon_lr, "momentum": momentum, "kind": "muon"}
        adamw_group = {"params": rest, "lr": lr, "betas": betas, "eps": eps, "kind": "adamw"}
        super().__init__([muon_group, adamw_group], {"weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure=None) -> None:
        for group in self.param_groups:
            if group["kind"] == "muon":
                self.muon_step(group)
            else:
                options = {name: group[name] for name in ("lr", "betas", "eps", "weight_decay")}
                for p in group["params"]:
                    if p.grad is not None:
                        adamw(p, p.grad, self.state[p], **options)

    def muon_step(self, group: dict) -> None:
        by_shape = defaultdict(list)
        for p in group["params"]:
            if p.grad is not None:
                n = self.pieces[id(p)]
                by_shape[p.shape[0] // n, p.shape[1]].append((p, n))
        for (rows, columns), members in by_shape.items():
            looks_ahead = [self.average(p, group["momentum"]).view(n, rows, columns) for p, n in members]
            directions = orthogonalise(torch.cat(looks_ahead), **self.settings)
            size = group["lr"] * max(1, rows / columns) ** 0.5
            parts = directions.split([n for _, n in members])
            for (p, _), direction in zip(members, parts, strict=True):
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.sub_(direction.reshape(p.shape), alpha=size)

    def average(self, p: Tensor, momentum: float | int) -> Tensor:
        """The gradient, looked at one step ahead of its running average."""
        state = self.state[p]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = torch.zeros_like(p)
        state["momentum_buffer"].lerp_(p.grad, 1 - momentum)
        return p.grad.lerp(state["momentum_buffer"], momentum)
