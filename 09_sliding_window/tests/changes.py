"""Every small change of a piece of Python, by syntax tree: one constant, operator, condition, name or step at a time.

The same bytes in every project. A change is told by `key` (from what to what, and where) and by `words`, which complete
"a version that ...".
"""

import ast
import copy
from collections import Counter
from collections.abc import Iterator
from typing import Any, NamedTuple

EXCHANGED = {  # a function for its neighbour
    "min": "max", "max": "min", "amin": "amax", "amax": "amin", "argmin": "argmax", "argmax": "argmin",
    "any": "all", "all": "any", "floor": "ceil", "ceil": "floor", "round": "floor", "trunc": "round",
    "tril": "triu", "triu": "tril", "zeros": "ones", "ones": "zeros", "zeros_like": "ones_like",
    "ones_like": "zeros_like", "sum": "mean", "mean": "sum", "sin": "cos", "cos": "sin", "exp": "log",
    "append": "remove", "minimum": "maximum", "maximum": "minimum", "softmax": "log_softmax", "prod": "sum",
    "bisect_left": "bisect_right", "bisect_right": "bisect_left", "startswith": "endswith", "endswith": "startswith",
}  # fmt: skip
BINARY = (ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow)
BINARY_WORDS = {
    ast.Add: "adds", ast.Sub: "subtracts", ast.Mult: "multiplies", ast.Div: "divides", ast.FloorDiv: "divides (//)",
    ast.Mod: "takes the remainder (%) of", ast.Pow: "raises to a power", ast.MatMult: "multiplies (@)",
}  # fmt: skip
COMPARISONS = (ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.Eq, ast.NotEq)
SYMMETRIC = {"transpose", "swapaxes", "maximum", "minimum", "max", "min", "gcd", "isclose", "allclose"}
MODULES = {"torch", "np", "math", "F", "nn", "self", "ast", "os", "json", "re", "itertools"}


class Change(NamedTuple):
    path: tuple
    new: Any
    key: str
    words: str


# ---------------------------------------------------------------- the changes of one tree


