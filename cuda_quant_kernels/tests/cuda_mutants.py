"""Every first-order mutant of a task's CUDA kernel, made on its text. All mutants of a task are one build.

A mutant is the project's own kernel with one small thing changed: a constant, an operator, a function, a condition, a
variable, a step, a type. `mutants(task)` gives them to the grader through mistakes.MUTANTS.
"""

import functools
import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from mutants import Mutant

from cuda_quant_kernels.build import load
from cuda_quant_kernels.on_cpu.cache import cached, key
from cuda_quant_kernels.tasks import calls, checks, source

SECONDS = 0.1  # a mutant that computes for longer is stopped
TOKEN = re.compile(
    r"//[^\n]*|\s+|[A-Za-z_][\w.]*|0x[0-9a-f]+|\d+\.\d+f|\d+|<=|>=|==|!=|&&|\|\||\+=|-=|\*=|/=|<<|>>|\+\+|--|."
)
OPERATORS = {
    "+": ["-"], "-": ["+"], "*": ["+"], "/": ["*"], "%": ["/"], "<": ["<=", ">"], "<=": ["<"], ">": [">=", "<"],
    ">=": [">"], "==": ["!="], "&&": ["||"], "&": ["|"], "^": ["|"], "<<": [">>"], ">>": ["<<"], "+=": ["-=", "="],
    "/=": ["-="], "++": ["--"],
}  # fmt: skip
FUNCTIONS = {
    "max": ["min"], "min": ["max"], "fmaxf": ["fminf"], "fabsf": ["", "-"],
    "__float2int_rn": ["(int)", "__float2int_rd", "__float2int_ru"],
    "__shfl_xor_sync": ["__shfl_up_sync"],
    "threadIdx.x": ["blockIdx.x", "threadIdx.y"], "threadIdx.y": ["threadIdx.x"], "blockDim.x": ["gridDim.x"],
    "blockIdx.x": ["threadIdx.x", "blockIdx.y"], "blockIdx.y": ["blockIdx.x"],
}  # fmt: skip
TYPES = {"int sum": ["int8_t sum", "int16_t sum", "float sum"], "float m": ["int m"], "float s": ["int s"]}
WORDS = {
    "constant": "has another number in one place",
    "operator": "has another operation or comparison in one place",
    "function": "uses another function or index in one place",
    "condition": "has one condition too few, or takes a branch always or never",
    "variable": "uses another variable in one place",
    "step": "leaves out a step",
    "type": "keeps a value in another type",
}


class Change(NamedTuple):
    """Replace text[start:end] by `new`."""

    start: int
    end: int
    new: str
    kind: str


# ---- the changes of one text


def changes(text: str) -> Iterator[Change]:
    """All changes of a kernel, from its opening brace on; declarations of shared memory are left alone."""
    start = text.index("{")
    skipped = [m.span() for m in re.finditer(r"__shared__[^;]*;|0xffffffff|\((?:int8_t|size_t)\)", text)]
    for change in (*_tokens(text, start), *_conditions(text), *_steps(text), *_variables(text), *_types(text)):
        if change.start > start and not any(a <= change.start < b for a, b in skipped):
            yield change


def _tokens(text: str, start: int) -> Iterator[Change]:
    before = "{"
    for found in TOKEN.finditer(text, start + 1):
        token = found.group(0)
        if token.isspace() or token.startswith(("//", "0x")):
            continue
        binary = re.fullmatch(r"[\w.]+|\)|\]", before) and before not in ("float", "int", "return")
        if token.isdigit():
            numbers = [int(token) + 1, int(token) - 1] if int(token) else [1]
            yield from (Change(*found.span(), str(n), "constant") for n in numbers)
        elif token.endswith("f") and token[0].isdigit():
            numbers = [float(token[:-1]) + 1, float(token[:-1]) - 1]
            yield from (Change(*found.span(), f"{n}f", "constant") for n in numbers)
        elif token in OPERATORS and (binary or token == "++"):
            yield from (Change(*found.span(), new, "operator") for new in OPERATORS[token])
        elif token in FUNCTIONS:
            yield from (Change(*found.span(), new, "function") for new in FUNCTIONS[token])
        before = token


def _closing(text: str, start: int) -> int:
    depth = 0
    for i in range(start, len(text)):
        depth += (text[i] in "([{") - (text[i] in ")]}")
        if depth == 0:
            return i
    return -1


def _conditions(text: str) -> Iterator[Change]:
    """An `if` always or never taken, one branch of `?:`, one side of `&&`."""
    for found in re.finditer(r"\bif \(", text):
        inside = (found.end(), _closing(text, found.end() - 1))
        yield from (Change(*inside, value, "condition") for value in ("true", "false"))
        yield from _sides(text, *inside)
    for found in re.finditer(r"= ([^=;?]+) \? ([^:;]+) : ([^;]+);", text):
        yield from (Change(found.start(1), found.end(3), found[i], "condition") for i in (2, 3))
        yield from _sides(text, *found.span(1))


def _sides(text: str, start: int, end: int) -> Iterator[Change]:
    sides = text[start:end].split(" && ")
    if len(sides) == 2:
        yield from (Change(start, end, side, "condition") for side in sides)


