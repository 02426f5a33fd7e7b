"""What expert parallelism costs: bytes by a formula, seconds by three numbers of a machine.

    bytes that leave a process, each direction:   N · K · D · bytes of a number · (P - 1) / P      with an even load
    an exchange of all processes:                 latency · (P - 1) + bytes / bandwidth
    a layer, forward:                             2 exchanges + 6 · N · K · D · F operations

Backward moves the same bytes again, and computes twice as much.
"""

import math
from dataclasses import dataclass

Number = int | float


@dataclass(frozen=True)
class Machine:
    """What the cost model knows of a machine: seconds a message, bytes a second, operations a second."""

    latency: Number
    bandwidth: Number
    flops: Number


@dataclass(frozen=True)
class Plan:
    """One layer on so many devices: bytes that leave each, seconds, and what share of them is communication."""

    devices: int
    experts_per_device: int
    weight_bytes: int
    bytes_sent: int
    compute_seconds: float
    exchange_seconds: float

    @property
    def communication(self) -> float:
        """The share of the time that goes to communication if nothing overlaps."""
        return self.exchange_seconds / (self.exchange_seconds + self.compute_seconds)


def bytes_sent(tokens: int, k: int, d_model: int, bytes_per_element: int, devices: int) -> float:
    """Bytes that leave a device in one direction of one layer, with an even load. `tokens` are those of the device."""
    return tokens * k * d_model * bytes_per_element * (devices - 1) / devices


def exchange_seconds(machine: Machine, sent: Number, devices: int) -> float:
    """The time of one all-to-all."""
    return machine.latency * (devices - 1) + sent / machine.bandwidth


def step_seconds(machine: Machine, tokens: int, k: int, d_model: int, ffn: int, element: int, devices: int) -> dict:
    """Seconds of one layer's forward and backward: compute and exchange, one after the other."""
    operations = 3 * 6 * tokens * k * d_model * ffn  # forward, and twice as much backward
    sent = bytes_sent(tokens, k, d_model, element, devices)
    return {"compute": operations / machine.flops, "exchange": 4 * exchange_seconds(machine, sent, devices)}


def fit_machine(sizes: list[Number], seconds: list[Number], flops: Number, devices: int) -> Machine:
    """Latency and bandwidth from exchanges of several sizes (bytes that leave a device), by least squares.

    Errors are relative, so that small messages count as much as large ones. If larger exchanges took no longer, the
    bandwidth is infinite.

    Raises:
        ValueError: less than two sizes.
    """
    if len(sizes) < 2:
        raise ValueError(f"sizes={sizes}: two unknowns need at least two sizes")
    weights = [1 / s**2 for s in seconds]
    total = sum(weights)
    x, y = (sum(w * v for w, v in zip(weights, values, strict=True)) / total for values in (sizes, seconds))
    spread = sum(w * (a - x) ** 2 for w, a in zip(weights, sizes, strict=True))
    slope = sum(w * (a - x) * (b - y) for w, a, b in zip(weights, sizes, seconds, strict=True)) / spread
    if slope <= 0:
        return Machine(y / (devices - 1), math.inf, flops)
    return Machine(max(0.0, y - slope * x) / (devices - 1), 1 / slope, flops)


def plan(
    machine: Machine, devices: int, tokens: int, k: int, d_model: int, ffn: int, num_experts: int, element: int
) -> Plan:
    """One layer of experts spread over devices, `tokens` tokens on each; forward and backward.

    Raises:
        ValueError: the experts cannot be shared out equally.
    """
    if num_experts % devices:
        raise ValueError(f"devices={devices}: must divide num_experts={num_experts}")
    seconds = step_seconds(machine, tokens, k, d_model, ffn, element, devices)
    here = num_experts // devices
    sent = round(4 * bytes_sent(tokens, k, d_model, element, devices))
    weights = here * 3 * d_model * ffn * element
    return Plan(devices, here, weights, sent, seconds["compute"], seconds["exchange"])