def changes(tree: ast.AST, known: set[str], parts: set[str] | None = None) -> list[Change]:
    """All changes of a definition. `known` are the names a learner has met: only they are shown in words."""
    found: list[Change] = []
    loaded = Counter(n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load))
    own = {n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)} - {"self"}
    own |= {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    names = sorted(set(loaded) & own)

    def walk(node, path, around):
        for field, value in ast.iter_fields(node):
            if field in ("annotation", "returns", "decorator_list", "exc", "msg", "type_params"):
                continue
            for i, child in enumerate(value if isinstance(value, list) else [value]):
                if not isinstance(child, ast.AST) or is_left_alone(child, parts):
                    continue
                here = (*path, (field, i if isinstance(value, list) else None))
                for make in (constant, operator, comparison, call, name, statement, condition, other, function):
                    for new, before, after, words in make(child, names):
                        key = f"{shown(before)} -> {shown(after)}"
                        key += f", in: {around}" if around and around not in key else ""
                        found.append(Change(here, new, key, words.replace("{}", visible(after, known))))
                walk(child, here, head(child) or around)

    walk(tree, (), "")
    return found


def is_left_alone(node: ast.AST, parts: set[str] | None) -> bool:
    """A method of a class task that the workbook does not ask for (mistakes.PARTS)."""
    return parts is not None and isinstance(node, ast.FunctionDef) and node.name not in parts


def head(node: ast.AST) -> str:
    """A statement's first line, to tell one `1` from another."""
    if not isinstance(node, ast.stmt):
        return ""
    line = ast.unparse(node).split("\n")[0]
    return line if len(line) <= 70 else f"{line[:67]}..."


def shown(x: Any) -> str:
    text = x if isinstance(x, str) else " ".join(ast.unparse(x).split())
    return text if len(text) <= 90 else f"{text[:87]}..."


def visible(after: Any, known: set[str]) -> str:
    """The changed expression, where all of its names are known to a learner; else nothing."""
    if isinstance(after, str):
        return after
    names = {n.id for n in ast.walk(after) if isinstance(n, ast.Name)}
    return f" (as in `{shown(after)}`)" if names and names <= known | MODULES else ""


def load(name: str) -> ast.Name:
    return ast.Name(name, ast.Load())


def constant(n: ast.AST, names: list[str]) -> Iterator[tuple]:
    negative = isinstance(n, ast.UnaryOp) and isinstance(n.op, ast.USub) and isinstance(n.operand, ast.Constant)
    value = -n.operand.value if negative and type(n.operand.value) in (int, float) else getattr(n, "value", None)
    if not (isinstance(n, ast.Constant) or negative):
        return
    if type(value) is int:
        for new in dict.fromkeys((value + 1, value - 1, -value)):
            if new != value and not (isinstance(n, ast.Constant) and new < 0 and -new == value == 0):
                yield ast.Constant(new), n, f"{new}", f"has {new} where another number belongs"
    elif type(value) is float and value:
        for new in (-value, value * 2, value / 10):
            yield ast.Constant(new), n, f"{new}", f"has {new:g} where another number belongs"
    elif type(value) is bool:
        yield ast.Constant(not value), n, f"{not value}", f"has {not value} where {value} belongs"


def operator(n: ast.AST, names: list[str]) -> Iterator[tuple]:
    if isinstance(n, (ast.BinOp, ast.AugAssign)):
        left, right = (n.left, n.right) if isinstance(n, ast.BinOp) else (n.target, n.value)
        for op in BINARY if not isinstance(n.op, (ast.MatMult, ast.BitAnd, ast.BitOr)) else ():
            if not isinstance(n.op, op):
                new = copy.copy(n)
                new.op = op()
                yield new, n, new, f"{BINARY_WORDS[op]} at one place where another operation belongs{{}}"
        if isinstance(n.op, (ast.BitAnd, ast.BitOr)):
            new = copy.copy(n)
            new.op = ast.BitOr() if isinstance(n.op, ast.BitAnd) else ast.BitAnd()
            yield new, n, new, "combines two conditions with the wrong one of `&` and `|`{}"
        if isinstance(n, ast.BinOp):
            yield left, n, left, "leaves out one part of an expression, and uses the rest alone{}"
            yield right, n, right, "leaves out one part of an expression, and uses the rest alone{}"
            if isinstance(n.op, (ast.Sub, ast.Div, ast.FloorDiv, ast.MatMult, ast.Pow)):
                new = ast.BinOp(right, n.op, left)
                yield new, n, new, "has the two sides of an operation exchanged{}"
    if isinstance(n, ast.UnaryOp) and not isinstance(n.operand, ast.Constant):
        what = "`not`" if isinstance(n.op, (ast.Not, ast.Invert)) else "a minus sign"
        yield n.operand, n, n.operand, f"lacks {what}{{}}"


def comparison(n: ast.AST, names: list[str]) -> Iterator[tuple]:
    if isinstance(n, ast.Compare) and len(n.ops) == 1:
        for op in COMPARISONS if isinstance(n.ops[0], COMPARISONS) else ():
            if not isinstance(n.ops[0], op):
                new = ast.Compare(n.left, [op()], n.comparators)
                yield new, n, new, "compares with another sign than it should{}"
        swapped = {ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot, ast.IsNot: ast.Is}.get(type(n.ops[0]))
        if swapped:
            new = ast.Compare(n.left, [swapped()], n.comparators)
            yield new, n, new, "has a condition the wrong way round{}"
    if isinstance(n, ast.BoolOp):
        for i in range(len(n.values)):
            rest = [v for j, v in enumerate(n.values) if j != i]
            new = rest[0] if len(rest) == 1 else ast.BoolOp(n.op, rest)
            yield new, n, new, "leaves out one of several conditions{}"
        new = ast.BoolOp(ast.And() if isinstance(n.op, ast.Or) else ast.Or(), n.values)
        yield new, n, new, "combines conditions with the wrong one of `and` and `or`{}"


def call(n: ast.AST, names: list[str]) -> Iterator[tuple]:
    if not isinstance(n, ast.Call):
        return
    name = n.func.attr if isinstance(n.func, ast.Attribute) else getattr(n.func, "id", "")
    root = n.func.value if isinstance(n.func, ast.Attribute) else None
    method = root is not None and not (isinstance(root, ast.Name) and root.id in MODULES)
    if method:
        yield root, n, root, f"does not apply `{name}` at one place{{}}"
    elif n.args and not isinstance(n.args[0], ast.Starred):
        yield n.args[0], n, n.args[0], f"does not apply `{name}` at one place{{}}"
    for i, keyword in enumerate(n.keywords):
        if keyword.arg:
            new = ast.Call(n.func, n.args, n.keywords[:i] + n.keywords[i + 1 :])
            yield new, n, new, f"calls `{name}` without `{keyword.arg}`"
    if name in EXCHANGED:
        func = copy.copy(n.func)
        setattr(func, "attr" if isinstance(func, ast.Attribute) else "id", EXCHANGED[name])
        new = ast.Call(func, n.args, n.keywords)
        yield new, n, new, f"uses `{EXCHANGED[name]}` where another function belongs"
    if len(n.args) == 2 and name not in SYMMETRIC and not any(isinstance(x, ast.Starred) for x in n.args):
        new = ast.Call(n.func, n.args[::-1], n.keywords)
        yield new, n, new, f"calls `{name}` with its two arguments exchanged"


def name(n: ast.AST, names: list[str]) -> Iterator[tuple]:
    if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load) and n.id in names:
        for other_name in names:
            if other_name != n.id:
                yield load(other_name), n, load(other_name), "uses the wrong variable at one place{}"


