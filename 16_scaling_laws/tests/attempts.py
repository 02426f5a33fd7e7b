"""What counts as an attempt, and how the tests see it. The same bytes in every project.

`load` takes definitions from a file or a notebook by syntax tree; demonstrations never run. `uses_reference` finds the
use of the reference package, wherever it hides. `Names` is what tests and probes are given. An attempt has no fallback:
what is missing is missing. Every function is watched for changing its arguments.
"""

import __future__

import ast
import copy
import dis
import functools
import importlib
import inspect
import itertools
import json
import linecache
import re
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from compare import is_array, same
from limits import TooLong, limited

HERE = Path(__file__).resolve().parent
ATTRIBUTES = {"LOAD_ATTR", "LOAD_METHOD"}
PACKAGE = min(p.parent.name for p in HERE.parent.glob("src/*/__init__.py"))


class NotStarted(Exception):
    """The attempt has no such name."""


class NotCounted(Exception):
    """The attempt cannot be graded: it uses the reference, or cannot be read."""


class InPlace(AssertionError):
    """The attempt changed an argument that belongs to its caller."""


def setting(name: str, default: Any) -> Any:
    """An optional definition of the project's mistakes.py."""
    return getattr(importlib.import_module("mistakes"), name, default)


# ---------------------------------------------------------------- reading a file or a notebook


