"""Load: streams by the hundred, many of them cut by their clients. And schedules by the hundred thousand."""

import argparse
import asyncio
import logging
import random
import time
from collections.abc import Callable
from statistics import median

import httpx

from ..engine.engine import EngineConfig
from ..engine.simulate import Fault, run_schedule
from ..wire.served import Limits
from . import tiny
from .crowd import crowd, timeouts
from .faults import FAULTS, engine_with
from .running import Running, running
from .serve import random_tiny
from .virtual import quantile

CONFIG = EngineConfig(num_blocks=96, max_running=16)


def load(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """Streams of which one in five is cut, a crowd of locust's, timeouts. Nothing may fail or be held at the end."""
    logging.getLogger("asyncio").setLevel(logging.ERROR)  # a client that goes is no event here
    count = 60 if options.quick else 2000
    with running(tiny.served(random_tiny(), CONFIG), CONFIG, Limits(max_waiting=4096)) as server:
        found = asyncio.run(storm(server, count, 64, options.seed, log))
        found["blocks held at the end"] = settle(server)
        metrics = httpx.get(f"{server.url}/metrics").text
    found["requests counted"] = sum(
        float(line.split()[-1]) for line in metrics.splitlines() if line.startswith("serving_requests_total{")
    )
    found["crowd"] = crowd(3 if options.quick else 90, settle, log)
    found["timeouts"] = timeouts(settle, 10 if options.quick else 80)
    return found


async def storm(server: Running, count: int, at_once: int, seed: int, log: Callable[[str], None]) -> dict:
    """`count` streams, `at_once` at a time; one in five closes its connection in the middle."""
    g, gate = random.Random(seed), asyncio.Semaphore(at_once)
    first, failures, cut, whole = [], [], 0, 0
    async with httpx.AsyncClient(timeout=60, limits=httpx.Limits(max_connections=at_once)) as client:

        async def one(i: int) -> None:
            nonlocal cut, whole
            leave_after = g.randint(1, 6) if i % 5 == 0 else None
            body = {"model": "tiny", "prompt": "hello " * g.randint(1, 12), "max_tokens": g.randint(4, 24),
                    "stream": True}  # fmt: skip
            async with gate:
                start, lines, last = time.perf_counter(), 0, ""
                try:
                    async with client.stream("POST", f"{server.url}/v1/completions", json=body) as answer:
                        async for line in answer.aiter_lines():
                            if not line:
                                continue
                            lines, last = lines + 1, line
                            if lines == 1:
                                first.append(time.perf_counter() - start)
                            if lines == leave_after:
                                cut += 1
                                return
                except httpx.HTTPError as error:
                    failures.append(type(error).__name__)
                    return
                if last == "data: [DONE]":
                    whole += 1
                else:
                    failures.append(f"ended with {last[:40]!r}")
            if i % 50 == 0:
                log(f"stream {i} of {count}")

        begin = time.perf_counter()
        await asyncio.gather(*(one(i) for i in range(count)))
        seconds = time.perf_counter() - begin
    return {"streams": count, "whole": whole, "cut by the client": cut, "failures": failures, "seconds": seconds,
            "first token p50": median(first), "first token p99": quantile(first, 0.99)}  # fmt: skip


def settle(server: Running, seconds: float = 20.0) -> int:
    """Blocks that are still held when everybody has gone."""
    end = time.monotonic() + seconds
    while server.service.engine.num_used_blocks and time.monotonic() < end:
        time.sleep(0.05)
    return server.service.engine.num_used_blocks


def schedules(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """Random schedules of the reference, and for each planted fault the first schedule that shows it."""
    count, most = (300, 60) if options.quick else (getattr(options, "count", 100_000), 400)
    start, steps = time.process_time(), 0
    for seed in range(count):
        if seed % 200 == 0:
            log(f"schedule {seed} of {count}")
        steps += run_schedule(seed)
    seconds = time.process_time() - start
    found = {name: first_fault(plant, most) for name, plant in FAULTS.items()}
    return {"schedules": count, "steps": steps, "cpu seconds": seconds, "faults": found}


def first_fault(plant: Callable, most: int) -> dict:
    """The first schedule that shows a planted fault, and what the simulation says."""
    for seed in range(most):
        try:
            run_schedule(seed, engine_with(plant))
        except Fault as fault:
            return {"schedule": seed, "said": str(fault)}
        except Exception as error:
            return {"schedule": seed, "said": f"{type(error).__name__}: {str(error)[:60]}"}
    return {"schedule": None, "said": ""}
