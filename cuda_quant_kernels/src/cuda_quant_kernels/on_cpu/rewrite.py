"""Turns the pieces of CUDA that a C++ compiler cannot parse into C++, line for line.

    kernel<T><<<grid, block, bytes, stream>>>(x, n);  ->  qk::launch(site, [&](auto... a) { kernel<T>(a...); },
                                                                     qk::Shape(grid, block, bytes, stream), x, n);
    __shared__ __align__(16) int8_t As[M][K], s;      ->  a static slot and a reference for each of As and s
    extern __shared__ int8_t tile[];                  ->  a pointer to the launch's dynamic shared memory

It is no C++ parser: it finds the two marks, `<<<` and `__shared__`, outside comments and strings, and reads from there
with balanced brackets. Every newline of the source stays, so that the compiler's messages, the tracer's lines and
the debugger's all speak of the .cu file.
"""

import re
from pathlib import Path

_OPEN, _CLOSE = "([{", ")]}"


class RewriteError(ValueError):
    """CUDA syntax that the rewriter does not understand, with the file and line."""


def rewrite(source: str, path: str | Path) -> str:
    """The C++ translation unit for the CUDA source, beginning with a #line directive for `path`.

    Raises:
        RewriteError: a launch or a shared declaration cannot be read; the message begins with file and line.
    """
    name = str(path).replace("\\", "/")
    edits = sorted(_launches(source, name) + _shared(source, name))
    out, position = [f'#line 1 "{name}"\n'], 0
    for start, end, text in edits:
        if start < position:
            raise RewriteError(f"{name}:{_line(source, start)}: a launch inside a shared declaration")
        newlines = source.count("\n", start, end) - text.count("\n")
        out += [source[position:start], text, "\n" * newlines]
        position = end
    return "".join(out) + source[position:]


def _blank(source: str) -> str:
    """The source with comments, strings and characters replaced by blanks, every offset and newline kept."""
    pattern = r'//[^\n]*|/\*.*?\*/|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<!\w)\'(?:\\.|[^\'\\\n])+\''
    return re.sub(pattern, lambda m: re.sub(r"[^\n]", " ", m.group(0)), source, flags=re.DOTALL)


def _line(source: str, offset: int) -> int:
    return source.count("\n", 0, offset) + 1


def _closing(text: str, start: int) -> int:
    """The offset of the bracket that closes the one at start, or -1."""
    depth = 0
    for i in range(start, len(text)):
        depth += (text[i] in _OPEN) - (text[i] in _CLOSE)
        if depth == 0:
            return i
    return -1


def _split(text: str, mark: str = ",") -> list[str]:
    """The parts of the text between marks that stand outside all brackets (angle brackets of templates included)."""
    parts, depth, angle, begin = [], 0, 0, 0
    for i, c in enumerate(text):
        depth += (c in _OPEN) - (c in _CLOSE)
        if c == "<" and re.search(r"[A-Za-z_]\w*\s*$", text[:i]) and _angle_end(text, i) >= 0:
            angle += 1
        elif c == ">" and angle:
            angle -= 1
        if c == mark and depth == 0 and angle == 0:
            parts.append(text[begin:i])
            begin = i + 1
    return [*parts, text[begin:]]


def _angle_end(text: str, start: int) -> int:
    """Where the template argument list that begins at start ends; -1 if this `<` is a comparison."""
    depth = 0
    for i in range(start, len(text)):
        c = text[i]
        if c in _OPEN:
            depth += 1
        elif c in _CLOSE:
            depth -= 1
            if depth < 0:
                return -1
        elif c == ">" and depth == 0:
            return i
        elif c in ";&|" and depth == 0:
            return -1
    return -1


def _callee(text: str, end: int) -> int:
    """Where the expression that names the kernel, and ends at `end`, begins: ns::kernel<T, (a > b)> or (pointer)."""
    i = end
    while i and text[i - 1].isspace():
        i -= 1
    if i and text[i - 1] == ">":
        angle = depth = 0
        while i:
            i -= 1
            depth += (text[i] in _CLOSE) - (text[i] in _OPEN)
            angle += (text[i] == ">" and depth == 0) - (text[i] == "<" and depth == 0)
            if angle == 0:
                break
    elif i and text[i - 1] == ")":
        depth = 0
        while i:
            i -= 1
            depth += (text[i] in _CLOSE) - (text[i] in _OPEN)
            if depth == 0:
                return i
    return i - len(re.search(r"[\w:]*\s*$", text[:i]).group(0))


