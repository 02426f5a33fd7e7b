"""Four workers on a virtual clock, each with its own scheduler and prefix cache: five ways to choose one."""

import random
from collections.abc import Callable

from ..engine.engine import Engine, EngineConfig
from ..engine.request import Request, SamplingParams
from ..wire.router import Worker, route
from .virtual import Cost, CostRunner, quantile

POLICIES = ("round robin", "random", "least loaded", "prefix hash", "least work after cache")
COST = Cost(0.038, 0.0022)  # a GPT-2 of 124 million parameters on one core
CONFIG = EngineConfig(num_blocks=56, max_running=8, token_budget=128)


class Replica:
    """An engine with a clock of its own."""

    def __init__(self, config: EngineConfig, cost: Cost):
        self.runner, self.cost, self.now = CostRunner(), cost, 0.0
        self.engine = Engine(self.runner, config, keep_log=False)

    @property
    def remaining_tokens(self) -> int:
        """Work that is left: missing tokens, and those that are still to be generated."""
        everyone = self.engine.requests.values()
        return sum(r.num_missing + r.params.max_tokens - len(r.output) for r in everyone if r.finish_reason is None)

    def advance(self, until: float, first: Callable[[Request, float], None]) -> None:
        """Step until this moment; `first` is told of each first token."""
        while self.engine.has_work and self.now < until:
            self.runner.planned = 0
            new = self.engine.step()
            self.now += self.cost.a + self.cost.b * self.runner.planned if self.runner.planned else 0.0
            for request, _ in new:
                if len(request.output) == 1:
                    first(request, self.now)


def arrivals(seed: int, count: int, rate: float, prefixes: int = 12) -> list[tuple[float, list[int], int]]:
    """Requests with one of a dozen system prompts, popular ones often, and a question of their own."""
    g, now, made = random.Random(seed), 0.0, []
    known = [[g.randrange(50_000) for _ in range(g.choice([160, 320]))] for _ in range(prefixes)]
    for _ in range(count):
        now += g.expovariate(rate)
        which = min(prefixes - 1, int(g.paretovariate(1.0)) - 1)
        question = [g.randrange(50_000) for _ in range(g.randint(4, 24))]
        made.append((now, known[which] + question, min(64, max(4, int(g.lognormvariate(2.5, 0.7))))))
    return made


def routed(policy: str, seed: int, workers: int = 4, count: int = 400, rate: float = 8.0) -> dict[str, float]:
    """The share of prompt tokens that were found in a cache, and the times to the first token."""
    g = random.Random(seed)
    replicas = [Replica(CONFIG, COST) for _ in range(workers)]
    times: dict[Request, float] = {}
    came: dict[Request, float] = {}
    for i, (now, prompt, max_tokens) in enumerate(arrivals(seed, count, rate)):
        for replica in replicas:
            replica.advance(now, lambda r, t: times.setdefault(r, t - came[r]))
        if policy == "round robin":
            choice = i % workers
        elif policy == "random":
            choice = g.randrange(workers)
        elif policy == "least loaded":
            choice = min(range(workers), key=lambda w: replicas[w].remaining_tokens)
        elif policy == "prefix hash":
            choice = hash(tuple(prompt[:64])) % workers
        else:
            seen = [Worker(r.engine.state.prefix_cache, r.remaining_tokens) for r in replicas]
            choice = route(prompt, seen)
        request = Request(str(i), prompt, SamplingParams(0, max_tokens=max_tokens))
        came[request] = now
        replicas[choice].now = max(replicas[choice].now, now)
        replicas[choice].engine.add(request)
    for replica in replicas:
        replica.advance(float("inf"), lambda r, t: times.setdefault(r, t - came[r]))
    values = list(times.values())
    found = sum(r.num_cached for r in came) / sum(len(r.prompt) for r in came)
    return {"found": found, "p50": quantile(values, 0.5), "p99": quantile(values, 0.99)}
