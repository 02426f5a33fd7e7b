"""Texts and files. What ships with Python needs no network; named files are looked up, or downloaded and verified.

A named file is looked for in the folder that HARDWAY_DATA names, then in the user's cache, then at its address.
Its sha256 is checked wherever it comes from. A model comes the same way (`smollm2_file`).
"""

import hashlib
import lzma
import os
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

from .catalogue import NOVELS, NOVELS_VALID, REMOTES, SHAKESPEARE, SMOLLM2, SMOLLM2_WHEEL, Remote

__all__ = ["NOVELS", "NOVELS_VALID", "REMOTES", "SHAKESPEARE", "SMOLLM2", "Remote"]
__all__ += ["MODELS", "TEXTS", "cache", "fetch", "is_local", "load_text", "model"]

TEXTS = ("pydoc", "code", "shakespeare", "novels")
MODELS = ("smollm2",)
CODE_LIMIT = 1 << 20  # characters


def data_folder() -> Path | None:
    """The folder that HARDWAY_DATA names, None where the variable is not set."""
    name = os.environ.get("HARDWAY_DATA")
    return Path(name) if name else None


def cache() -> Path:
    """The folder of this course in the user's cache, where the system keeps such folders."""
    home = Path.home()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", home / "AppData" / "Local")) / "hardway" / "hardway" / "Cache"
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "hardway"
    return Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache") / "hardway"


def digest(path: Path) -> str:
    """The sha256 of a file."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def is_local(remote: Remote) -> bool:
    """Whether the file is on this machine. Nothing is read or downloaded."""
    if remote is SMOLLM2 and _in_folder(SMOLLM2_WHEEL):
        return True
    return bool(_in_folder(remote)) or (cache() / remote.name).is_file()


def fetch(remote: Remote) -> Path:
    """Where the verified file lies on this machine; it is downloaded into the cache if it must be.

    Raises:
        ValueError: the file in HARDWAY_DATA is not the expected one.
        OSError: the file is not on this machine and cannot be downloaded.
    """
    if path := _in_folder(remote):
        return check(path, remote)
    place = cache() / remote.name
    if place.is_file() and digest(place) == remote.sha256:
        return place
    if remote.page:
        raise OSError(absent(remote, "it has no direct download"))
    import pooch  # here, so that a project that fetches nothing does not need it

    try:
        return Path(pooch.retrieve(remote.url, f"sha256:{remote.sha256}", place.name, place.parent))
    except Exception as error:  # requests, urllib3 and pooch raise kinds of their own
        raise OSError(absent(remote, f"{type(error).__name__}: {error}")) from error


def check(path: Path, remote: Remote) -> Path:
    """The path, if its content is the expected one.

    Raises:
        ValueError: the sha256 is another one.
    """
    if (got := digest(path)) != remote.sha256:
        raise ValueError(
            f"{path}: its sha256 is {got}, expected {remote.sha256}; the file is damaged, or is another one. "
            f"Delete it, and get it again from {remote.url or 'where it came from'}"
        )
    return path


def absent(remote: Remote, reason: str) -> str:
    """What is missing, why, and what to do about it."""
    source = f"Get it from {remote.url}" if remote.url else "It has no public address. Copy it from another machine"
    folder = data_folder()
    where = f"{folder}, the folder that HARDWAY_DATA names" if folder else "a folder, and set HARDWAY_DATA to it"
    return f"{remote.name} is not on this machine ({reason}). {source}, and put it as {remote.name} into {where}"


def _in_folder(remote: Remote) -> Path | None:
    folder = data_folder()
    path = folder / remote.name if folder else None
    return path if path and path.is_file() else None


def load_text(name: str = "pydoc") -> str:
    """A text: one of TEXTS, or the path of a UTF-8 file of the reader's own.

    `pydoc` is the English that ships with Python (0.5 MB), `code` the standard library's sources (1 MB).

    `pydoc` repeats some paragraphs: 9 % of its last tenth, cut into pieces of 64 bytes, also stand before it (Python
    3.11). A loss on that tenth is a little too low.

    Raises:
        ValueError: the name is neither, or the file is not UTF-8, or is empty.
        OSError: a named text is not on this machine and cannot be downloaded.
    """
    if name == "pydoc":
        from pydoc_data.topics import topics

        return "\n".join(topics[key] for key in sorted(topics))
    if name == "code":
        sources = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
        return "\n".join(path.read_text(encoding="utf-8") for path in sources)[:CODE_LIMIT]
    if name == "shakespeare":
        return fetch(SHAKESPEARE).read_text(encoding="utf-8")
    if name == "novels":
        with lzma.open(fetch(NOVELS), "rt", encoding="utf-8") as file:
            return file.read()
    return _own_text(Path(name))


def _own_text(path: Path) -> str:
    if not path.is_file():
        raise ValueError(f"data={str(path)!r}: choose one of {', '.join(TEXTS)}, or the path of a text file")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: this is not UTF-8 at byte {error.start}; convert it first") from None
    if not text.strip():
        raise ValueError(f"{path}: this file is empty; choose one with text in it")
    return text


def model(name: str = "smollm2", log: Callable[[str], None] = print) -> Path:
    """The GGUF file of a real model, fetched once (98 MB) and verified.

    Raises:
        ValueError: an unknown name, or a damaged file in HARDWAY_DATA.
        OSError: the model is not on this machine and cannot be downloaded.
    """
    if name not in MODELS:
        raise ValueError(f"model={name!r}: choose one of {', '.join(MODELS)}")
    from .smollm2_file import find_or_fetch

    return find_or_fetch(log)
