"""What counts as an attempt, and how the tests see it. The same bytes in every project.

`load` takes definitions from a file or notebook by syntax tree: demonstrations never run. `leans` finds the use of the
reference, wherever it hides. `Names` is what tests and probes are given: an attempt has no fallback, so that what is
missing is missing, and every function is watched for changing its arguments.
"""

import ast
import copy
import functools
import importlib
import inspect
import json
import types
from pathlib import Path

from compare import is_array, same

HERE = Path(__file__).resolve().parent
PACKAGE = min(p.parent.name for p in HERE.parent.glob("src/*/__init__.py"))


class NotStarted(Exception):
    """The attempt has no such name."""


class NotCounted(Exception):
    """The attempt cannot be graded: it leans on the reference, or cannot be read."""


class InPlace(AssertionError):
    """The attempt changed an argument that belongs to its caller."""


def cells(path):
    """(where, suffix, source) of each code cell of a notebook, or of the whole file."""
    try:
        text = path.read_text(encoding="utf-8")
        if path.suffix != ".ipynb":
            return [(path.name, path.suffix, text)]
        code = [c["source"] for c in json.loads(text)["cells"] if c["cell_type"] == "code"]
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise NotCounted(f"{path} cannot be read: {e}") from None
    found = []
    for n, source in enumerate(code, 1):
        first, _, rest = (source := "".join(source)).partition("\n")
        if first.startswith("%%writefile"):  # a cell that writes a file is that file
            found.append((f"{path.name}, code cell {n}", Path(first.split()[-1]).suffix, "\n" + rest))
        elif not first.startswith("%%"):
            plain = ("" if line.lstrip()[:1] in ("%", "!") else line for line in source.split("\n"))
            found.append((f"{path.name}, code cell {n}", ".py", "\n".join(plain)))
    return found


def kept(node):
    """Definitions, imports and UPPER_CASE constants belong to an attempt; demonstrations do not run."""
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    constant = bool(targets) and all(isinstance(t, ast.Name) and t.id.isupper() for t in targets)
    return constant or isinstance(
        node, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    )


def load(path):
    """The names that a file or notebook defines. Raises NotCounted, naming file, cell and line."""
    module = types.ModuleType("attempt")
    for where, suffix, source in cells(Path(path)):
        if loader := getattr(importlib.import_module("mistakes"), "LOADERS", {}).get(suffix):
            vars(module).update(loader(where, source))
        elif suffix == ".py":
            try:
                tree = ast.parse(source)
                for node in filter(kept, tree.body):
                    exec(compile(ast.Module([node], []), where, "exec"), vars(module))
            except SyntaxError as e:
                raise NotCounted(f"{where}, line {e.lineno}: {e.msg}") from None
            except Exception as e:
                raise NotCounted(
                    f"{where}, line {node.lineno}: {type(e).__name__}: {e} (only definitions, imports "
                    "and UPPER_CASE constants of an attempt are read)"
                ) from None
        elif Path(path).suffix != ".ipynb":
            raise NotCounted(f"{path}: an attempt is a .py file or a notebook")
    return {name: value for name, value in vars(module).items() if not name.startswith("__")}


def codes(obj):
    """(function, code) of everything that runs when `obj` is used, helpers of the same attempt included."""
    todo, seen = [obj], set()
    while todo:
        if id(x := inspect.unwrap(todo.pop()) if callable(obj) else todo.pop()) in seen:
            continue
        seen.add(id(x))
        if inspect.isclass(x):
            todo += [getattr(v, "fget", getattr(v, "__func__", v)) for v in vars(x).values()]
        elif inspect.isfunction(x):
            inner = [x.__code__]
            for code in inner:
                yield x, code
                inner += [c for c in code.co_consts if inspect.iscode(c)]
                own = (x.__globals__.get(name) for name in code.co_names)
                todo += [v for v in own if getattr(v, "__module__", None) == x.__module__ and callable(v)]


def leans(obj):
    """The name through which `obj` uses the reference package, or None."""

    def ours(x):
        home = (
            x.__name__ if inspect.ismodule(x) else getattr(x, "__module__", None) or getattr(type(x), "__module__", "")
        )
        return str(home).split(".")[0] == PACKAGE

    for x in [obj, *(obj.__mro__ if inspect.isclass(obj) else [])]:
        if ours(x):
            return getattr(x, "__name__", str(x))
    for function, code in codes(obj):
        closure = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
        for name in [*code.co_names, *code.co_freevars]:
            value = closure[name].cell_contents if name in closure else function.__globals__.get(name)
            if name.split(".")[0] == PACKAGE or ours(value):
                return name
        if text := [
            c for c in code.co_consts if isinstance(c, str) and c.split(".")[0] == PACKAGE and c != code.co_name
        ]:
            return text[0]
    return None


def needs(obj, tasks):
    """The other tasks that `obj` calls, in their order."""
    names = {name for _, code in codes(obj) for name in code.co_names}
    return [t for t in tasks if t in names]


def guarded(function):
    """The function, watched for changing its arguments."""

    @functools.wraps(function)
    def watched(*args, **kwargs):
        before = [
            (n, a, copy.deepcopy(a))
            for n, a in [*enumerate(args), *kwargs.items()]
            if isinstance(a, (list, dict, set, bytearray)) or is_array(a)
        ]
        result = function(*args, **kwargs)
        for name, now, then in before:
            if not same(now, then):
                names = list(inspect.signature(function).parameters)
                who = names[name] if isinstance(name, int) and name < len(names) else name
                raise InPlace(f"changes its argument `{who}` in place: the caller still needs it as it was")
        return result

    return watched


class Names:
    """A namespace of tasks. Without a fallback (every attempt), what is missing is missing."""

    def __init__(self, names, fallback=None):
        self._names, self._fallback = names, fallback

    def __getattr__(self, name):
        if name not in self._names:
            if self._fallback is None:
                raise NotStarted(name)
            return getattr(self._fallback, name)
        value = self._names[name]
        inplace = getattr(importlib.import_module("mistakes"), "INPLACE", ())
        return guarded(value) if inspect.isfunction(value) and name not in inplace else value


class Attempt(Names):
    """What a learner wrote: no fallback, and whatever uses the reference is not counted."""

    def __getattr__(self, name):
        if name in self._names and (through := leans(self._names[name])):
            raise NotCounted(f"uses `{through}` of {PACKAGE}, the reference: write it yourself to have it counted")
        return super().__getattr__(name)


def reference():
    return Names(vars(importlib.import_module(PACKAGE)))
