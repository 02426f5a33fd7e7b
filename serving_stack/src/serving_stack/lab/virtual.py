"""Traces on a virtual clock: the real scheduler, and a step that costs a + b · tokens seconds.

Queues need minutes to show their behaviour, and a laptop has other things to do. The scheduler does not know what a
token costs, so its decisions are the same when the cost is looked up.
"""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from ..engine.engine import Engine, EngineConfig
from ..engine.request import Request, SamplingParams
from ..engine.runner import Sampled


@dataclass(frozen=True)
class Cost:
    """Seconds of a step: a + b · tokens."""

    a: float
    b: float


class CostRunner:
    """No model: the next token is 1, and the number of tokens of the plan is kept."""

    planned = 0

    def copy_block(self, source: int, target: int) -> None:
        """Nothing is stored."""

    def execute(self, plan: list[tuple[Request, int]]) -> list[Sampled | None]:
        self.planned = sum(count for _, count in plan)
        return [Sampled(1) if count == request.num_missing else None for request, count in plan]


@dataclass(frozen=True)
class Arrival:
    """One line of a trace."""

    time: float
    prompt: list[int]
    max_tokens: int


@dataclass
class Timed:
    """What a request felt: seconds from its arrival to each token."""

    arrival: float
    tokens: list[float] = field(default_factory=list)

    @property
    def first(self) -> float:
        return self.tokens[0] - self.arrival

    @property
    def gaps(self) -> list[float]:
        return [b - a for a, b in zip(self.tokens, self.tokens[1:], strict=False)]


def trace(seed: int, count: int, rate: int | float, mean: int | float = 24.0, longest: int = 160) -> list[Arrival]:
    """Poisson arrivals; prompts of 8 to 48 tokens; lognormal outputs, as measured traces have them."""
    g, now, made = random.Random(seed), 0.0, []
    for _ in range(count):
        now += g.expovariate(rate)
        length = min(longest, max(4, int(g.lognormvariate(math.log(mean), 0.9))))
        made.append(Arrival(now, [g.randrange(256) for _ in range(g.randint(8, 48))], length))
    return made


def play(
    arrivals: list[Arrival],
    config: EngineConfig,
    cost: Cost,
    static: bool = False,
    watch: Callable[[Engine, float], None] | None = None,
) -> tuple[list[Timed], float, Engine]:
    """Serve a trace. `static`: a batch is filled when the last one is done, and nobody joins it.

    Returns what each request felt, the time of the last token, and the engine.
    """  # fmt: skip
    runner = CostRunner()
    engine = Engine(runner, config)
    requests = [Request(str(i), a.prompt, SamplingParams(0, max_tokens=a.max_tokens)) for i, a in enumerate(arrivals)]
    timed = {request: Timed(a.time) for request, a in zip(requests, arrivals, strict=True)}
    todo, now = list(zip(arrivals, requests, strict=True)), 0.0
    while todo or engine.has_work:
        idle = not engine.has_work
        if idle and todo:
            now = max(now, todo[0][0].time)
        if not static or idle:
            room = config.max_running if static else len(todo)
            while todo and todo[0][0].time <= now and room:
                engine.add(todo.pop(0)[1])
                room -= 1
        runner.planned = 0
        new = engine.step()
        now += cost.a + cost.b * runner.planned if runner.planned else 0.0
        for request, _ in new:
            timed[request].tokens.append(now)
        if watch:
            watch(engine, now)
    return list(timed.values()), now, engine


def quantile(values: list[float], p: float) -> float:
    """The smallest value that at least a share p does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(p * len(ordered)) - 1)]


def capacity(config: EngineConfig, cost: Cost, seed: int = 0) -> float:
    """Requests a second when nobody has to be waited for."""
    arrivals = [Arrival(0.0, a.prompt, a.max_tokens) for a in trace(seed, 200, 1.0)]
    _, end, _ = play(arrivals, config, cost)
    return len(arrivals) / end


def first_token_times(config: EngineConfig, cost: Cost, load: int | float, seeds: list[int], count: int = 300) -> dict:
    """p50 and p99 of the time to the first token, static and continuous, and the longest gap."""
    rate = load * capacity(config, cost)
    found: dict = {"static": {"p50": [], "p99": [], "gap": []}, "continuous": {"p50": [], "p99": [], "gap": []}}
    for seed in seeds:
        arrivals = trace(seed, count, rate)
        for name, row in found.items():
            timed, _, _ = play(arrivals, config, cost, static=name == "static")
            firsts = [t.first for t in timed]
            row["p50"].append(quantile(firsts, 0.5))
            row["p99"].append(quantile(firsts, 0.99))
            row["gap"].append(max(gap for t in timed for gap in t.gaps))
    return {"load": load, "rate": rate, "times": found}


def memory_use(arrivals: list[Arrival], config: EngineConfig, cost: Cost, max_model_len: int) -> dict[str, float]:
    """Shares of the reserved memory that hold tokens: blocks, and one piece of max_model_len a request."""
    shares: dict[str, list[float]] = {"paged": [], "contiguous": [], "whole request": []}

    def watch(engine: Engine, now: float) -> None:
        running = engine.state.running
        if running:
            tokens = sum(r.num_computed for r in running)
            final = sum(len(r.prompt) + r.params.max_tokens for r in running)
            shares["paged"].append(tokens / (engine.num_used_blocks * config.block_size))
            shares["contiguous"].append(tokens / (len(running) * max_model_len))
            shares["whole request"].append(tokens / final)

    play(arrivals, config, cost, watch=watch)
    return {name: sum(values) / len(values) for name, values in shares.items()}
