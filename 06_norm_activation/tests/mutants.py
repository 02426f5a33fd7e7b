"""Every first-order mutant of a task's reference, made by syntax tree. The same bytes in every project.

A mutant is the reference with one small thing wrong: a constant, an operator, a condition, a name, a step. The gate in
test_gates.py asks that each one fails its task's tests or probes, or stands in equivalents.py with its reason. The
diagnosis asks which of them reproduces an attempt, and `words` says what such an attempt does.
"""

import ast
import copy
import functools
import importlib
import inspect
import sys
import textwrap
import types
import warnings
from collections import Counter
from typing import Any, NamedTuple

from attempts import PACKAGE, setting
from changes import changes, is_left_alone, load

KEPT_DECORATORS = ("property", "setter", "staticmethod", "classmethod", "no_grad", "inference_mode", "dataclass",
                   "contextmanager")  # fmt: skip


class Mutant(NamedTuple):
    """A task with one thing changed. `key` tells it from the task's others, `words` complete "a version that ..."."""

    task: str
    key: str
    words: str
    implementation: Any


# ---------------------------------------------------------------- building them


def changed(tree: ast.AST, path: tuple, new: Any) -> ast.AST:
    """A tree in which the node at `path` is `new`. It shares all nodes beside the path with the old one."""
    (field, i), *rest = path
    node, old = copy.copy(tree), getattr(tree, field)
    if rest:
        new = changed(old if i is None else old[i], rest, new)
    elif isinstance(new, ast.AST):
        new = copy.deepcopy(new)
        ast.fix_missing_locations(new if hasattr(new, "lineno") else ast.copy_location(new, tree))
    setattr(node, field, new if i is None else [*old[:i], new, *old[i + 1 :]])
    return node


def bare(tree: ast.AST) -> ast.AST:
    """Without docstrings, annotations of functions, and decorators that only check types."""
    tree = copy.deepcopy(tree)
    for node in ast.walk(tree):
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            if ast.get_docstring(node):
                node.body = node.body[1:] or [ast.Pass()]
            node.decorator_list = [d for d in node.decorator_list if ast.unparse(d).split("(")[0].split(".")[-1] in
                                   KEPT_DECORATORS]  # fmt: skip
        if isinstance(node, ast.FunctionDef):
            node.returns = None
            for arg in [*node.args.args, *node.args.kwonlyargs, *node.args.posonlyargs]:
                arg.annotation = None
    return ast.fix_missing_locations(tree)


def _copied(x: Any) -> Any:
    return x.clone() if hasattr(x, "clone") else copy.copy(x)


def _power(x: Any, y: Any) -> Any:
    """A power of whole numbers with millions of digits is one call into C, which nothing interrupts."""
    if isinstance(x, int) and isinstance(y, int) and abs(x) > 1 and y * x.bit_length() > 100_000:
        raise OverflowError("a power with too many digits")
    return x**y


class Powers(ast.NodeTransformer):
    """`x ** y` and `x **= y` by `_power`."""

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        self.generic_visit(node)
        return ast.Call(load("_power"), [node.left, node.right], []) if isinstance(node.op, ast.Pow) else node

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        self.generic_visit(node)
        if not (isinstance(node.op, ast.Pow) and isinstance(node.target, ast.Name)):
            return node
        return ast.Assign([node.target], ast.Call(load("_power"), [load(node.target.id), node.value], []))


def source_tree(obj: Any) -> ast.AST:
    return bare(ast.parse(textwrap.dedent(inspect.getsource(inspect.unwrap(obj)))))


