"""Replicas as processes, and a client that goes elsewhere when one of them dies."""

import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import httpx

from ..wire.router import Worker, route
from .running import free_port


class NoCache:
    """A router outside of the replicas does not see their caches."""

    block_size = 1

    def lookup(self, tokens: list[int], tag: str = "") -> list[int]:
        return []


@dataclass
class Process:
    """A replica in a process of its own."""

    url: str
    process: subprocess.Popen
    worker: Worker = field(default_factory=lambda: Worker(NoCache()))


@contextlib.contextmanager
def replicas(count: int, *arguments: str) -> Iterator[list[Process]]:
    """So many servers with random weights, ready to answer."""
    made = []
    for _ in range(count):
        port = free_port()
        command = [sys.executable, "-m", "serving_stack", "serve", "--port", str(port), "--random", *arguments]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        made.append(Process(f"http://127.0.0.1:{port}", process))
    try:
        for one in made:
            wait_until_ready(one)
        yield made
    finally:
        for one in made:
            one.process.kill()
            one.process.wait()
            one.process.stdout.close()


def wait_until_ready(one: Process, seconds: float = 90.0) -> None:
    """Ask /ready until it says yes. Raises OSError where it does not."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and one.process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{one.url}/ready", timeout=2).status_code == 200:
                return
        time.sleep(0.1)
    raise OSError(f"{one.url}: the replica did not become ready")


def stream(url: str, prompt: str, max_tokens: int, begun: threading.Event | None = None) -> tuple[str, bool]:
    """(the text that came, whether the stream ended with its mark). `begun` is set when its first text is there."""
    body = {"model": "tiny", "prompt": prompt, "max_tokens": max_tokens, "stream": True, "temperature": 0}
    text, whole = "", False
    with contextlib.suppress(httpx.TransportError), httpx.stream(
        "POST", f"{url}/v1/completions", json=body, timeout=60
    ) as answer:  # fmt: skip
        for line in answer.iter_lines():
            whole = whole or line == "data: [DONE]"
            if line.startswith("data: {"):
                if begun:
                    begun.set()
                text += json.loads(line[6:])["choices"][0]["text"]
    return text, whole


def answer_of(workers: list[Process], prompt: str, max_tokens: int) -> tuple[str, int]:
    """An answer by whoever is ready; a cut stream is asked for again elsewhere. Returns (text, attempts)."""
    for attempt in range(1, 4):
        chosen = workers[route([0] * len(prompt), [w.worker for w in workers])]
        chosen.worker.remaining_tokens += len(prompt) + max_tokens
        text, whole = stream(chosen.url, prompt, max_tokens)
        chosen.worker.remaining_tokens -= len(prompt) + max_tokens
        if whole:
            return text, attempt
        chosen.worker.ready = False
    return "", 3


def kill_under_load(count: int = 12) -> dict[str, int]:
    """Two replicas, `count` streams; one replica is killed (no signal handler sees it) while they run."""
    with replicas(2) as workers, ThreadPoolExecutor(count) as pool:
        alone = stream(workers[0].url, "hello 0", 120)[0]
        waiting = [pool.submit(answer_of, workers, "hello 0", 120) for _ in range(count)]
        time.sleep(0.15)
        workers[1].process.kill()
        found = [future.result() for future in waiting]
    return {"streams": count, "whole": sum(text == alone for text, _ in found),
            "asked twice": sum(attempts > 1 for _, attempts in found)}  # fmt: skip
