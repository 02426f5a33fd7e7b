"""Ray Serve beside the stand-alone server: seconds to start, memory, what the way through a proxy costs."""

import argparse
import importlib.util
import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path

import httpx

from ..engine.engine import EngineConfig
from ..scale import Recipe, application, cluster
from ..scale.ray_serve import running_replicas
from ..wire.served import ServedModel
from . import tiny
from .markdown import meta_line, section, spread, table
from .running import free_port, running
from .serve import random_tiny

DIRECT, THROUGH = "stand-alone server", "Ray Serve, two replicas"


def random_model(config: EngineConfig) -> ServedModel:
    """The tiny model with random weights. Every replica makes the same."""
    return tiny.served(random_tiny(), config, "plain")


def stream(url: str, prompt: str, tokens: int) -> dict:
    """One answer: its text, seconds to its first event and to its end, and who answered."""
    body = {"model": "tiny", "prompt": prompt, "max_tokens": tokens, "temperature": 0, "stream": True}
    start, first, text = time.perf_counter(), 0.0, ""
    with httpx.stream("POST", f"{url}/v1/completions", json=body, timeout=120) as answer:
        for line in answer.iter_lines():
            if line.startswith("data: {"):
                first = first or time.perf_counter() - start
                text += json.loads(line[6:])["choices"][0]["text"]
        replica = answer.headers.get("x-replica", "")
    return {"text": text, "first": first, "whole": time.perf_counter() - start, "replica": replica}


def at_once(url: str, count: int, tokens: int) -> list[dict]:
    """So many streams at the same time."""
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda i: stream(url, f"hello {i}", tokens), range(count)))


def scale(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """The same requests both ways, then a load that makes Ray start a second replica.

    Raises:
        ValueError: Ray is not installed here.
    """
    if importlib.util.find_spec("ray") is None:
        raise ValueError("ray is not installed; run this in the environment of 'peers-ray'")
    rounds, tokens = (2, 8) if options.quick else (20, 32)
    config = EngineConfig(128)
    with running(random_model(config), config) as server:
        log("the stand-alone server")
        direct = [stream(server.url, "hello 0", tokens) for _ in range(rounds)]
    start = time.perf_counter()
    log("starting Ray")
    with cluster(free_port()) as url:
        from ray import serve

        serve.run(application(Recipe(random_model), replicas=2), name="two", route_prefix="/")
        started = time.perf_counter() - start
        log("two replicas")
        through = [stream(url, "hello 0", tokens) for _ in range(rounds)]
        answers = at_once(url, 16, tokens)
        memory = megabytes()
        serve.delete("two")
        log("autoscaling")
        seconds = until_two(url)
    return {
        "seconds to start": started, "megabytes": memory, "versions of servers": {"ray": metadata.version("ray")},
        "first": {DIRECT: [a["first"] for a in direct], THROUGH: [a["first"] for a in through]},
        "whole": {DIRECT: [a["whole"] for a in direct], THROUGH: [a["whole"] for a in through]},
        "equal": all(a["text"] == direct[0]["text"] for a in through), "streams": len(answers),
        "answered by": len({a["replica"] for a in answers}), "seconds until a second replica": seconds,
    }  # fmt: skip


def until_two(url: str, most: float = 90.0) -> float | None:
    """One replica under a load of 16 streams: seconds until Ray runs two; None if it never does."""
    from ray import serve

    serve.run(application(Recipe(random_model)), name="more", route_prefix="/")
    start, found = time.perf_counter(), None
    with ThreadPoolExecutor(1) as pool:
        while found is None and time.perf_counter() - start < most:
            load = pool.submit(at_once, url, 16, 100)
            while not load.done() and found is None:
                found = time.perf_counter() - start if running_replicas() > 1 else None
                time.sleep(0.2)
            load.result()
    return found


def megabytes() -> int | None:
    """Resident memory of this process's descendants, in MB. Linux only."""
    if not Path("/proc").is_dir():
        return None
    parents, sizes = {}, {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except OSError:  # it has just ended
            continue
        parents[int(folder.name)], sizes[int(folder.name)] = int(fields[1]), int(fields[21])
    mine, found = {os.getpid()}, 0
    while len(mine) > found:
        found = len(mine)
        mine |= {process for process, parent in parents.items() if parent in mine}
    return sum(sizes[p] for p in mine - {os.getpid()}) * os.sysconf("SC_PAGE_SIZE") // 1_000_000


def scale_table(content: dict | None = None) -> str:
    """What Ray Serve costs, and what it does."""
    content = content or section("scale")
    rows = [("one stream", "first event, ms", "whole answer, ms")]
    for name in (DIRECT, THROUGH):
        first, whole = ([1e3 * s for s in content[key][name]] for key in ("first", "whole"))
        rows.append((name, spread(first, 1), spread(whole, 1)))
    more = content["seconds until a second replica"]
    said = (
        f"Ray {content['versions of servers']['ray']} needs {content['seconds to start']:.0f} s and "
        f"{content['megabytes']} MB for two replicas of this small model. {content['streams']} streams at once are "
        f"answered by {content['answered by']} replicas; the text is {'the same' if content['equal'] else 'another'}. "
        f"Under load, a second replica runs after {'no time that was waited' if more is None else f'{more:.0f} s'}."
    )
    return f"{table(rows)}\n\n{said}\n\n{meta_line(content)}\n"
