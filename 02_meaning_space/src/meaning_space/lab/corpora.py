"""Texts as lists of sentences or paragraphs. `pydoc` is the English that ships with Python: about 260,000 words."""

import ast
import json
import re
import sys
import sysconfig
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from pydoc_data.topics import topics

from ..corpus import Corpus
from . import fetch, record

# Left out, so that each Python version has one text: some installations lack these, and tests are not prose.
NOT_PROSE = {
    "test",
    "tests",
    "site-packages",
    "dist-packages",
    "idlelib",
    "tkinter",
    "turtledemo",
    "lib2to3",
    "ensurepip",
    "pydoc_data",
    "__pycache__",
}
MIN_COUNT = {"pydoc": 10}  # documentation is small and has many names that occur a few times
DEFAULT_MIN_COUNT = 5


def load_corpus(data: str = "pydoc", share: float = 1.0) -> Corpus:
    """The corpus of `data`: "pydoc", a name that `fetch.load_text` knows, or the path of a text file.

    `share` takes the first part of the texts only.

    Raises:
        ValueError, OSError: see `fetch.load_text`.
    """
    texts = load_texts(data)
    return Corpus.from_texts(texts[: round(len(texts) * share)], MIN_COUNT.get(data, DEFAULT_MIN_COUNT))


def load_texts(data: str) -> tuple[str, ...]:
    """The topics and docstrings of Python for "pydoc"; otherwise each line of the text."""
    return python_docs() if data == "pydoc" else tuple(fetch.load_text(data).split("\n"))


@cache
def python_docs() -> tuple[str, ...]:
    """The topics of Python's language reference and the docstrings of its standard library, each text once.

    They differ a little between versions of Python. To read 560 files takes seconds, so the texts are kept in the
    user's cache. The file's name is a hash of this Python, its place and this module.
    """
    stdlib = Path(sysconfig.get_paths()["stdlib"])
    key = sha256(f"{sys.version} {stdlib}".encode() + Path(__file__).read_bytes()).hexdigest()[:16]
    path = fetch.cache() / f"python-docs-{key}.json"
    texts = read_cached(path)
    if texts is None:
        texts = tuple(dict.fromkeys([*topics.values(), *docstrings(stdlib)]))
        with suppress(OSError):  # without a writable cache the texts are read anew each time
            record.write_text(path, json.dumps(texts))
    return texts


def read_cached(path: Path) -> tuple[str, ...] | None:
    """The texts in the file, or None if it is missing or damaged."""
    try:
        texts = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    whole = isinstance(texts, list) and texts and all(isinstance(text, str) for text in texts)
    return tuple(texts) if whole else None


def docstrings(root: Path) -> Iterator[str]:
    """Every docstring of the Python files under `root`, in the order of the files' names."""
    for path in sorted(root.rglob("*.py")):
        if not NOT_PROSE.isdisjoint(path.relative_to(root).parts) or path.name.startswith("turtle"):
            continue
        try:
            tree = ast.parse(path.read_bytes())
        except SyntaxError:  # some installations ship files for other versions of the language
            continue
        for node in statements(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                text = ast.get_docstring(node)
                if text:
                    yield without_examples(text)


def statements(tree: ast.Module) -> Iterator[ast.AST]:
    """The module and all statements in it, outer ones first. Expressions, most of a tree, are not visited."""
    blocks = ("body", "handlers", "orelse", "finalbody", "cases")
    waiting = deque([tree])
    while waiting:
        node = waiting.popleft()
        for name in node._fields:
            if name in blocks:
                waiting.extend(getattr(node, name))
        yield node


def without_examples(docstring: str) -> str:
    """A docstring without its doctests: each runs from a prompt to the next blank line."""
    return re.sub(r"^[ \t]*>>>.*?(?:\n[ \t]*\n|\Z)", "\n", docstring, flags=re.MULTILINE | re.DOTALL)
