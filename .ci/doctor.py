"""What this machine has, what is missing, and the command that fixes it: what `nox -s doctor` prints.

Each project says in its pyproject.toml what it looks for beyond Python packages:

    [tool.hardway]
    doctor = [{ what = "a C++ compiler", any = ["g++", "clang++"], fix = "apt install g++" }]

`any` names programs, of which one is enough.
"""

import importlib.util
import os
import platform
import shutil
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parent.parent


def line(found: object, what: str, fix: str = "") -> None:
    print(f"{'ok     ' if found else 'missing'}  {what}{'' if found or not fix else f'  ->  {fix}'}")


def wanted(folder: Path) -> list[dict]:
    """What a project declares, each with the project's name."""
    settings = tomllib.loads((folder / "pyproject.toml").read_text(encoding="utf-8"))
    entries = settings.get("tool", {}).get("hardway", {}).get("doctor", [])
    return [{**entry, "project": folder.name} for entry in entries]


def common() -> None:
    version = sys.version_info[:2]
    name = f"Python {platform.python_version()} (3.11 to 3.13)"
    line((3, 11) <= version <= (3, 13), name, "install Python 3.11, 3.12 or 3.13")
    uv = shutil.which("uv") or importlib.util.find_spec("uv")
    line(uv, "uv, which makes environments in seconds", 'pip install "nox[uv]"')
    line(shutil.which("git"), "git", "install git")


def projects(folders: list[Path]) -> None:
    """One line for each thing that projects look for."""
    entries = [entry for folder in folders for entry in wanted(folder)]
    for what in dict.fromkeys(entry["what"] for entry in entries):
        same = [entry for entry in entries if entry["what"] == what]
        names = ", ".join(dict.fromkeys(entry["project"] for entry in same))
        line(any(map(shutil.which, same[0]["any"])), f"{what} ({names})", same[0].get("fix", ""))


def data() -> None:
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(ROOT / ".template"))
    from lab import fetch

    folder = os.environ.get("HARDWAY_DATA")
    if folder:
        line(Path(folder).is_dir(), f"HARDWAY_DATA = {folder}, the folder of named files", "make this folder")
    else:
        line(True, "HARDWAY_DATA is not set: named files come from the cache or the network")
    line(fetch.is_local(fetch.SMOLLM2), "the real model, SmolLM2 (optional, 98 MB)", "nox -s models")


def space(folders: list[Path]) -> None:
    free = shutil.disk_usage(ROOT).free / 2**30
    line(free > 5, f"{free:.0f} GiB free here (each environment takes up to 1.5)", "free some space")
    print(f"         {os.cpu_count()} cores; {len(folders)} projects here")


if __name__ == "__main__":
    here = sorted(path.parent for path in ROOT.glob("*/pyproject.toml"))
    common()
    projects(here)
    data()
    space(here)
