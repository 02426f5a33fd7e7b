"""Where the texts come from: what ships with Python, and files with a pinned address and hash."""
import ast
import json
import lzma
import os
import re
import sys
import sysconfig
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from pydoc_data.topics import topics

import pooch

# Left out, so that one Python version has one text: not every installation has these, and tests are not prose.
NOT_PROSE = {"test", "tests", "site-packages", "dist-packages", "idlelib", "tkinter", "turtledemo", "lib2to3",
             "ensurepip", "pydoc_data", "__pycache__"}


@dataclass(frozen=True)
class Remote:
    """A file elsewhere: its name, address and sha256."""
    name: str
    url: str
    sha256: str


NOVELS = Remote(
    "english_novels.part1.txt.xz",
    "https://github.com/COST-ELTeC/ELTeC-eng (DOI 10.5281/zenodo.4662490)",
    "880d322678b9ac89c05842a2f9b6f4e4dffa9672b61c62bc3f638c9af406446a")
ANALOGIES = Remote(
    "questions-words.txt",
    "https://raw.githubusercontent.com/tmikolov/word2vec/master/questions-words.txt",
    "8c29b3332afc46f3fb8be04cb5297bf96f39aa7131272dff57869b4485b22a36")
WORDSIM = Remote(
    "wordsim353.txt",
    "http://gabrilovich.com/resources/data/wordsim353/wordsim353.html",
    "ce12919b240af45bdf46d243601eaca2b6212b159b5e7e9b435ee7ee40c5619c")
SIMLEX = Remote(
    "simlex999.txt",
    "https://fh295.github.io/simlex.html",
    "405394ffb7d25f6d0e3c041f87c9f27d29dc6b047506769953e85c4523b11685")


def fetch(remote: Remote) -> Path:
    """The file's place on this machine: in HARDWAY_DATA, else in the user's cache, else downloaded there.

    Raises ValueError if the bytes are not those of `remote.sha256`, and OSError, with the address, the expected
    name and the folder, if the file is neither here nor to be had.
    """
    folder = os.environ.get("HARDWAY_DATA")
    if folder and (path := Path(folder) / remote.name).exists():
        digest = sha256(path.read_bytes()).hexdigest()
        if digest != remote.sha256:
            raise ValueError(f"{path} has sha256 {digest}, expected {remote.sha256}: remove it and get it again")
        return path
    cached = Path(pooch.os_cache("hardway")) / remote.name
    direct = remote.url.endswith(remote.name)
    if not direct and not (cached.exists() and pooch.file_hash(cached) == remote.sha256):
        raise OSError(absent(remote, folder, "it has no direct download"))
    try:
        return Path(pooch.retrieve(remote.url, f"sha256:{remote.sha256}", remote.name, cached.parent))
    except (OSError, ValueError) as error:
        raise OSError(absent(remote, folder, str(error))) from error


def absent(remote: Remote, folder: str | None, why: str) -> str:
    """What is missing and what to do about it."""
    place = folder if folder else "HARDWAY_DATA is not set: name a folder with it"
    return (f"{remote.name} is not on this machine ({why}). Get it from {remote.url}, check that its sha256 is "
            f"{remote.sha256}, and put it under that name into the folder HARDWAY_DATA names ({place})")


def docstrings(root: Path) -> Iterator[str]:
    """Every docstring of the Python files under `root`, in the order of the files' names."""
    for path in sorted(root.rglob("*.py")):
        if NOT_PROSE.isdisjoint(path.relative_to(root).parts) and not path.name.startswith("turtle"):
            try:
                tree = ast.parse(path.read_bytes())
            except SyntaxError:     # some installations ship files for other versions of the language
                continue
            for node in statements(tree):
                if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                    if text := ast.get_docstring(node):
                        yield prose(text)


def statements(tree: ast.Module) -> Iterator[ast.AST]:
    """The module and all statements in it, outer ones first; expressions, most of a tree, are not looked at."""
    blocks, waiting = {"body", "handlers", "orelse", "finalbody", "cases"}, deque([tree])
    while waiting:
        node = waiting.popleft()
        for name in (field for field in node._fields if field in blocks):
            waiting.extend(getattr(node, name))
        yield node


def prose(docstring: str) -> str:
    """A docstring without its examples: from each prompt to the next blank line it is code and what code printed."""
    return re.sub(r"^[ \t]*>>>.*?(?:\n[ \t]*\n|\Z)", "\n", docstring, flags=re.MULTILINE | re.DOTALL)


@cache
def offline() -> tuple[str, ...]:
    """English that ships with Python: the language reference's topics and the standard library's docstrings.

    About 300,000 words, each text once; they differ a little between versions of Python. Reading 560 files takes
    seconds, so what was found is kept in the user's cache, under a name that tells Python, place and this file apart.
    """
    root = Path(sysconfig.get_paths()["stdlib"])
    made_of = sha256(f"{sys.version} {root}".encode() + Path(__file__).read_bytes()).hexdigest()[:16]
    place = Path(pooch.os_cache("hardway")) / f"offline-{made_of}.json"
    if (found := kept(place)) is None:
        found = tuple(dict.fromkeys([*topics.values(), *docstrings(root)]))
        keep(place, found)
    return found


def kept(place: Path) -> tuple[str, ...] | None:
    """The texts in a file written by `keep`, or None if there is no such file, or not a whole one."""
    try:
        texts = json.loads(place.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return tuple(texts) if isinstance(texts, list) and texts and all(isinstance(t, str) for t in texts) else None


def keep(place: Path, texts: tuple[str, ...]) -> None:
    """Writes the texts beside their place and renames; where nothing can be written, nothing is kept."""
    beside = place.with_suffix(f".{os.getpid()}.tmp")
    with suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps(texts), encoding="utf-8")
        os.replace(beside, place)


def novels() -> tuple[str, ...]:
    """27 English novels, 3.6 million words, one paragraph a text (European Literary Text Collection)."""
    with lzma.open(fetch(NOVELS), "rt", encoding="utf-8") as file:
        return tuple(file.read().split("\n"))


def texts(name: str) -> tuple[str, ...]:
    """The texts of the corpus called `name`.

    Raises ValueError for an unknown name.
    """
    known = {"offline": offline, "novels": novels}
    if name not in known:
        raise ValueError(f"data={name!r} is not a known corpus: choose one of {', '.join(known)}")
    return known[name]()
