"""results.json: one section per kind of run, each with the circumstances under which it was measured."""

import json
import os
import platform
import subprocess
from datetime import date
from importlib import metadata
from pathlib import Path

import torch

LIBRARIES = ("torch", "triton", "numpy")


def meta(seeds: list[int]) -> dict:
    """What a reader needs to judge a number: machine, versions, commit, seeds, date and threads."""
    return {"machine": machine(), "python": platform.python_version(), "versions": versions(), "commit": commit(),
            "seeds": seeds, "date": date.today().isoformat(), "threads": torch.get_num_threads()}


def machine() -> str:
    """Processor, cores and memory, as far as the system tells."""
    name, info = platform.processor() or platform.machine(), Path("/proc/cpuinfo")
    if info.is_file():
        models = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        name = models[0] if models else name
    memory = ""
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = f", {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"
    return f"{name}, {os.cpu_count()} cores{memory}"


def versions() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def commit() -> str:
    try:
        done = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=Path(__file__).parent, capture_output=True,
                              text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip() or "unknown"


def read(path: Path) -> dict:
    """The results so far. Raises ValueError for a file that is not such an object, rather than writing over it."""
    if not path.is_file():
        return {}
    try:
        results = json.loads(path.read_text())
    except json.JSONDecodeError as error:
        raise ValueError(f"{path} is not readable JSON ({error}); move it away and run again") from error
    if not isinstance(results, dict):
        raise ValueError(f"{path} does not hold an object of sections; move it away and run again")
    return results


def write(path: Path, section: str, content: dict) -> dict:
    """Replace one section and keep the others, beside and then renamed; return all sections."""
    results = read(path) | {section: content}
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    beside.write_text(json.dumps(results, indent=1) + "\n")
    os.replace(beside, path)
    return results
