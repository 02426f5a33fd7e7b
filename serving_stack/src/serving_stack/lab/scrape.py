"""Who reads `/metrics` while a load runs: a Prometheus server, where one is installed, and a reader of our own."""

import contextlib
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path

import httpx
from prometheus_client.parser import text_string_to_metric_families

from .running import free_port

EVERY = 1.0  # seconds between two scrapes


@dataclass
class Pages:
    """What our own reader saw: the largest value of each sample, and how many pages had the format."""

    pages: int = 0
    faults: list[str] = field(default_factory=list)
    largest: dict[str, float] = field(default_factory=dict)
    last: dict[str, float] = field(default_factory=dict)

    def add(self, text: str) -> None:
        """Parse a page. Samples with labels are added up under their name."""
        sums: dict[str, float] = {}
        for family in text_string_to_metric_families(text):
            for sample in family.samples:
                if "le" not in sample.labels:
                    sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
        fell = [name for name, value in self.last.items() if name.endswith(("_total", "_count")) and sums[name] < value]
        self.faults += [f"{name} fell" for name in fell]
        self.pages, self.last = self.pages + 1, sums
        self.largest = {name: max(value, self.largest.get(name, value)) for name, value in sums.items()}


@contextlib.contextmanager
def reading(url: str) -> Iterator[Pages]:
    """Read the page every second until the block ends, and once more."""
    pages, over = Pages(), threading.Event()

    def read() -> None:
        try:
            pages.add(httpx.get(f"{url}/metrics", timeout=10).text)
        except (httpx.HTTPError, ValueError, KeyError) as error:
            pages.faults.append(f"{type(error).__name__}: {error}")

    def loop() -> None:
        while not over.wait(EVERY):
            read()

    thread = threading.Thread(target=loop, daemon=True)
    thread.start()
    try:
        yield pages
    finally:
        over.set()
        thread.join(15)
        read()


class Prometheus:
    """A server of Prometheus with the rules of `deploy/`, on a port of its own."""

    def __init__(self, program: str, target: str, folder: Path):
        rules = folder / "rules.yaml"
        rules.write_text((files("serving_stack.deploy") / "monitoring" / "rules.yaml").read_text(encoding="utf-8"))
        (folder / "prometheus.yaml").write_text(
            f"global: {{scrape_interval: {EVERY:g}s, evaluation_interval: {EVERY:g}s}}\n"
            f"rule_files: [{rules}]\n"
            f"scrape_configs: [{{job_name: serving-stack, static_configs: [{{targets: ['{target}']}}]}}]\n"
        )
        self.url = f"http://127.0.0.1:{free_port()}"
        words = [program, f"--config.file={folder / 'prometheus.yaml'}", f"--storage.tsdb.path={folder / 'data'}",
                 f"--web.listen-address={self.url.removeprefix('http://')}", "--log.level=error"]  # fmt: skip
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def wait(self, seconds: float = 20.0) -> None:
        """Until it is ready. Raises OSError where it does not start."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.process.poll() is None:
            with contextlib.suppress(httpx.TransportError):
                if httpx.get(f"{self.url}/-/ready", timeout=2).status_code == 200:
                    return
            time.sleep(0.1)
        raise OSError(f"{self.url}: Prometheus did not start")

    def ask(self, expression: str) -> float | None:
        """The sum of an instant query, None where it has no answer."""
        answer = httpx.get(f"{self.url}/api/v1/query", params={"query": expression}, timeout=10).json()
        values = [float(one["value"][1]) for one in answer["data"]["result"]]
        return sum(values) if values else None

    def names(self) -> set[str]:
        """Every series' name that it has stored."""
        return set(httpx.get(f"{self.url}/api/v1/label/__name__/values", timeout=10).json()["data"])

    def version(self) -> str:
        return httpx.get(f"{self.url}/api/v1/status/buildinfo", timeout=10).json()["data"]["version"]


@contextlib.contextmanager
def prometheus(url: str) -> Iterator[Prometheus | None]:
    """A Prometheus that scrapes `url`; None where no such program is on the path (Debian's package has it)."""
    program = shutil.which("prometheus")
    if program is None:
        yield None
        return
    with tempfile.TemporaryDirectory() as folder:
        server = Prometheus(program, url.removeprefix("http://"), Path(folder))
        try:
            server.wait()
            yield server
        finally:
            server.process.terminate()
            server.process.wait(20)
