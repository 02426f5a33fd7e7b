"""Built files, found again by the sha256 of everything that went into them."""

import hashlib
import os
import re
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path


def cache_folder() -> Path:
    """Where builds lie: CUDA_QUANT_CACHE, or cuda_quant_kernels in the user's cache folder."""
    if given := os.environ.get("CUDA_QUANT_CACHE"):
        return Path(given)
    base = os.environ.get("XDG_CACHE_HOME") or (Path.home() / ".cache")
    return Path(base) / "cuda_quant_kernels"


def key(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:24]


def cached(name: str, make: Callable[[Path], None]) -> Path:
    """The file of that name in the cache; if it is not there, make(path) builds it beside its place.

    It is renamed into place when it is whole: two builders at once do the work twice, and nobody reads half a file.
    What else make leaves under the file's stem, with another suffix, goes along.
    """
    place = cache_folder() / name
    if not place.exists():
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=place.parent, prefix="building-") as folder:
            made = Path(folder) / name
            make(made)
            for extra in made.parent.glob(f"{made.stem}.log"):
                os.replace(extra, place.with_name(extra.name))
            os.replace(made, place)
    return place


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
