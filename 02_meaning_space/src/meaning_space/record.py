"""results.json: one section for each experiment, with the machine, versions, seeds and commit that made it."""
import json
import os
import platform
import subprocess
from datetime import date
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]
LIBRARIES = ("numpy", "scipy", "scikit-learn", "torch", "gensim")


def read(folder: Path = PROJECT / "results") -> dict[str, Any]:
    """Every section of the folder's results, or none. Raises ValueError if the file is no JSON object."""
    path = folder / "results.json"
    if not path.exists():
        return {}
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is not JSON ({error}): remove it and run the experiment again") from None
    if not isinstance(results, dict):
        raise ValueError(f"{path} holds a {type(results).__name__} where an object with sections is expected")
    return results


def write(section: str, values: dict[str, Any], folder: Path, seeds: list[int], threads: int = 1) -> dict[str, Any]:
    """Replaces one section of the folder's results.json, beside and renamed; returns all of them."""
    results = {**read(folder), section: {**values, "meta": meta(seeds, threads)}}
    replace(folder / "results.json", json.dumps(results, indent=1) + "\n")
    return results


def replace(path: Path, text: str) -> Path:
    """Writes `text` beside `path` and renames it, so that nobody ever reads half a file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{os.getpid()}.{path.name}")
    beside.write_text(text, encoding="utf-8")
    os.replace(beside, path)
    return path


def meta(seeds: list[int], threads: int) -> dict[str, Any]:
    """What is needed to believe a number."""
    versions = {}
    for name in LIBRARIES:
        try:
            versions[name] = version(name)
        except PackageNotFoundError:        # gensim is an extra
            continue
    return {"machine": machine(), "python": platform.python_version(), "versions": versions, "commit": commit(),
            "seeds": seeds, "date": date.today().isoformat(), "threads": threads}


def machine() -> str:
    """Processor, cores and memory, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        model = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
        memory = f", {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"
    except (OSError, StopIteration, ValueError):
        model, memory = platform.processor() or platform.machine(), ""
    return f"{model}, {os.cpu_count()} cores{memory}"


def commit() -> str:
    """The git commit of this folder, or "unknown"."""
    try:
        out = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=PROJECT, capture_output=True, text=True,
                             timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return out.stdout.strip()
