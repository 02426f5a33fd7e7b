"""A crowd: locust's readers by the thousand, clients that are killed, requests that time out; and who watches."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import httpx

from ..engine.engine import EngineConfig
from ..wire.served import Limits
from . import tiny
from .running import Running, running
from .scrape import Pages, Prometheus, prometheus, reading
from .serve import random_tiny

CONFIG = EngineConfig(num_blocks=160, max_running=16)
READERS = 48
LOCUSTFILE = Path(__file__).with_name("locustfile.py")


def crowd(seconds: int, settle: Callable[[Running], int], log: Callable[[str], None]) -> dict | None:
    """`seconds` of locust, then its clients killed in the middle of their streams. None where locust is missing."""
    if find_spec("locust") is None:
        return None
    with running(tiny.served(random_tiny(), CONFIG), CONFIG, Limits(max_waiting=4096)) as server:
        with prometheus(server.url) as watcher, reading(server.url) as pages:
            log(f"locust: {READERS} readers for {seconds} s")
            found = {"readers": READERS, **headless(server.url, seconds)}
            found["blocks held after the crowd"] = settle(server)
            log("locust: clients are killed")
            found["streams open when the clients were killed"] = killed(server)
            found["blocks held after the kill"] = settle(server)
            time.sleep(2.5)  # the last values are scraped
            watched = asked(watcher) if watcher else None
        found["scraped"] = {"pages read by our own parser": pages.pages, "faults": pages.faults, **kept(pages)}
        found["prometheus"] = watched
    return found


def command(url: str, *words: str) -> list[str]:
    return [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "--host", url, "--loglevel", "ERROR",
            "-u", str(READERS), "-r", str(READERS), *words]  # fmt: skip


def headless(url: str, seconds: int) -> dict:
    """Run locust to its end. Raises OSError where it does not tell what it saw."""
    words = command(url, "-t", f"{seconds}s", "--stop-timeout", "30", "--json", "--only-summary")
    run = subprocess.run(words, capture_output=True, text=True, timeout=seconds + 120)
    try:
        entries = {entry["name"]: entry for entry in json.loads(run.stdout)}
    except ValueError:
        raise OSError(f"locust ended with {run.returncode}: {run.stderr[-300:]}") from None
    whole, left = (entries.get(name, {"num_requests": 0})["num_requests"] for name in ("whole stream", "left"))
    return {
        "streams": entries["headers"]["num_requests"],
        "failures": sum(entry["num_failures"] for entry in entries.values()),
        "whole": whole,
        "left": left,
        "seconds": seconds,
        "milliseconds": {name: quantiles(entries[name]["response_times"]) for name in
                         ("headers", "first event", "whole stream")},
    }  # fmt: skip


def quantiles(histogram: dict[str, int]) -> dict[str, float]:
    """Median and 99th percentile of locust's {milliseconds: count}."""
    values = sorted((float(value), count) for value, count in histogram.items())
    total, found = sum(count for _, count in values), {}
    for name, share in (("p50", 0.5), ("p99", 0.99)):
        seen = 0
        for value, count in values:
            seen += count
            if seen >= share * total:
                found[name] = value
                break
    return found


def killed(server: Running) -> int:
    """Start a crowd and kill it with all its connections open. Returns the streams that were open."""
    process = subprocess.Popen(command(server.url, "-t", "60s"), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 40
    while server.server.app.state.open < READERS // 2 and time.monotonic() < end:
        time.sleep(0.02)
    opened = server.server.app.state.open
    process.kill()
    process.wait()
    return opened


def kept(pages: Pages) -> dict:
    return {"most blocks held": pages.largest.get("serving_kv_blocks_used", 0),
            "most requests waiting": pages.largest.get("serving_requests_waiting", 0),
            "requests counted": pages.last.get("serving_requests_total", 0),
            "output tokens": pages.last.get("serving_output_tokens_total", 0)}  # fmt: skip


def asked(watcher: Prometheus) -> dict:
    """What Prometheus knows at the end."""
    return {
        "version": watcher.version(),
        "scrapes": watcher.ask('count_over_time(up{job="serving-stack"}[10m])'),
        "scrapes that failed": watcher.ask('count_over_time((up{job="serving-stack"} == 0)[10m:1s])') or 0,
        "most blocks held": watcher.ask("max_over_time(serving_kv_blocks_used[10m])"),
        "requests counted": watcher.ask("sum(serving_requests_total)"),
        "output tokens": watcher.ask("serving_output_tokens_total"),
        "recorded series": sorted(name for name in watcher.names() if ":" in name),
        "p99 by the rule, s": watcher.ask("max_over_time(job:serving_time_to_first_token_seconds:p99_5m[10m])"),
    }


def timeouts(settle: Callable[[Running], int], count: int = 80, seconds: float = 2.0) -> dict:
    """More requests than can end in time: each is told so, and leaves nothing."""

    async def one(client: httpx.AsyncClient, url: str) -> str:
        body = {"model": "tiny", "prompt": "x" * 40, "max_tokens": 440}
        answer = await client.post(f"{url}/v1/completions", json=body)
        return "answered" if answer.status_code == 200 else answer.json()["error"]["code"]

    async def all_of_them(url: str) -> list[str]:
        async with httpx.AsyncClient(timeout=120, limits=httpx.Limits(max_connections=count)) as client:
            return await asyncio.gather(*(one(client, url) for _ in range(count)))

    limits = Limits(max_waiting=4096, request_timeout=seconds)
    with running(tiny.served(random_tiny(), CONFIG), CONFIG, limits) as server:
        answers = asyncio.run(all_of_them(server.url))
        return {"requests": count, "timeout": answers.count("timeout"), "answered": answers.count("answered"),
                "blocks held": settle(server)}  # fmt: skip
