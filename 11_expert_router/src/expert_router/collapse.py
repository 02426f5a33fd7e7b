"""What happens to the load while a decoder is trained: recorded step by step, with or without balance.

An expert that is chosen learns, and is chosen more often. Nothing stops this but noise, a loss or a bias.

Dimensions:
    B  windows    T  tokens of a window; a token is a byte
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int, UInt8
from torch import Tensor

from .balance import expert_load, importance_loss, load_balancing_loss, load_loss, update_bias, z_loss
from .moe import Decoder, MoE, Routing


@dataclass(frozen=True)
class Balance:
    """What keeps the experts busy: the weights of four losses, and the rate of the bias."""

    importance: float | int = 0
    load: float | int = 0  # needs noisy gates
    switch: float | int = 0
    z: float | int = 0
    bias_rate: float | int = 0


@dataclass
class History:
    """The loss of each step, and the load of each MoE layer at each step."""

    loss: list[float] = field(default_factory=list)
    load: list[list[list[int]]] = field(default_factory=list)  # step, layer, expert


def balance_loss(routing: Routing, balance: Balance) -> Float[Tensor, ""]:
    """The weighted sum of one layer's losses."""
    num_experts, k = routing.logits.shape[-1], routing.indices.shape[-1]
    total = routing.logits.new_zeros(())
    if balance.importance:
        total = total + balance.importance * importance_loss(routing.weights, routing.indices, num_experts)
    if balance.load:
        total = total + balance.load * load_loss(routing.logits, routing.scores, routing.std, k)
    if balance.switch:
        total = total + balance.switch * load_balancing_loss(routing.scores, routing.indices)
    if balance.z:
        total = total + balance.z * z_loss(routing.logits)
    return total


def windows(
    text: UInt8[Tensor, "bytes"], batch: int, length: int, generator: torch.Generator
) -> tuple[Int[Tensor, "B T"], Int[Tensor, "B T"]]:
    """Random windows of a text, and the same one byte later."""
    starts = torch.randint(len(text) - length, (batch, 1), generator=generator)
    rows = text[starts + torch.arange(length + 1)].long()  # B T+1
    return rows[:, :-1], rows[:, 1:]


def mixtures(model: Decoder) -> list[MoE]:
    """The MoE layers, in order."""
    return [block.ffn for block in model.blocks if isinstance(block.ffn, MoE)]


def train(
    model: Decoder,
    text: UInt8[Tensor, "bytes"],
    steps: int,
    lr: float,
    balance: Balance = Balance(),
    batch: int = 16,
    seed: int = 0,
    log: Callable[[str], None] | None = None,
) -> History:
    """Train on random windows of the text, with Adam, and keep what the router did."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    history = History()
    model.train()
    for step in range(steps):
        tokens, targets = windows(text, batch, model.config.context, generator)
        logits, routings = model(tokens, generator)
        loss = F.cross_entropy(logits.flatten(0, 1), targets.flatten())
        total = loss + sum(balance_loss(routing, balance) for routing in routings)
        optimizer.zero_grad(set_to_none=True)
        total.backward()
        optimizer.step()
        loads = [expert_load(routing.indices, routing.logits.shape[-1]) for routing in routings]
        if balance.bias_rate:
            for layer, load in zip(mixtures(model), loads, strict=True):
                layer.bias.copy_(update_bias(layer.bias, load, balance.bias_rate))
        history.loss.append(loss.item())
        history.load.append([load.tolist() for load in loads])
        if log and step % 20 == 0:
            log(f"step {step} of {steps}, loss {loss.item():.2f}")
    return history


@torch.no_grad()
def evaluate(model: Decoder, text: UInt8[Tensor, "bytes"], batch: int = 32, seed: int = 0) -> dict:
    """On unseen text, without noise: loss in nats a byte; CV(importance), CV(load), max/mean, dead experts.

    The last four are means over the MoE layers. An expert is dead when it gets less than 1/20 of an equal share.
    """
    model.eval()
    tokens, targets = windows(text, batch, model.config.context, torch.Generator().manual_seed(seed))
    logits, routings = model(tokens)
    measured = [spread_of(routing) for routing in routings]
    means = {name: sum(m[name] for m in measured) / len(measured) for name in (measured[0] if measured else ())}
    return {"loss": F.cross_entropy(logits.flatten(0, 1), targets.flatten()).item()} | means


def spread_of(routing: Routing) -> dict[str, float]:
    """How uneven one layer's load is."""
    num_experts = routing.logits.shape[-1]
    load = expert_load(routing.indices, num_experts).double()
    importance = importance_loss(routing.weights, routing.indices, num_experts).sqrt().item()
    share = load / load.mean()
    cv = share.std(correction=0).item()
    dead = float((share < 0.05).sum())
    return {"CV(importance)": importance, "CV(load)": cv, "max/mean": share.max().item(), "dead": dead}
