"""Built files, found again by the sha256 of everything that went into them."""

import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:  # not a POSIX system
    fcntl = None


def cache_folder() -> Path:
    """Where builds lie: CUDA_QUANT_CACHE, or cuda_quant_kernels in the user's cache folder."""
    if given := os.environ.get("CUDA_QUANT_CACHE"):
        return Path(given)
    base = os.environ.get("XDG_CACHE_HOME") or (Path.home() / ".cache")
    return Path(base) / "cuda_quant_kernels"


def key(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


def cached(name: str, make: Callable[[Path], None]) -> Path:
    """The file of that name in the cache. If it is not there, make(path) builds it in a temporary folder.

    The file is renamed into place when it is whole, so nobody reads half a file. If another process or thread is
    building it, wait for that one. A .log of the same stem goes along.
    """
    place = cache_folder() / name
    if place.exists():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    with _one_at_a_time(place), tempfile.TemporaryDirectory(dir=place.parent, prefix="building-") as folder:
        if not place.exists():
            made = Path(folder) / name
            make(made)
            for extra in made.parent.glob(f"{made.stem}.log"):
                os.replace(extra, place.with_name(extra.name))
            os.replace(made, place)
    return place


@contextmanager
def _one_at_a_time(place: Path) -> Iterator[None]:
    """Holds a lock, which the system lifts when its holder ends in any way. Without locks, work is done twice."""
    if fcntl is None:
        yield
        return
    with open(place.with_name(f".{place.name}.lock"), "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def includes(path: Path, search: Iterable[Path], found: dict[str, Path] | None = None) -> dict[str, Path]:
    """Every file that a source includes by a quoted name, and what those include, by the name in the include."""
    found = {} if found is None else found
    for name in re.findall(r'^\s*#\s*include\s+"([^"]+)"', path.read_text(), re.MULTILINE):
        for folder in (path.parent, *search):
            if name not in found and (folder / name).is_file():
                found[name] = folder / name
                includes(folder / name, search, found)
    return found


def with_includes(path: Path, search: Iterable[Path]) -> str:
    """The text of a source and of all its includes, for the key."""
    return "\0".join([path.read_text(), *(f"{n}\0{p.read_text()}" for n, p in includes(path, search).items())])