def statement(n: ast.AST, names: list[str]) -> Iterator[tuple]:
    if isinstance(n, (ast.Assign, ast.AugAssign, ast.Expr, ast.Raise, ast.Delete)):
        if isinstance(n, ast.Raise):
            yield ast.Pass(), n, "pass", "does not raise an error that is promised"
        elif not (isinstance(n, ast.Expr) and isinstance(n.value, ast.Constant)):
            yield ast.Pass(), n, "pass", "leaves out a step"
    if isinstance(n, ast.Return) and n.value is not None:
        if isinstance(n.value, (ast.Name, ast.Attribute, ast.Subscript)):
            new = ast.Return(ast.Call(load("_copied"), [n.value], []))
            yield new, n, new, "returns a copy where a view is promised"
    if isinstance(n, (ast.Break, ast.Continue)):
        new = ast.Pass() if isinstance(n, ast.Continue) else ast.Continue()
        yield new, n, new, "goes on with a loop where it should leave it"


def condition(n: ast.AST, names: list[str]) -> Iterator[tuple]:
    if isinstance(n, (ast.If, ast.IfExp, ast.While)):
        for value, word in ((True, "always"), (False, "never")):
            if isinstance(n, ast.While) and value:
                continue
            new = copy.copy(n)
            new.test = ast.Constant(value)
            kind = "if" if not isinstance(n, ast.While) else "while"
            words = "does in every case what only some cases need" if value else "leaves out what some cases need"
            yield new, f"{kind} {shown(n.test)}", f"{word}", words
    if isinstance(n, ast.comprehension) and n.ifs:
        new = copy.copy(n)
        new.ifs = []
        yield new, f"if {shown(n.ifs[0])} (in a comprehension)", "no filter", "does not filter the items"


def other(n: ast.AST, names: list[str]) -> Iterator[tuple]:
    if isinstance(n, ast.Subscript) and isinstance(n.ctx, ast.Load):
        yield n.value, n, n.value, "uses the whole of a value where a part is meant{}"
    if isinstance(n, ast.Slice):
        for part in ("lower", "upper", "step"):
            if getattr(n, part) is not None:
                new = copy.copy(n)
                setattr(new, part, None)
                yield (
                    new,
                    n,
                    new,
                    f"has a slice without its {part} end" if part != "step" else "has a slice without step",
                )
    if isinstance(n, ast.Tuple) and isinstance(n.ctx, ast.Load) and len(n.elts) == 2:
        new = ast.Tuple(n.elts[::-1], ast.Load())
        yield new, n, new, "has the two items of a pair exchanged{}"


def function(n: ast.AST, names: list[str]) -> Iterator[tuple]:
    """Changes of a whole function: an optional argument ignored, a check moved behind the work."""
    if not isinstance(n, ast.FunctionDef):
        return
    defaults = list(zip(n.args.args[::-1], n.args.defaults[::-1], strict=False))
    defaults += [(arg, d) for arg, d in zip(n.args.kwonlyargs, n.args.kw_defaults, strict=True) if d is not None]
    for arg, default in defaults:
        new = copy.copy(n)
        new.body = [ast.Assign([ast.Name(arg.arg, ast.Store())], default), *n.body]
        yield new, f"{n.name}: {arg.arg}", "ignored", f"ignores its argument `{arg.arg}`"
    for i, step in enumerate(n.body):
        guard = isinstance(step, ast.If) and len(step.body) == 1 and isinstance(step.body[0], ast.Raise)
        rest = n.body[i + 1 :]
        if guard and not step.orelse and any(map(changes_something, rest)):
            end = len(rest) - isinstance(rest[-1], ast.Return)
            new = copy.copy(n)
            new.body = [*n.body[:i], *rest[:end], step, *rest[end:]]
            yield new, f"{n.name}: if {shown(step.test)}: raise", "at the end", "changes things before it checks them"


def changes_something(step: ast.stmt) -> bool:
    """Does a statement write to an object, or call for its effect?"""
    written = (n for n in ast.walk(step) if isinstance(n, (ast.Attribute, ast.Subscript)))
    called = isinstance(step, ast.Expr) and isinstance(step.value, ast.Call)
    return called or any(isinstance(n.ctx, ast.Store) for n in written)