def helpers_of(obj: Any) -> list[Any]:
    """The functions and classes of the same module that a task uses and that are not tasks or handed out."""
    module, found, todo = sys.modules[inspect.unwrap(obj).__module__], [], [obj]
    skip, parts = {*setting("TASKS", []), *setting("GIVEN", ())}, parts_of(obj)
    while todo:
        tree = source_tree(todo.pop())
        if parts is not None:
            for node in ast.walk(tree):
                if isinstance(node, ast.ClassDef):
                    node.body = [n for n in node.body if not is_left_alone(n, parts)]
            parts = None
        used = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name)}
        for name_ in sorted(used - skip):
            value = vars(module).get(name_)
            own = getattr(value, "__module__", None) == module.__name__ and (
                inspect.isfunction(value) or inspect.isclass(value)
            )
            if own and value not in found and value is not obj:
                found.append(value)
                todo.append(value)
    return found


BLOCKS = (ast.Module, ast.ClassDef, ast.FunctionDef)


class Pieces:
    """Texts and programs of trees that share most of their statements: each statement is looked at once."""

    def __init__(self):
        # by identity: the tree is kept, so that no other takes its place
        self.texts: dict[int, tuple[ast.AST, str]] = {}
        self.replaced: dict[int, tuple[ast.AST, ast.AST]] = {}

    def text(self, tree: ast.AST) -> str:
        """A text that no other tree has."""
        if id(tree) not in self.texts:
            if isinstance(tree, BLOCKS):
                head = copy.copy(tree)
                head.body = [ast.Pass()]
                text = "\n".join([ast.unparse(head), "{", *map(self.text, tree.body), "}"])
            else:
                text = ast.unparse(tree)
            self.texts[id(tree)] = tree, text
        return self.texts[id(tree)][1]

    def program(self, tree: ast.AST) -> types.CodeType:
        return compile(self.with_powers(tree), "mutant", "exec")

    def with_powers(self, tree: ast.AST) -> ast.AST:
        """The tree with `_power` for `**`: itself where its text holds none."""
        if "**" not in self.text(tree):
            return tree
        if id(tree) not in self.replaced:
            if isinstance(tree, BLOCKS):
                new = copy.copy(tree)
                new.body = list(map(self.with_powers, tree.body))
                if isinstance(tree, ast.FunctionDef):
                    new.args = Powers().visit(copy.deepcopy(tree.args))
            else:
                new = Powers().visit(copy.deepcopy(tree))
            self.replaced[id(tree)] = tree, ast.fix_missing_locations(new)
        return self.replaced[id(tree)][1]


def built(definitions: list[types.CodeType], module: Any, task: str) -> Any:
    """The task after these definitions have replaced the module's own."""
    space = {**vars(module), "__name__": "mutant", "_copied": _copied, "_power": _power}
    for code in definitions:
        exec(code, space)
    return space[task]


def parts_of(obj: Any) -> set[str] | None:
    """The methods of a class task that learners write, where mistakes.PARTS names them."""
    parts = setting("PARTS", {}).get(getattr(obj, "__name__", ""))
    return None if parts is None else set(parts)


@functools.cache
def mutants(task: str) -> tuple[Mutant, ...]:
    """Every first-order mutant of a task's reference and of its private helpers, told apart by key."""
    if made := setting("MUTANTS", None):
        return tuple(made(task))
    obj = getattr(importlib.import_module(PACKAGE), task)
    module = sys.modules[inspect.unwrap(obj).__module__]
    parameters = set(inspect.signature(obj).parameters)
    trees = [source_tree(x) for x in [*helpers_of(obj)[::-1], obj]]
    found, seen, pieces = [], Counter(), Pieces()
    codes, texts = list(map(pieces.program, trees)), set(map(pieces.text, trees))
    for which, tree in enumerate(trees):
        for change in changes(tree, parameters, parts_of(obj) if which == len(trees) - 1 else None):
            new = changed(tree, change.path, change.new)
            try:
                text = pieces.text(new)
                if text in texts:
                    continue
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    code = pieces.program(new)
                    implementation = built([*codes[:which], code, *codes[which + 1 :]], module, task)
            except Exception:  # a change that is no program
                continue
            texts.add(text)
            seen[change.key] += 1
            key = change.key if seen[change.key] == 1 else f"{change.key} ({seen[change.key]})"
            found.append(Mutant(task, key, change.words, implementation))
    return tuple(found)