def cells(path: Path) -> list[tuple[str, str, str]]:
    """(where, suffix, source) of each code cell of a notebook, or of the whole file."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        if path.suffix != ".ipynb":
            return [(path.name, path.suffix, text)]
        code = [c["source"] for c in json.loads(text)["cells"] if c["cell_type"] == "code"]
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise NotCounted(f"{path} cannot be read: {e}") from None
    found = []
    for n, source in enumerate(code, 1):
        first, _, rest = (source := "".join(source)).partition("\n")
        where = f"{path.name}, code cell {n}"
        if first.startswith("%%writefile"):  # a cell that writes a file is that file
            found.append((where, Path(first.split()[-1]).suffix, "\n" + rest))
        elif not first.startswith("%%"):
            plain = ("" if line.lstrip()[:1] in ("%", "!") else line for line in source.split("\n"))
            found.append((where, ".py", "\n".join(plain)))
    return found


DEFINITIONS = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def is_definition(node: ast.stmt) -> bool:
    if isinstance(node, ast.Try):  # try: import a; except ImportError: import b
        return all(isinstance(n, (ast.Import, ast.ImportFrom, ast.Assign, ast.Pass)) for n in node.body)
    return isinstance(node, DEFINITIONS)


def assigned(node: ast.stmt) -> set[str]:
    """The names that a top-level statement assigns."""
    if isinstance(node, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return {n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name)}
    return set()


def imported(node: ast.stmt) -> set[str]:
    """The names that a top-level import binds. "*" may be any."""
    plain = isinstance(node, (ast.Import, ast.ImportFrom))
    return {(a.asname or a.name).split(".")[0] for a in node.names} if plain else set()


def compiled(node: ast.stmt, where: str) -> types.CodeType:
    flags = __future__.annotations.compiler_flag  # annotations are not evaluated
    return compile(ast.Module([node], []), where, "exec", flags=flags, dont_inherit=True)


@functools.lru_cache(4096)
def instructions(code: types.CodeType) -> tuple[dis.Instruction, ...]:
    """A piece of code is read once, however often an attempt is asked for its tasks."""
    return tuple(dis.get_instructions(code))


def globals_of(code: types.CodeType) -> set[str]:
    """The global names that a piece of code reads, in its inner functions too. Attributes are not global names."""
    names = {i.argval for i in instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
    return names.union(*(globals_of(c) for c in code.co_consts if inspect.iscode(c)))


def chosen(nodes: list[tuple[str, ast.stmt]]) -> list[tuple[str, ast.stmt]]:
    """Definitions, and the assignments and imports that a definition or a task's name needs. Demonstrations do not run,
    and neither do the imports that they alone need: a library that draws takes a second.
    """
    needed = set(setting("TASKS", []))
    for where, node in nodes:
        if is_definition(node):
            needed |= globals_of(compiled(node, where))
    before = -1
    while len(needed) > before:
        before = len(needed)
        for where, node in nodes:
            if assigned(node) & needed:
                needed |= globals_of(compiled(node, where))
    found = [(where, node) for where, node in nodes if is_definition(node) or assigned(node) & needed]
    words = re.findall(r"\w+", "\n".join(ast.unparse(node) for _, node in found if not imported(node)))
    read = {*words, *needed, "*"}  # words, not names alone: an annotation may be quoted
    return [(where, node) for where, node in found if not imported(node) or imported(node) & read]


def load(path: str | Path) -> dict[str, Any]:
    """The names that a file or notebook defines. Raises NotCounted, naming file, cell and line."""
    module, nodes = types.ModuleType("attempt"), []
    sys.modules["attempt"] = module  # dataclasses look their module up by name
    if Path(path).suffix != ".ipynb" and Path(path).suffix not in {".py", *setting("LOADERS", {})}:
        raise NotCounted(f"{path}: an attempt is a .py file or a notebook")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an invalid escape in a docstring is no reason not to grade
        for where, suffix, source in cells(Path(path)):
            linecache.cache[where] = (len(source), None, source.splitlines(True), where)
            if loader := setting("LOADERS", {}).get(suffix):
                vars(module).update(loader(where, source))
            elif suffix == ".py":
                try:
                    nodes += [(where, node) for node in ast.parse(source).body]
                except SyntaxError as e:
                    raise NotCounted(f"{where}, line {e.lineno}: {e.msg}") from None
        for where, node in chosen(nodes):
            try:
                limited(lambda where=where, node=node: exec(compiled(node, where), vars(module)))
            except ImportError as e:
                if isinstance(node, (ast.Import, ast.ImportFrom)):
                    continue  # a picture's library may be missing; whoever needs the name is told that it is not there
                raise NotCounted(f"{where}, line {node.lineno}: {e}") from None
            except (Exception, TooLong) as e:
                note = "of an attempt, only definitions, imports and the constants that they use are read"
                raise NotCounted(f"{where}, line {node.lineno}: {type(e).__name__}: {e} ({note})") from None
    return {name: value for name, value in vars(module).items() if not name.startswith("__")}


# ---------------------------------------------------------------- what an attempt uses


def codes(obj: Any) -> Iterator[tuple[Callable, types.CodeType]]:
    """(function, code) of everything that runs when `obj` is used, helpers of the same attempt included."""
    todo, seen = [obj], set()
    while todo:
        x = todo.pop()
        x = inspect.unwrap(x) if callable(x) else x
        if id(x) in seen:
            continue
        seen.add(id(x))
        if inspect.isclass(x):
            todo += [getattr(v, "fget", getattr(v, "__func__", v)) for v in vars(x).values()]
        elif isinstance(x, functools.partial):
            todo.append(x.func)
        elif inspect.isfunction(x):
            inner = [x.__code__]
            for code in inner:
                yield x, code
                inner += [c for c in code.co_consts if inspect.iscode(c)]
                own = (x.__globals__.get(name) for name in code.co_names)
                todo += [v for v in own if getattr(v, "__module__", None) == x.__module__ and callable(v)]


def is_reference(x: Any) -> bool:
    """Is this an object of the reference package that is not handed out to learners (mistakes.GIVEN)?"""
    home = x.__name__ if inspect.ismodule(x) else getattr(x, "__module__", None) or getattr(type(x), "__module__", "")
    name = getattr(x, "__name__", type(x).__name__)
    return str(home).split(".")[0] == PACKAGE and name not in setting("GIVEN", ())


def takes_what_is_given(code: types.CodeType, name: str, module: types.ModuleType) -> bool:
    """Is each use of the module, which the code knows by `name`, one of an object that is handed out?"""
    steps = instructions(code)
    for i, step in enumerate(steps):
        if step.argval != name or not step.opname.startswith("LOAD_") or step.opname in ATTRIBUTES:
            continue
        value: Any = module
        for after in itertools.takewhile(lambda s: s.opname in ATTRIBUTES, steps[i + 1 :]):
            if not inspect.ismodule(value) or after.argval.startswith("__"):
                break
            value = getattr(value, after.argval, value)
        if inspect.ismodule(value) or is_reference(value):
            return False
    return True


def uses_reference(obj: Any) -> str | None:
    """The name through which `obj` uses the reference package, or None."""
    for x in [obj, *(obj.__mro__ if inspect.isclass(obj) else [])]:
        if is_reference(x):
            return getattr(x, "__name__", str(x))
    given = setting("GIVEN", ())
    for function, code in codes(obj):
        closure = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=True))
        imports = [i for i in instructions(code) if i.opname in ("IMPORT_NAME", "IMPORT_FROM")]
        inside = [i.argval for i in imports if i.opname == "IMPORT_FROM"]
        for name in [*code.co_names, *code.co_freevars]:
            value = closure[name].cell_contents if name in closure else function.__globals__.get(name)
            if inspect.ismodule(value) and is_reference(value) and name not in [i.argval for i in imports]:
                if not takes_what_is_given(code, name, value):
                    return name
            elif name.split(".")[0] == PACKAGE and not (inside and set(inside) <= set(given)) or is_reference(value):
                return name
        for text in code.co_consts:
            if isinstance(text, str) and text.split(".")[0] == PACKAGE and text != code.co_name:
                return text
    return None


def calls(obj: Any, tasks: list[str]) -> list[str]:
    """The other tasks that `obj` calls, in their order: by global name, never by an attribute of the same name."""
    names = set()
    for function, code in codes(obj):
        loads = {i.argval for i in instructions(code) if i.opname in ("LOAD_GLOBAL", "LOAD_NAME")}
        names |= {n for n in loads if n in function.__globals__}
    return [t for t in tasks if t in names]


# ---------------------------------------------------------------- what tests and probes are given


def is_function(x: Any) -> bool:
    """Also one with a cache (functools) or with some arguments given."""
    return inspect.isfunction(x) or isinstance(x, (functools.partial, functools._lru_cache_wrapper))


def watched(function: Callable) -> Callable:
    """The function, watched for changing its arguments."""

    @functools.wraps(function)
    def watching(*args, **kwargs):
        before = [
            (n, a, copy.deepcopy(a) if not is_array(a) else a.detach().clone() if hasattr(a, "detach") else a.copy())
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

    return watching


class Names:
    """A namespace of tasks. Without a fallback (every attempt), what is missing is missing."""

    def __init__(self, names: dict[str, Any], fallback: Any = None):
        self._names, self._fallback = names, fallback

    def __getattr__(self, name: str) -> Any:
        if name not in self._names:
            if self._fallback is None:
                raise NotStarted(name)
            return getattr(self._fallback, name)
        value = self._names[name]
        return watched(value) if is_function(value) and name not in setting("INPLACE", ()) else value


class Attempt(Names):
    """What a learner wrote: no fallback, and whatever uses the reference is not counted."""

    def __getattr__(self, name: str) -> Any:
        if name in self._names and (through := uses_reference(self._names[name])):
            raise NotCounted(f"uses `{through}` of {PACKAGE}, the reference: write it yourself to have it counted")
        return super().__getattr__(name)


class Call(NamedTuple):
    """One recorded call of a task: copies of its arguments as they were, and its result or exception."""

    args: tuple
    kwargs: dict
    result: Any


class Recorder(Names):
    """A namespace that keeps the calls of its function tasks."""

    def __init__(self, names: Names):
        super().__init__(names._names, names._fallback)
        self._calls: dict[str, list[Call]] = {}

    def __getattr__(self, name: str) -> Any:
        value = super().__getattr__(name)
        if not is_function(value):
            return value

        @functools.wraps(value)
        def recording(*args, **kwargs):
            kept = copied(args), copied(kwargs)
            try:
                result = value(*args, **kwargs)
            except Exception as error:
                self._calls.setdefault(name, []).append(Call(*kept, error))
                raise
            self._calls.setdefault(name, []).append(Call(*kept, copied(result)))
            return result

        return recording


def copied(x: Any) -> Any:
    try:
        return copy.deepcopy(x)
    except Exception:  # a tensor inside a graph, a generator, an open file: shown as it is
        return x


def kept(x: Any) -> Any:
    """A copy of a result to compare with, also of tensors inside a graph."""
    if type(x) in (list, tuple):
        return type(x)(map(kept, x))
    if type(x) is dict:
        return {key: kept(value) for key, value in x.items()}
    return x.detach().clone() if hasattr(x, "detach") else copied(x)


@contextmanager
def substituted(attempt: Names, names: list[str]) -> Iterator[None]:
    """While it lasts, the attempt's functions call the reference's tasks of these names instead of its own."""
    spaces = {
        id(f.__globals__): f.__globals__ for obj in attempt._names.values() if callable(obj) for f, _ in codes(obj)
    }
    package, before = importlib.import_module(PACKAGE), []
    for space in spaces.values():
        for name in names:
            if name in space and space.get("__name__") != "builtins":
                before.append((space, name, space[name]))
                space[name] = getattr(package, name)
    try:
        yield
    finally:
        for space, name, value in before:
            space[name] = value


def reference() -> Names:
    return Names(vars(importlib.import_module(PACKAGE)))
