"""Turns the pieces of CUDA that a C++ compiler cannot parse into C++, line for line.

    kernel<T><<<grid, block, bytes, stream>>>(x, n);  ->  qk::launch(site, [&](auto... a) { kernel<T>(a...); },
                                                                     qk::Shape(grid, block, bytes, stream), x, n);
    __shared__ __align__(16) int8_t As[M][K], s;      ->  a static slot and a reference for each of As and s
    extern __shared__ int8_t tile[];                  ->  a pointer to the launch's dynamic shared memory

This is no C++ parser. It finds the two marks, `<<<` and `__shared__`, outside comments and strings, and reads on from
there with balanced brackets (brackets.py). Every newline of the source stays, so the lines of the compiler's messages,
of the tracer and of the debugger are those of the .cu file.
"""

import re
from pathlib import Path

from .brackets import blank, callee_start, closing, line_of, split

Edit = tuple[int, int, str]  # replace source[start:end] by a text


class RewriteError(ValueError):
    """CUDA syntax that the rewriter does not understand, with the file and line."""


def rewrite(source: str, path: str | Path) -> str:
    """The C++ translation unit for the CUDA source, beginning with a #line directive for `path`.

    Raises:
        RewriteError: a launch or a shared declaration cannot be read; the message begins with file and line.
    """
    name = str(path).replace("\\", "/")
    out, position = [f'#line 1 "{name}"\n'], 0
    for start, end, text in sorted(_launches(source, name) + _shared_declarations(source, name)):
        if start < position:
            raise RewriteError(f"{name}:{line_of(source, start)}: a launch inside a shared declaration")
        newlines = source.count("\n", start, end) - text.count("\n")
        out += [source[position:start], text, "\n" * newlines]
        position = end
    return "".join(out) + source[position:]


# ---- launches


def _launches(source: str, path: str) -> list[Edit]:
    text = blank(source)
    return [_launch(source, text, mark, path) for mark in re.finditer("<<<", text)]


def _launch(source: str, text: str, mark: re.Match, path: str) -> Edit:
    """One kernel<<<shape>>>(arguments)."""
    line = line_of(source, mark.start())
    close = text.find(">>>", mark.end())
    opened = re.compile(r"\s*\(").match(text, close + 3) if close >= 0 else None
    end = closing(text, opened.end() - 1) if opened else -1
    start = callee_start(text, mark.start())
    kernel = source[start : mark.start()]
    if end < 0 or not kernel.strip():
        raise RewriteError(
            f"{path}:{line}: cannot read this kernel launch; it has the form kernel<<<grid, block>>>(...)"
        )
    shape, arguments = source[mark.end() : close], source[opened.end() : end]
    if len(split(blank(shape))) not in (2, 3, 4):
        raise RewriteError(f"{path}:{line}: a launch takes <<<grid, block>>>, <<<..., bytes>>> or <<<..., stream>>>")
    comma = ", " if blank(arguments).strip() else ""
    site = f"[]() -> const ::qk::Site* {{ static const ::qk::Site s{{__FILE__, {line}}}; return &s; }}()"
    call = f"[&](auto... qk_a) QK_UNTRACED {{ {kernel}(qk_a...); }}"
    return start, end + 1, f"::qk::launch({site}, {call}, ::qk::Shape({shape}){comma}{arguments})"


# ---- shared memory

_SHARED = re.compile(r"\b(?:(?:extern|static|volatile)\s+)*__shared__\b")
_IN_MACRO = re.compile(r"#\s*(define|undef|ifdef|ifndef)[^\n]*$")
_ALIGN = re.compile(r"\b(__align__|alignas)\s*\(")
_FIRST = re.compile(r"(.*?)(\w+)\s*((?:\[.*\])?)\s*", re.DOTALL)  # type, name, dimensions
_OTHER = re.compile(r"\s*(\w+)\s*((?:\[.*\])?)\s*", re.DOTALL)  # name, dimensions


def _shared_declarations(source: str, path: str) -> list[Edit]:
    text, edits = blank(source), []
    for mark in _SHARED.finditer(text):
        if _IN_MACRO.search(text[: mark.start()].rpartition("\n")[2]):
            continue
        line, end = line_of(source, mark.start()), _end_of_declaration(text, mark.end())
        if end < 0:
            raise RewriteError(f"{path}:{line}: this shared declaration has no semicolon")
        is_extern = mark.group(0).startswith("extern")
        edits.append((mark.start(), end + 1, _declare(text[mark.end() : end], is_extern, line, path)))
    return edits


def _end_of_declaration(text: str, start: int) -> int:
    """The semicolon that ends it, behind the braces of `__shared__ struct { ... } name;`; -1 if there is none."""
    end, brace = text.find(";", start), text.find("{", start)
    if not 0 <= brace < end:
        return end
    closed = closing(text, brace)
    return text.find(";", closed) if closed >= 0 else -1


def _declare(declaration: str, is_extern: bool, line: int, path: str) -> str:
    """C++ for what stands between `__shared__` and the semicolon."""
    declaration, alignment = _take_alignment(declaration)
    declaration = re.sub(r"\b(extern|static)\b", "", declaration).strip()
    first, *others = split(declaration)
    parts = _FIRST.fullmatch(first)
    if not parts or not parts[1].strip() or "=" in declaration:
        raise RewriteError(f"{path}:{line}: cannot read this shared declaration; it has the form __shared__ T name[n];")
    kind, names = parts[1].strip(), [(parts[2], parts[3])]
    for other in others:
        more = _OTHER.fullmatch(other)
        if not more:
            raise RewriteError(f"{path}:{line}: cannot read `{other.strip()}` in this shared declaration")
        names.append((more[1], more[2]))
    if is_extern:
        return "".join(f"{kind}* {name} = ({kind}*)::qk::dynamic_shared();" for name, _ in names)
    return "".join(_variable(kind, name, dimensions, alignment, line) for name, dimensions in names)


def _take_alignment(declaration: str) -> tuple[str, str]:
    """The declaration without __align__(...) or alignas(...), and what stood in it."""
    alignment = ""
    while found := _ALIGN.search(declaration):
        end = closing(declaration, found.end() - 1)
        alignment = declaration[found.end() : end]
        declaration = declaration[: found.start()] + declaration[end + 1 :]
    return declaration, alignment


def _variable(kind: str, name: str, dimensions: str, alignment: str, line: int) -> str:
    """A slot in the arena, and a reference to it. Brackets, because a `>` in the dimensions would end the template."""
    sizes = re.sub(r"\[(.*?)\]", r"[(\1)]", re.sub(r"\s+", " ", dimensions))
    kind = kind.replace("\n", " ")
    return (
        f'static ::qk::Slot {name}_slot("{name}", __FILE__, {line}, {alignment or 1}); '
        f"auto& {name} = ::qk::shared<{kind}{sizes}>({name}_slot);"
    )
