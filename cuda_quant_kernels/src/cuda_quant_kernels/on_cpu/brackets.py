"""Finding one's way in C++ text without parsing it: brackets, template arguments, names before a bracket.

All functions take text from `blank`, in which comments and strings are spaces, so that no bracket in them counts.
"""

import re

OPEN, CLOSE = "([{", ")]}"
_SILENT = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<!\w)\'(?:\\.|[^\'\\\n])+\'', re.DOTALL
)


def blank(source: str) -> str:
    """The source with comments, strings and characters replaced by spaces. Every offset and newline stays."""
    return _SILENT.sub(lambda match: re.sub(r"[^\n]", " ", match.group(0)), source)


def line_of(source: str, offset: int) -> int:
    """The number of the line at an offset."""
    return source.count("\n", 0, offset) + 1


def closing(text: str, start: int) -> int:
    """The offset of the bracket that closes the one at start, or -1."""
    depth = 0
    for i in range(start, len(text)):
        depth += (text[i] in OPEN) - (text[i] in CLOSE)
        if depth == 0:
            return i
    return -1


def opening(text: str, end: int) -> int:
    """The offset of the bracket that the one at end closes, or 0."""
    depth = 0
    for i in range(end, -1, -1):
        depth += (text[i] in CLOSE) - (text[i] in OPEN)
        if depth == 0:
            return i
    return 0


def split(text: str, mark: str = ",") -> list[str]:
    """The parts between marks that stand outside all brackets, those of template arguments included."""
    parts, begin, i = [], 0, 0
    while i < len(text):
        c = text[i]
        if c in OPEN:
            end = closing(text, i)
            i = end if end >= 0 else len(text)
        elif c == "<" and re.search(r"[A-Za-z_]\w*\s*$", text[:i]) and (end := template_end(text, i)) >= 0:
            i = end
        elif c == mark:
            parts.append(text[begin:i])
            begin = i + 1
        i += 1
    return [*parts, text[begin:]]


def template_end(text: str, start: int) -> int:
    """The offset of the `>` that ends the template arguments from start on; -1 if this `<` is a comparison."""
    depth = nested = 0
    for i in range(start + 1, len(text)):
        c = text[i]
        depth += (c in OPEN) - (c in CLOSE)
        if depth < 0 or (c in ";&|" and depth == 0):
            return -1
        if depth == 0 and c == "<":
            nested += 1
        elif depth == 0 and c == ">":
            if nested == 0:
                return i
            nested -= 1
    return -1


def template_start(text: str, end: int) -> int:
    """The offset of the `<` that begins the template arguments which end at the `>` at end."""
    depth = nested = 0
    for i in range(end, -1, -1):
        c = text[i]
        depth += (c in CLOSE) - (c in OPEN)
        nested += (c == ">" and depth == 0) - (c == "<" and depth == 0)
        if nested == 0:
            return i
    return 0


def callee_start(text: str, end: int) -> int:
    """Where the expression before end begins that names a function: ns::kernel<T, (a > b)> or (pointer)."""
    i = len(text[:end].rstrip())
    if text[i - 1 : i] == ")":
        return opening(text, i - 1)
    if text[i - 1 : i] == ">":
        i = template_start(text, i - 1)
    return i - len(re.search(r"[\w:]*\s*$", text[:i]).group(0))
