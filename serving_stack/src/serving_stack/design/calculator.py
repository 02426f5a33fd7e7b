"""How many requests does a replica carry, and what stops it? Bounds by bandwidth and by compute, as in a roofline.

A step of decoding reads all weights and the cache of every running request, and computes a token for each. It takes
the longer of the two times. A prompt is computed in one go and is bound by compute. Both share the machine: of a
replica's time, each request needs

    T(B) = P + o · t(B) / B        P: its prompt, o: its output tokens, t(B): a step of B requests

so a full replica answers 1 / T(B) requests a second, and a token comes every t(B) + P · B / o seconds.

What the formulas leave out: overheads of a step, waiting for bursts of arrivals inside of a second, traffic between
cards. `Replica.bandwidth_share` and `compute_share` stand for what is reached of the maker's figures. They are inputs.
"""

import math
from dataclasses import dataclass

from .shapes import Gpu, ModelShape, Number


@dataclass(frozen=True)
class Goal:
    """What a user feels, and what a user sends. Seconds and tokens, of a typical request."""

    prompt_tokens: Number
    output_tokens: Number
    first_token: Number  # seconds, at most
    gap: Number  # seconds between two tokens, at most
    cached_share: Number = 0.0  # of the prompt, found in the prefix cache

    def __post_init__(self):
        for name in ("prompt_tokens", "output_tokens", "first_token", "gap"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name}={getattr(self, name)}: more than 0")
        if not 0 <= self.cached_share < 1:
            raise ValueError(f"cached_share={self.cached_share}: from 0 to less than 1")


@dataclass(frozen=True)
class Replica:
    """A model on some cards. Shares are of the makers' figures; what a card reaches, only a measurement tells."""

    model: ModelShape
    gpu: Gpu
    gpus: int = 1
    bandwidth_share: Number = 1.0
    compute_share: Number = 1.0
    memory_share: Number = 0.9  # the rest is for activations and the runtime

    def __post_init__(self):
        if self.gpus < 1:
            raise ValueError(f"gpus={self.gpus}: at least 1")
        for name in ("bandwidth_share", "compute_share", "memory_share"):
            if not 0 < getattr(self, name) <= 1:
                raise ValueError(f"{name}={getattr(self, name)}: more than 0, at most 1")

    @property
    def free_memory(self) -> Number:
        """Bytes that are left for the cache; below 0 where not even the weights fit."""
        return self.gpus * self.gpu.memory * self.memory_share - self.model.bytes_of_weights

    def seconds_to_read(self, size: Number) -> float:
        return size / (self.gpus * self.gpu.bandwidth * self.bandwidth_share)

    def seconds_to_compute(self, flops: Number) -> float:
        return flops / (self.gpus * self.gpu.flops * self.compute_share)

    def step(self, batch: int, context: Number) -> tuple[float, str]:
        """(seconds of a decode step, what bounds it: "weights", "cache" or "compute")."""
        cache = batch * context * self.model.cache_per_token
        read = self.seconds_to_read(self.model.bytes_of_weights + cache)
        compute = self.seconds_to_compute(self.model.flops(batch, context))
        if compute > read:
            return compute, "compute"
        return read, "cache" if cache > self.model.bytes_of_weights else "weights"

    def prefill(self, tokens: Number, known: Number = 0) -> float:
        """Seconds for `tokens` tokens of a prompt behind `known` ones. Each looks back at half of its own."""
        compute = self.seconds_to_compute(self.model.flops(tokens, known + tokens / 2))
        return max(compute, self.seconds_to_read(self.model.bytes_of_weights))


@dataclass(frozen=True)
class Capacity:
    """What a full replica does. Seconds, requests a second, tokens a second."""

    batch: int
    limited_by: str  # "memory", "the gap" or "the first token"
    bound: str  # what a step waits for: "weights", "cache" or "compute"
    step: float
    gap: float
    first_token: float  # without waiting in a queue: the own prompt, and a step that runs
    requests: float
    tokens: float
    prefill_share: float  # of the replica's time


def at_batch(replica: Replica, goal: Goal, batch: int) -> Capacity:
    """A replica that always has `batch` requests. A request holds its prompt and, on average, half of its output."""
    fresh = goal.prompt_tokens * (1 - goal.cached_share)
    prompt = replica.prefill(fresh, goal.prompt_tokens - fresh)
    step, bound = replica.step(batch, goal.prompt_tokens + goal.output_tokens / 2)
    rate = 1 / (prompt + goal.output_tokens * step / batch)
    gap = step + prompt * batch / goal.output_tokens
    return Capacity(batch, "", bound, step, gap, prompt + step, rate, rate * goal.output_tokens, rate * prompt)


def capacity(replica: Replica, goal: Goal) -> Capacity:
    """The largest batch that keeps the goal. Gap and first token grow with the batch, so halving finds it.

    Raises:
        ValueError: the weights do not fit, or one request alone misses the goal.
    """
    room = replica.free_memory / (replica.model.cache_per_token * (goal.prompt_tokens + goal.output_tokens))
    if room < 1:
        raise ValueError(f"weights and one request do not fit into gpus={replica.gpus}; take more cards or fewer bits")
    most = math.floor(room)
    missed = _missed(at_batch(replica, goal, 1), goal)
    if missed:
        raise ValueError(f"one request alone misses the goal for {missed}; take more cards or fewer bits")
    low, high = 1, most + 1  # the goal is kept at `low`; it is missed at `high`, or there is no room
    while high - low > 1:
        middle = (low + high) // 2
        if _missed(at_batch(replica, goal, middle), goal):
            high = middle
        else:
            low = middle
    by = "memory" if high > most else _missed(at_batch(replica, goal, high), goal)
    return Capacity(**{**vars(at_batch(replica, goal, low)), "limited_by": by})


def _missed(found: Capacity, goal: Goal) -> str:
    if found.first_token > goal.first_token:
        return "the first token"
    return "the gap" if found.gap > goal.gap else ""


def replicas_for(rate: Number, found: Capacity, utilisation: Number, least: int = 1) -> int:
    """Replicas for a peak of `rate` requests a second, each used to `utilisation` of what it can do.

    The rest is for bursts: near full use the queue, and with it the time to the first token, grows without a bound.

    Raises:
        ValueError: a rate below 0, a utilisation outside of (0, 1], or fewer than one replica.
    """
    if rate < 0 or not 0 < utilisation <= 1 or least < 1:
        raise ValueError(
            f"rate={rate}, utilisation={utilisation}, least={least}: rate ≥ 0, 0 < utilisation ≤ 1, least ≥ 1"
        )
    return max(least, math.ceil(rate / (found.requests * utilisation) - 1e-9))
