"""Results: one JSON file, a section for each kind of run, with what is needed to judge the numbers."""
import datetime
import json
import os
import platform
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from .files import write

LIBRARIES = ("regex", "numpy", "tiktoken", "tokenizers", "rustbpe", "sentencepiece")
FOLDER = Path(__file__).resolve().parents[2]


def meta(seeds: list[int], data: str) -> dict:
    """Machine, versions, commit, seeds and date of a run."""
    return {"machine": machine(), "python": platform.python_version(), "versions": versions(), "commit": commit(),
            "seeds": seeds, "date": datetime.date.today().isoformat(), "threads": 1, "data": data}


def machine() -> str:
    """Processor, cores and memory, as far as the system tells."""
    name, memory = platform.processor() or platform.machine(), ""
    if (info := Path("/proc/cpuinfo")).exists():
        names = [line.split(":")[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
        name = names[0] if names else name
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        memory = f", {os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / 2**30:.0f} GiB"
    return f"{name}, {os.cpu_count()} cores{memory}"


def versions() -> dict[str, str]:
    """The versions of the libraries that are installed."""
    found = {}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found


def commit() -> str:
    """The commit this was run at, or "unknown" outside a repository."""
    try:
        return subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=FOLDER, capture_output=True, text=True,
                              check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return "unknown"


def record(folder: Path, section: str, found: dict) -> dict:
    """Put one section into results.json, keep the others, and return them all."""
    folder.mkdir(parents=True, exist_ok=True)
    everything = load(folder / "results.json") if (folder / "results.json").exists() else {}
    everything[section] = found
    write(folder / "results.json", json.dumps(everything, indent=1, ensure_ascii=False) + "\n")
    return everything


def load(path: Path) -> dict:
    """The results of earlier runs; a file that is no JSON is named and left alone."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError as e:
        sys.exit(f"{path} is not JSON ({e}): move it away, it would be overwritten")