def _launches(source: str, path: str) -> list[tuple[int, int, str]]:
    text, edits = _blank(source), []
    for mark in re.finditer("<<<", text):
        where = f"{path}:{_line(source, mark.start())}"
        close = text.find(">>>", mark.end())
        opened = re.compile(r"\s*\(").match(text, close + 3) if close >= 0 else None
        end = _closing(text, opened.end() - 1) if opened else -1
        start = _callee(text, mark.start())
        kernel = source[start : mark.start()]
        if end < 0 or not kernel.strip():
            raise RewriteError(f"{where}: cannot read this kernel launch; it has the form kernel<<<grid, block>>>(...)")
        shape = source[mark.end() : close]
        arguments = source[opened.end() : end]
        if len(_split(_blank(shape))) not in (2, 3, 4):
            raise RewriteError(f"{where}: a launch takes <<<grid, block>>>, <<<..., bytes>>> or <<<..., stream>>>")
        comma = ", " if _blank(arguments).strip() else ""
        line = _line(source, mark.start())
        site = f"[]() -> const ::qk::Site* {{ static const ::qk::Site s{{__FILE__, {line}}}; return &s; }}()"
        call = f"[&](auto... qk_a) QK_UNTRACED {{ {kernel}(qk_a...); }}"
        edits.append((start, end + 1, f"::qk::launch({site}, {call}, ::qk::Shape({shape}){comma}{arguments})"))
    return edits


_SHARED = re.compile(r"\b(?:(?:extern|static|volatile)\s+)*__shared__\b")
_ALIGN = re.compile(r"\b(__align__|alignas)\s*\(")


def _shared(source: str, path: str) -> list[tuple[int, int, str]]:
    text, edits = _blank(source), []
    for mark in _SHARED.finditer(text):
        if re.search(r"#\s*(define|undef|ifdef|ifndef)[^\n]*$", text[: mark.start()].rpartition("\n")[2]):
            continue
        line = _line(source, mark.start())
        end = text.find(";", mark.end())
        brace = text.find("{", mark.end())
        if 0 <= brace < end:                        # __shared__ struct { ... } name;
            closed = _closing(text, brace)
            end = text.find(";", closed) if closed >= 0 else -1
        if end < 0:
            raise RewriteError(f"{path}:{line}: this shared declaration has no semicolon")
        declaration = text[mark.end() : end]
        text_of = _declare(declaration, mark.group(0).startswith("extern"), line, path)
        edits.append((mark.start(), end + 1, text_of))
    return edits


def _declare(declaration: str, external: bool, line: int, path: str) -> str:
    """C++ for what stands between `__shared__` and the semicolon."""
    alignment = ""
    while found := _ALIGN.search(declaration):
        end = _closing(declaration, found.end() - 1)
        alignment = declaration[found.end() : end]
        declaration = declaration[: found.start()] + declaration[end + 1 :]
    declaration = re.sub(r"\b(extern|static)\b", "", declaration).strip()
    first, *others = _split(declaration)
    parts = re.fullmatch(r"(.*?)(\w+)\s*((?:\[.*\])?)\s*", first, re.DOTALL)
    if not parts or not parts[1].strip() or "=" in declaration:
        raise RewriteError(f"{path}:{line}: cannot read this shared declaration; it has the form __shared__ T name[n];")
    kind = parts[1].strip()
    names = [(parts[2], parts[3])]
    for other in others:
        more = re.fullmatch(r"\s*(\w+)\s*((?:\[.*\])?)\s*", other, re.DOTALL)
        if not more:
            raise RewriteError(f"{path}:{line}: cannot read `{other.strip()}` in this shared declaration")
        names.append((more[1], more[2]))
    if external:
        return "".join(f"{kind}* {name} = ({kind}*)::qk::dynamic_shared();" for name, _ in names)
    return "".join(_variable(kind, name, dimensions, alignment, line) for name, dimensions in names)


def _variable(kind: str, name: str, dimensions: str, alignment: str, line: int) -> str:
    # The dimensions get brackets of their own: a `>` in them would end the template argument list.
    sizes = re.sub(r"\[(.*?)\]", r"[(\1)]", re.sub(r"\s+", " ", dimensions))
    return (
        f'static ::qk::Slot {name}_slot("{name}", __FILE__, {line}, {alignment or 1}); '
        f"auto& {name} = ::qk::shared<{re.sub(chr(10), ' ', kind)}{sizes}>({name}_slot);"
    )