def _steps(text: str) -> Iterator[Change]:
    """A barrier, an early return or an assignment left out."""
    for found in re.finditer(r"__syncthreads\(\);|if \([^;{}]*\) return;", text):
        yield Change(*found.span(), ";", "step")
    for found in re.finditer(r"(?<=\) )[a-z]\w*(?:\[[^;=]*\])* \+?= [^;]*;|(?<=\n) +\w+(?:\[[^;=]*\])+ = [^;]*;", text):
        yield Change(*found.span(), ";", "step")


def _types(text: str) -> Iterator[Change]:
    for old, others in TYPES.items():
        for found in re.finditer(rf"\b{old}\b", text):
            yield from (Change(*found.span(), new, "type") for new in others)


def _variables(text: str) -> Iterator[Change]:
    """A variable for another of its type that is known there: parameters and local variables apart."""
    scopes = [*_parameters(text), *_locals(text)]
    for kind, name, declared, last in scopes:
        for found in re.finditer(rf"(?<![\w.]){name}(?![\w.(])", text):
            if not declared < found.start() < last or re.match(r" (=|/=|\+=) ", text[found.end() :]):
                continue
            if re.search(rf"for \(int {name} = [^{{)]*$", text[: found.start()]):
                continue  # another variable in a loop's head is a loop without end
            for other_kind, other, known_from, known_to in scopes:
                if other_kind == kind and other != name and known_from < found.start() < known_to:
                    yield Change(*found.span(), other, "variable")


def _parameters(text: str) -> Iterator[tuple[str, str, int, int]]:
    opening = text.index("(", text.index("void"))
    body = text.index("{")
    for parameter in text[opening + 1 : text.rindex(")", 0, body)].split(","):
        kind, name = parameter.strip().rsplit(" ", 1)
        yield f"parameter {kind}", name, body, len(text)


def _locals(text: str) -> Iterator[tuple[str, str, int, int]]:
    """(type, name, where its declaration ends, where its scope ends)."""
    body = text.index("{")
    for found in re.finditer(r"(?:(?<=\n)|(?<=\())\s*(int|float|size_t) (\w+ = [^;]*);", text):
        if found.start() < body:
            continue
        loop = text[: found.start()].rstrip().endswith("(")
        last = _end_of_loop(text, found.start()) if loop else len(text)
        for part in re.finditer(r"(\w+) = (?:[^,(]|\([^)]*\))*", found[2]):
            if part[1] != "sum":
                yield found[1], part[1], found.start(2) + part.end(), last


def _end_of_loop(text: str, start: int) -> int:
    """The end of the statement of a `for (` that opens just before start."""
    head = _closing(text, text.rindex("(", 0, start))
    brace = re.compile(r"\s*\{").match(text, head + 1)
    return _closing(text, brace.end() - 1) if brace else text.index(";", head)


# ---- building and running them


def texts(task: str) -> dict[str, tuple[str, str]]:
    """{key: (kind of the change, changed kernel)}; no two kernels are the same."""
    text = source.definition((source.FOLDER / f"{task}.cu").read_text(), task)
    found, seen, count = {}, {text}, Counter()
    for change in changes(text):
        new = text[: change.start] + change.new + text[change.end :]
        if new in seen:
            continue
        seen.add(new)
        label = (
            f"{text[change.start : change.end].strip()} -> {change.new or 'nothing'}, in: {_line(text, change.start)}"
        )
        count[label] += 1
        found[label if count[label] == 1 else f"{label} ({count[label]})"] = (change.kind, new)
    return found


def _line(text: str, at: int) -> str:
    line = text[text.rfind("\n", 0, at) + 1 : (text + "\n").find("\n", at)].strip()
    return line if len(line) <= 70 else f"{line[:67]}..."


@functools.cache
def library(task: str):
    """The trace build of all mutants of a task: `mutant_TASK(number, ...)`."""
    kernels = "\n".join(f"namespace m{i} {{\n{text}\n}}" for i, (_, text) in enumerate(texts(task).values()))
    launcher = re.search(rf"#ifdef HAS_{task}\n(.*?)#endif", (source.FOLDER / "launchers.cu").read_text(), re.S)[1]
    launcher = launcher.replace(f"int run_{task}(", f"int mutant_{task}(int number, ")
    launcher = launcher.replace(f"    {task}<<<", "    auto kernel = KERNELS[number];\n    kernel<<<")
    table = ", ".join(f"m{i}::{task}" for i in range(len(texts(task))))
    whole = f"{source.PRELUDE}{kernels}\nstatic decltype(&m0::{task}) KERNELS[] = {{{table}}};\n{launcher}"
    lib = load(cached(f"mutants-{task}-{key(whole)}.cu", lambda out: out.write_text(whole) and None), "trace")
    lib.limit(SECONDS)
    return lib


def mutants(task: str) -> list[Mutant]:
    """The mutants of a task as functions of tensors."""

    def implementation(number: int):
        def run(*arguments):
            function = functools.partial(getattr(library(task), f"mutant_{task}"), number)
            outputs, _ = checks.checked(function, library(task), lambda line: "", calls.CALLS[task](*arguments))
            return outputs[0] if len(outputs) == 1 else tuple(outputs)

        return run

    return [Mutant(task, k, WORDS[kind], implementation(i)) for i, (k, (kind, _)) in enumerate(texts(task).items())]
