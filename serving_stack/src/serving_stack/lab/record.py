"""results.json: one section for each kind of run, with the circumstances under which it was measured."""

import json
import os
import platform
import re
import subprocess
import sys
import tomllib
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from importlib import metadata
from pathlib import Path

_ABOVE = Path(__file__).resolve().parents[3]
FOLDER = _ABOVE if (_ABOVE / "pyproject.toml").is_file() else Path.cwd()
COMMITTED = FOLDER / "results"
MINE = COMMITTED / "mine"

# Libraries that draw, download or check, and cannot change a number.
NOT_RECORDED = {"jaxtyping", "beartype", "matplotlib", "seaborn", "pillow", "pooch", "rich"}


@contextmanager
def atomic(path: Path | str) -> Iterator[Path]:
    """A temporary path in the same folder. It replaces `path` on success and is removed on failure.

    The temporary name keeps the suffix, because many writers choose the format by it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    tmp = path.with_name(f".{path.stem}.{uuid.uuid4().hex[:8]}.tmp{path.suffix}")
    try:
        yield tmp
        os.replace(tmp, path)
    finally:
        tmp.unlink(missing_ok=True)


def write_text(path: Path | str, text: str) -> Path:
    """Write a UTF-8 text file as a whole or not at all."""
    with atomic(path) as tmp:
        tmp.write_text(text, encoding="utf-8", newline="\n")
    return Path(path)


def check_out(folder: Path | str, quick: bool) -> None:
    """Refuse to record a quick run as evidence.

    Raises:
        ValueError: `quick` is set and `folder` is the project's committed `results/`.
    """
    if quick and Path(folder).resolve() == COMMITTED.resolve():
        raise ValueError(f"out={folder}: a quick run is no evidence; leave out --quick, or write to results/mine")


def read(folder: Path | str) -> dict:
    """All sections of the folder's results.json, `{}` if there is none.

    Raises:
        ValueError: the file does not hold a JSON object. It is left as it is.
    """
    path = Path(folder) / "results.json"
    if not path.exists():
        return {}
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: this is not JSON ({error}); move it away and run again") from None
    if not isinstance(results, dict):
        raise ValueError(f"{path}: this holds no object of sections; move it away and run again")
    return results


def write(
    folder: Path | str,
    section: str,
    content: dict,
    *,
    seeds: Sequence[int],
    quick: bool = False,
    threads: int | None = None,
    **more: object,
) -> dict:
    """Replace one section of the folder's results.json and keep the others; returns all sections.

    `more` is added to the section's meta, for example `data="pydoc"`.

    Raises:
        ValueError: a quick run into the committed results, or a damaged results.json.
    """
    check_out(folder, quick)
    circumstances = {**meta(seeds, threads), "quick": quick, **more}
    results = {**read(folder), section: {**content, "meta": circumstances}}
    text = json.dumps(results, indent=1, ensure_ascii=False, default=_plain)
    write_text(Path(folder) / "results.json", text + "\n")
    return results


def _plain(value: object) -> object:
    """Arrays, tensors and NumPy scalars as lists and numbers; paths as text."""
    if hasattr(value, "tolist"):
        return value.tolist()
    if isinstance(value, Path):
        return str(value)
    raise TypeError(f"results hold numbers, texts, lists and dicts, not {type(value).__name__}")


def meta(seeds: Sequence[int], threads: int | None = None) -> dict:
    """Machine, versions, commit, seeds, date and threads: what a reader needs to judge a number."""
    if threads is None:
        threads = sys.modules["torch"].get_num_threads() if "torch" in sys.modules else 1
    return {
        "machine": machine(),
        "python": platform.python_version(),
        "versions": versions(),
        "commit": commit(),
        "seeds": list(seeds),
        "date": date.today().isoformat(),
        "threads": threads,
    }


def machine() -> str:
    """Processor, cores and memory, as far as the system tells."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        lines = info.read_text(encoding="utf-8", errors="replace").splitlines()
        name = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), name)
    try:
        memory = f", {os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB"
    except (AttributeError, OSError, ValueError):  # Windows has no sysconf
        memory = ""
    return f"{name}, {os.cpu_count()} cores{memory}"


def versions() -> dict[str, str]:
    """The version of each library that pyproject.toml declares and that this run has imported."""
    loaded = {module.partition(".")[0] for module in sys.modules}
    used = {
        _normal(name)
        for module, names in metadata.packages_distributions().items()
        if module in loaded
        for name in names
    }
    return {name: metadata.version(name) for name in _declared() if name in used and name not in NOT_RECORDED}


def _declared() -> list[str]:
    """The libraries that pyproject.toml names, without the extras that only test or show."""
    path = FOLDER / "pyproject.toml"
    if not path.is_file():
        return []
    project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
    extras = project.get("optional-dependencies", {})
    peers = [line for extra, lines in extras.items() if extra not in ("test", "notebook") for line in lines]
    lines = [*project.get("dependencies", []), *peers]
    return list(dict.fromkeys(_normal(re.match(r"[\w.-]+", line)[0]) for line in lines))


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def commit() -> str:
    """The short hash of the checkout, "unknown" outside of one."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    try:
        done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip() or "unknown"
