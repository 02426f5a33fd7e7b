"""The wire suite on servers of other make: llama.cpp's and transformers', with the same weights as ours.

Each runs as a process with one thread. A check that leaves its server hanging, or kills it, counts once: the server is
started again before the next. Needs the extra `peers-llama`.
"""

import argparse
import contextlib
import importlib.util
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx

from .markdown import meta_line, section, table
from .peer_files import NAME, real, write_file, write_folder
from .running import free_port
from .serve import MOST_TOKENS

OURS, LLAMA, TRANSFORMERS = "serving_stack", "llama_cpp.server", "transformers serve"
PACKAGES = {LLAMA: "llama_cpp", TRANSFORMERS: "transformers"}
PATIENCE = 15.0  # seconds that a check may wait; an answer of twelve tokens takes one
WORDS = {"no": "not so", "KeyError": "no error object", "AttributeError": "not there", "TypeError": "not there",
         "JSONDecodeError": "no JSON", "APITimeoutError": "no end in time", "ReadTimeout": "no end in time",
         "TimeoutError": "no end in time"}  # fmt: skip
LONGEST = 60.0  # seconds of a check, a stream that goes on and on included


def command(server: str, folder: Path, port: int, threads: int = 1) -> list[str]:
    """How a server is started on the files of `folder`."""
    python = [sys.executable, "-m"]
    if server == OURS:
        return [*python, "serving_stack", "serve", "--gguf", str(folder / "f32.gguf"), "--port", str(port),
                "--threads", str(threads)]  # fmt: skip
    if server == LLAMA:
        return [*python, "llama_cpp.server", "--model", str(folder / "f32.gguf"), "--model_alias", NAME, "--n_ctx",
                str(MOST_TOKENS), "--n_threads", str(threads), "--n_threads_batch", str(threads), "--host", "127.0.0.1",
                "--port", str(port), "--verbose", "False"]  # fmt: skip
    name = str(folder / "model")
    program = "import sys; from transformers.cli.transformers import main; sys.exit(main())"
    return [sys.executable, "-c", program, "serve", name, "--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]


class Peer:
    """A server as a process, which can be started again on its port."""

    def __init__(self, server: str, folder: Path, threads: int = 1):
        self.port, self.server = free_port(), server
        self.url = f"http://127.0.0.1:{self.port}"
        self.model = str(folder / "model") if server == TRANSFORMERS else NAME
        self.arguments = command(server, folder, self.port, threads)
        self.environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "HF_HUB_OFFLINE": "1"}
        self.process: subprocess.Popen | None = None
        self.restarts = -1

    def start(self) -> None:
        """Start it (anew), and wait until it answers. Raises OSError if it does not."""
        self.stop()
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(self.arguments, env=self.environment, **quiet)
        self.restarts += 1
        end = time.monotonic() + 120
        while not self.answers(30):
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                raise OSError(f"{self.server} did not start: {' '.join(self.arguments[:4])} …")
            time.sleep(0.5)

    def answers(self, seconds: float) -> bool:
        """Does it generate a token within so many seconds?"""
        body = {"model": self.model, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 1}
        with contextlib.suppress(httpx.HTTPError):
            return httpx.post(f"{self.url}/v1/chat/completions", json=body, timeout=seconds).status_code == 200
        return False

    def stop(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@contextlib.contextmanager
def serving(server: str, folder: Path, threads: int = 1) -> Iterator[Peer]:
    """A server that answers, until the block ends."""
    peer = Peer(server, folder, threads)
    try:
        peer.start()
        yield peer
    finally:
        peer.stop()


def peers(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """The marks of three servers, and how often each had to be started again.

    Raises:
        ValueError: a server is not installed here.
    """
    from .wire_suite import CHECKS  # needs the openai client

    for server, package in PACKAGES.items():
        if importlib.util.find_spec(package) is None:
            raise ValueError(f"{server}: {package} is not installed; run this in the environment of 'peers-llama'")
    found: dict = {"marks": {}, "restarts": {}}
    with TemporaryDirectory() as name:
        folder, checkpoint = Path(name), real(endless=True)
        write_file(folder / "f32.gguf", checkpoint, "F32")
        write_folder(folder / "model", checkpoint)
        for server in (OURS, LLAMA, TRANSFORMERS):
            with serving(server, folder) as peer:
                found["marks"][server] = marks_of(peer, 6 if options.quick else None, log)
                found["restarts"][server] = peer.restarts
    versions = {name: metadata.version(name) for name in ("llama-cpp-python", "transformers")}
    return {**found, "checks": len(CHECKS), "versions of servers": versions}


def marks_of(peer: Peer, most: int | None, log: Callable[[str], None]) -> dict[str, str]:
    """{check: mark} of the first `most` checks, or all. A server that hangs after a check is started again."""
    from . import wire_checks, wire_refusals  # noqa: F401  (registers the checks)
    from .wire_suite import CHECKS, Target, run_one

    marks, target = {}, Target(peer.url, peer.model, MOST_TOKENS, PATIENCE)
    for name, function in CHECKS[:most]:
        log(f"{peer.server}: {name}")
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(run_one, function, target)
            try:
                marks[name] = waiting.result(LONGEST)
            except TimeoutError:
                marks[name] = "TimeoutError"
                peer.stop()  # ends the check, too
        if marks[name] != "pass" and (peer.process is None or not peer.answers(PATIENCE)):
            peer.start()
    return marks


def groups(marks: dict[str, str]) -> dict[str, str]:
    """{group: "passed of all"}; the group is what stands before the colon."""
    found: dict[str, list[bool]] = {}
    for name, mark in marks.items():
        found.setdefault(name.partition(":")[0], []).append(mark == "pass")
    return {group: f"{sum(passed)} of {len(passed)}" for group, passed in found.items()}


def few_words(mark: str) -> str:
    """A mark for a table."""
    name, _, rest = mark.partition(":")
    status = re.search(r"Error code: (\d+)", rest)
    return f"status {status[1]}" if status else WORDS.get(name, name)


def peers_table(content: dict | None = None) -> str:
    """Marks of each group, and what failed."""
    content = content or section("wire_peers", command="python -m serving_stack peers")
    marks = content["marks"]
    by_group = {server: groups(m) for server, m in marks.items()}
    rows = [("group", *marks)]
    rows += [(group, *(by_group[server][group] for server in marks)) for group in by_group[OURS]]
    rows.append(("all", *(f"{sum(m == 'pass' for m in each.values())} of {len(each)}" for each in marks.values())))
    failed = [name for name in marks[OURS] if any(each[name] != "pass" for each in marks.values())]
    detail = [("check", *marks)]
    detail += [(name, *(each[name] if each[name] == "pass" else few_words(each[name]) for each in marks.values()))
               for name in failed]  # fmt: skip
    started = ", ".join(f"{server} {count}" for server, count in content["restarts"].items())
    versions = ", ".join(f"{name} {version}" for name, version in content["versions of servers"].items())
    said = f"Started again after a check that left it without an answer: {started} times. Servers: {versions}."
    return f"{table(rows)}\n\n{table(detail)}\n\n{said}\n\n{meta_line(content)}\n"
