"""Results on disk: one JSON file, each run writing its own section, never half of it."""

import datetime
import json
import os
import platform
import subprocess
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

FOLDER = Path(__file__).resolve().parents[2]  # the project's folder, in an editable install or a checkout
LIBRARIES = ("torch", "numpy", "transformers", "matplotlib")


def read(out: Path) -> dict:
    """The sections written so far; none if there is no file. Raises ValueError if the file is not JSON."""
    path = out / "results.json"
    if not path.exists():
        return {}
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not JSON ({error}); delete it and run again") from error


def write(out: Path, section: str, result: dict, seeds: Sequence[int], quick: bool = False) -> dict:
    """Replace one section, with where and when it was measured; returns all of them."""
    sections = read(out) | {section: result | {"meta": meta(seeds) | {"quick": quick}}}
    write_text(out / "results.json", json.dumps(sections, indent=1) + "\n")
    return sections


def write_text(path: Path, content: str) -> None:
    """Beside and renamed, so that a reader never sees half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    beside.write_text(content, encoding="utf-8")
    os.replace(beside, path)


def meta(seeds: Sequence[int]) -> dict:
    """The circumstances of a measurement."""
    return {
        "machine": machine(),
        "python": platform.python_version(),
        "versions": {name: v for name in LIBRARIES if (v := installed(name))},
        "commit": commit(),
        "seeds": list(seeds),
        "date": datetime.date.today().isoformat(),
        "threads": torch.get_num_threads(),
    }


def installed(name: str) -> str | None:
    """The version of a library, or None where it is missing."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def machine() -> str:
    """Processor, cores and memory, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
        memory = f", {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"
    except (OSError, StopIteration, ValueError):
        name, memory = platform.processor() or platform.machine(), ""
    return f"{name}, {os.cpu_count()} cores{memory}"


def commit() -> str:
    """The short hash of the checkout, or "unknown" outside of one."""
    try:
        run = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=FOLDER, capture_output=True, text=True)
    except OSError:
        return "unknown"
    return run.stdout.strip() or "unknown"
