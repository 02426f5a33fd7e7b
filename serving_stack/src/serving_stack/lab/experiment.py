"""The headline: one trace, static against continuous batching, then a server, a client, and an answer."""

import argparse
import time
from collections.abc import Callable
from statistics import median

import httpx
import torch

from ..engine.engine import Engine, EngineConfig
from ..engine.model import Llama, ModelConfig
from ..engine.replay import is_faithful
from ..engine.request import Request, SamplingParams
from ..engine.runner import ModelRunner
from ..engine.weights import random_weights
from . import tiny
from .cli import seeds_of
from .running import running
from .virtual import Arrival, Cost, first_token_times, memory_use, trace

BODY = ModelConfig(vocab_size=512, d_model=512, layers=6, heads=8, kv_heads=4, ffn=1408, max_model_len=512)
CONFIG = EngineConfig(num_blocks=160, max_running=8, token_budget=128, prefix_caching=False)
BUDGETS = (8, 16, 32, 64, 128, 256)
QUESTION = "Why does batching help?"


def headline(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """Everything that the README shows."""
    seeds = seeds_of(options, 1 if options.quick else 3)
    layout = tiny.layout_for(options)
    model = Llama(BODY, random_weights(BODY, options.seed, 0.05), layout)
    count = 8 if options.quick else 24
    rounds = 1 if options.quick else getattr(options, "rounds", 3)
    arrivals = [Arrival(0.0, a.prompt, a.max_tokens) for a in trace(options.seed, count, 1.0, mean=16, longest=96)]
    log("static and continuous: the same tokens")
    runs = race(model, arrivals, rounds, log)
    log("the cost of a step")
    line = step_line(model, 1 if options.quick else 5)
    cost = Cost(line["a"], line["b"])
    log("time to the first token")
    times = first_token_times(CONFIG, cost, 0.8, seeds, 60 if options.quick else 200)
    memory = memory_use(trace(options.seed, 60 if options.quick else 200, times["rate"]), CONFIG, cost,
                        BODY.max_model_len)  # fmt: skip
    weights = tiny.train(20 if options.quick else 160, options.seed, log)
    log("a server, a client, an answer")
    answer = ask(weights, layout)
    return {"seeds": seeds, "race": runs, "line": line, "first token": times, "memory": memory, "answer": answer}


def requests_of(arrivals: list[Arrival]) -> list[Request]:
    return [Request(str(i), a.prompt, SamplingParams(0, max_tokens=a.max_tokens)) for i, a in enumerate(arrivals)]


def serve_all(model: Llama, arrivals: list[Arrival], batch: int, static: bool) -> tuple[list[Request], float, Engine]:
    """Every request of the trace, all there from the start. Returns CPU seconds too.

    A static batch keeps its rows until the longest is done, and computes the ended ones on: its cost is that of its
    longest request. Here the ended rows are left out, so that the comparison flatters it.
    """
    engine = Engine(ModelRunner(model, CONFIG.num_blocks), CONFIG)
    requests = requests_of(arrivals)
    todo, start = list(requests), time.process_time()
    while todo or engine.has_work:
        if not engine.has_work or not static:
            for request in todo[: batch if static else None]:
                engine.add(request)
            todo = todo[batch:] if static else []
        engine.step()
    return requests, time.process_time() - start, engine


def race(model: Llama, arrivals: list[Arrival], rounds: int, log: Callable[[str], None]) -> dict:
    """Useful tokens a CPU second, in turn. The tokens of both are compared first.

    Raises:
        ValueError: the two do not generate the same tokens, or a log does not decide itself again.
    """
    batch = CONFIG.max_running
    useful = sum(a.max_tokens for a in arrivals)
    found: dict = {"useful tokens": useful, "rate": {"static": [], "continuous": []}, "steps": {}, "log": {}}
    outputs = {}
    for i in range(rounds):
        for name in ("static", "continuous"):
            log(f"round {i + 1} of {rounds}, {name}")
            requests, seconds, engine = serve_all(model, arrivals, batch, name == "static")
            found["rate"][name].append(useful / seconds)
            outputs[name] = [r.output for r in requests]
            found["steps"][name] = sum(e["event"] == "step" for e in engine.log)
            found["log"][name] = brief(engine.log)
            if not is_faithful(engine.log):
                raise ValueError(
                    "the log does not decide itself again; a decision depends on something that is not in it"
                )
    if outputs["static"] != outputs["continuous"]:
        raise ValueError("static and continuous batching generate different tokens; nothing was timed")
    pairs = zip(found["rate"]["continuous"], found["rate"]["static"], strict=True)
    found["ratio"] = [c / s for c, s in pairs]
    return found


def brief(entries: list[dict]) -> list[list]:
    """What the timeline needs of a log: for each step, the requests with their tokens."""
    return [[[name, count] for name, _, count in e["plan"]] for e in entries if e["event"] == "step"]


def step_line(model: Llama, repeats: int) -> dict:
    """Seconds of a step of n tokens, and the line a + b · n through them."""
    points = {n: [] for n in BUDGETS}
    for _ in range(repeats):
        for n in BUDGETS:
            config = EngineConfig(num_blocks=160, max_running=1, token_budget=n, prefix_caching=False)
            engine = Engine(ModelRunner(model, 160), config, keep_log=False)
            engine.add(Request("a", [1] * n, SamplingParams(0, max_tokens=1)))
            start = time.process_time()
            engine.step()
            points[n].append(time.process_time() - start)
    x = torch.tensor([float(n) for n in BUDGETS])
    y = torch.tensor([min(values) for values in points.values()])
    b = float(((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum())
    a = max(float(y.mean() - b * x.mean()), 1e-4)
    return {"a": a, "b": b, "points": {str(n): values for n, values in points.items()}}


def ask(weights: dict, layout: str) -> dict:
    """Start the server with the trained model, ask over HTTP, return what came back."""
    config = EngineConfig(num_blocks=64)
    with running(tiny.served(weights, config, layout), config) as server:
        body = {"model": "tiny", "messages": [{"role": "user", "content": QUESTION}], "temperature": 0}
        start = time.perf_counter()
        answer = httpx.post(f"{server.url}/v1/chat/completions", json=body, timeout=60).json()
        seconds = time.perf_counter() - start
    return {"question": QUESTION, "answer": answer["choices"][0]["message"]["content"],
            "right": tiny.FACTS[QUESTION], "usage": answer["usage"], "seconds": seconds}  # fmt: skip


def goal_figures(content: dict) -> dict[str, float]:
    """The figures that the goals are about."""
    times = content["first token"]["times"]
    pairs = zip(times["static"]["p99"], times["continuous"]["p99"], strict=True)
    return {"throughput": median(content["race"]["ratio"]), "p99": median(s / c for s, c in pairs)}
