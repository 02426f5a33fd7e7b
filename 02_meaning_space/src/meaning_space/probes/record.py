"""Where results are kept: one section of results.json, with what is needed to believe it."""
import json
import os
import platform
import subprocess
from datetime import date
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import sklearn

PROJECT = Path(__file__).resolve().parents[3]
SECTION = "probes"


def recorded(name: str, folder: Path = PROJECT / "results") -> dict:
    """One experiment from the recorded results. Raises ValueError when it has not been run."""
    path = folder / "results.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))[SECTION][name]
    except (FileNotFoundError, KeyError):
        raise ValueError(f"{path} has no {SECTION}/{name}: run python -m meaning_space.probes --out results") from None


def record(results: dict[str, Any], folder: Path, seed: int) -> Path:
    """Replace the section in `folder`/results.json, leaving the others; written beside and renamed."""
    path = folder / "results.json"
    folder.mkdir(parents=True, exist_ok=True)
    content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    content[SECTION] = {**results, "meta": meta(seed)}
    beside = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    beside.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    os.replace(beside, path)
    return path


def saved_figure(fig: plt.Figure, path: Path) -> None:
    """Write the figure beside `path` and rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{os.getpid()}.{path.name}")
    fig.tight_layout()
    fig.savefig(beside, dpi=150)
    plt.close(fig)
    os.replace(beside, path)


def meta(seed: int) -> dict[str, Any]:
    """The machine, the versions, the commit."""
    return {"machine": machine(), "python": platform.python_version(), "commit": commit(),
            "versions": {"numpy": np.__version__, "scikit-learn": sklearn.__version__},
            "seeds": [seed], "threads": 1, "date": date.today().isoformat()}


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
