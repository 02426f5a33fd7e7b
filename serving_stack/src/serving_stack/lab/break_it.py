"""Break it: one experiment for each mistake, with an outcome that a test compares with what is written."""

import argparse
import random
import socket
import time
from collections.abc import Callable
from dataclasses import replace

import httpx
import torch

from ..engine.engine import Engine, EngineConfig
from ..engine.model import Llama
from ..engine.request import Request, SamplingParams
from ..engine.runner import ModelRunner
from ..engine.sampling import sample
from ..engine.weights import random_weights
from . import tiny
from .running import running
from .virtual import Arrival, Cost, memory_use, play, trace

COST = Cost(0.005, 0.0005)
BASE = EngineConfig(num_blocks=160, max_running=8, token_budget=128, prefix_caching=False)


def break_it(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """Every experiment."""
    found = {}
    for name, experiment in EXPERIMENTS.items():
        log(name)
        found[name] = experiment()
    return found


def block_sizes() -> dict[str, dict]:
    """Blocks of 1, 16 and 256 tokens in memory for 2,560: what is wasted, and how long the tables are."""
    found = {}
    for size in (1, 16, 256):
        config = replace(BASE, block_size=size, num_blocks=2560 // size)
        arrivals = trace(0, 60, 20.0)
        used = memory_use(arrivals, config, COST, 512)["paged"]
        timed, end, engine = play(arrivals, config, COST)
        longest = max(len(t) for e in engine.log if e["event"] == "step" for t in e["tables"].values())
        preempted = sum(len(e["preempted"]) for e in engine.log if e["event"] == "step")
        found[str(size)] = {"used": used, "entries of the longest table": longest, "preemptions": preempted,
                            "seconds": end}  # fmt: skip
    return found


def no_chunks() -> dict[str, float]:
    """A prompt of 2,000 tokens arrives among running answers: the longest time without a token."""
    arrivals = [Arrival(0.0, [1] * 20, 60) for _ in range(4)] + [Arrival(0.2, [2] * 2000, 4)]
    found = {}
    for budget in (64, 4096):
        timed, _, _ = play(arrivals, EngineConfig(256, max_running=8, token_budget=budget), COST)
        found[f"budget {budget}"] = max(gap for t in timed[:4] for gap in t.gaps)
        found[f"budget {budget}, the long prompt's first token"] = timed[4].first
    return found


def no_tag() -> dict[str, object]:
    """The same prompt for two adapters (two random models over one pool), with and without a tag."""
    models = [Llama(tiny.CONFIG, random_weights(tiny.CONFIG, seed)) for seed in (1, 2)]
    prompt = [random.Random(0).randrange(256) for _ in range(40)]
    config = EngineConfig(32)

    def answers(tags: tuple[str, str], models: list[Llama]) -> list[Request]:
        runner = ModelRunner(models[0], config.num_blocks)
        engine, made = Engine(runner, config), []
        for model, tag in zip(models, tags, strict=True):
            runner.model = model
            made.append(Request(f"{len(made)}", prompt, SamplingParams(0, max_tokens=12), tag=tag))
            engine.add(made[-1])
            while engine.has_work:
                engine.step()
        return made

    alone = answers(("b", "b"), models[1:] * 2)[0].output
    tagged, untagged = answers(("a", "b"), models)[1], answers(("", ""), models)[1]
    return {"with a tag": tagged.output == alone, "without": untagged.output == alone,
            "tokens taken from the other adapter": untagged.num_cached}  # fmt: skip


def noisy_neighbour() -> dict[str, bool]:
    """One seed, alone and beside a neighbour that samples: a generator for each request, or one for all."""
    logits = torch.randn(2, 50, generator=torch.Generator().manual_seed(0))

    def tokens(shared: bool, neighbour: bool) -> list[int]:
        mine = torch.Generator().manual_seed(7)
        other = mine if shared else torch.Generator().manual_seed(8)
        found = []
        for _ in range(20):
            rows, params = (logits, [SamplingParams(1.0)] * 2) if neighbour else (logits[1:], [SamplingParams(1.0)])
            found.append(sample(rows, params, [other, mine][-len(rows) :])[0][-1])
        return found

    return {"a generator each": tokens(False, True) == tokens(False, False),
            "one for all": tokens(True, True) == tokens(True, False)}  # fmt: skip


def slow_reader() -> dict[str, object]:
    """A client that sends a request and reads nothing: does it hold blocks, and does it hold up others?"""
    weights = random_weights(tiny.CONFIG, 3)
    config = EngineConfig(64)
    with running(tiny.served(weights, config), config) as server:
        host, port = server.url.removeprefix("http://").split(":")
        body = b'{"model": "tiny", "prompt": "hello", "max_tokens": 400, "stream": true}'
        head = f"POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n".encode()
        silent = [socket.create_connection((host, int(port))) for _ in range(4)]
        for connection in silent:
            connection.sendall(head + body)
        start = time.perf_counter()
        ours = httpx.post(f"{server.url}/v1/completions", json={"model": "tiny", "prompt": "hi", "max_tokens": 20},
                          timeout=60)  # fmt: skip
        waited = time.perf_counter() - start
        end = time.monotonic() + 30
        while server.service.engine.num_used_blocks and time.monotonic() < end:
            time.sleep(0.05)
        held = server.service.engine.num_used_blocks
        for connection in silent:
            connection.close()
    return {"the other client is answered": ours.status_code == 200, "seconds": waited, "blocks held at the end": held}


def killed_replica() -> dict[str, int]:
    """Two replicas, twelve streams; one replica dies in the middle. How many answers arrive whole?"""
    from .replicas import kill_under_load

    return kill_under_load()


EXPERIMENTS = {
    "block sizes": block_sizes,
    "no chunks": no_chunks,
    "no tag": no_tag,
    "noisy neighbour": noisy_neighbour,
    "slow reader": slow_reader,
    "killed replica": killed_replica,
}
