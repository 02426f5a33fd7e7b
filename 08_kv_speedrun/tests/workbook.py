"""The workbook as a notebook: its cells, and its stubs filled with the reference's text. The same bytes everywhere."""

import ast
import builtins
import importlib
import inspect
import json

import grader
import mistakes

REFERENCE = importlib.import_module(grader.PACKAGE)

EXECUTE = """
import sys, nbclient, nbformat
notebook = nbformat.read(sys.argv[1], 4)
nbclient.NotebookClient(notebook, timeout=600, kernel_name="python3",
                        resources={"metadata": {"path": sys.argv[2]}}).execute()
nbformat.write(notebook, sys.argv[1])
"""


def code_cells(notebook):
    return [c for c in notebook["cells"] if c["cell_type"] == "code"]


def defines(source):
    """The task that a stub cell defines, or None."""
    try:
        plain = "\n".join("" if line.lstrip()[:1] in ("%", "!") else line for line in source.split("\n"))
        nodes = [n.name for n in ast.parse(plain).body if isinstance(n, (ast.FunctionDef, ast.ClassDef))]
    except SyntaxError:
        return None
    return next((n for n in nodes if n in mistakes.TASKS), None)


class Needs:
    """The reference's text of a task, with the imports, constants and helpers of its module that it uses."""

    def __init__(self, task):
        self.done, self.out = set(mistakes.TASKS) - {task}, []
        self.add(importlib.import_module(getattr(REFERENCE, task).__module__), task)

    def add(self, module, name):
        """Append the statement of `module` that makes `name`, after those that it needs."""
        for node in ast.parse(inspect.getsource(module)).body:
            if name not in made_by(node) or (module.__name__, name) in self.done:
                continue
            self.done.add((module.__name__, name))
            own = isinstance(node, ast.ImportFrom) and (
                node.level or (node.module or "").split(".")[0] == grader.PACKAGE
            )
            if own:
                self.add_import(module, node, name)
                return
            for used in sorted({n.id for n in ast.walk(node) if isinstance(n, ast.Name)} - {name}):
                if used not in self.done:
                    self.add(module, used)
            self.out.append(ast.unparse(node))

    def add_import(self, module, node, name):
        """A relative import: what it brings is written out, unless it is handed out to learners."""
        original = next(a.name for a in node.names if name == (a.asname or a.name))
        home = importlib.import_module("." * node.level + (node.module or ""), module.__package__)
        value = getattr(home, original, None) or importlib.import_module(f"{home.__name__}.{original}")
        if original in getattr(mistakes, "GIVEN", ()):
            self.out.append(f"from {grader.PACKAGE} import {original}" + (f" as {name}" if name != original else ""))
        elif inspect.ismodule(value):
            used = attributes_of(module, name)
            for attribute in used:
                self.add(value, attribute)
            self.out.append(f"import types\n{name} = types.SimpleNamespace({', '.join(f'{u}={u}' for u in used)})")
        elif original not in self.done:
            self.add(importlib.import_module(getattr(value, "__module__", home.__name__)), original)
            if name != original:
                self.out.append(f"{name} = {original}")


def made_by(node):
    """The names that a statement of a module defines."""
    if isinstance(node, (ast.Import, ast.ImportFrom)):
        return [a.asname or a.name.split(".")[0] for a in node.names]
    targets = getattr(node, "targets", [getattr(node, "target", None)])
    return [getattr(node, "name", ""), *(n.id for t in targets if t for n in ast.walk(t) if isinstance(n, ast.Name))]


def attributes_of(module, name):
    tree = ast.parse(inspect.getsource(module))
    return sorted({n.attr for n in ast.walk(tree) if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name)
                   and n.value.id == name})  # fmt: skip


def solution(source):
    task = defines(source)
    return "\n\n".join(dict.fromkeys(Needs(task).out)) if task else None


def solved(notebook):
    solve = getattr(mistakes, "SOLVE", solution)
    filled = json.loads(json.dumps(notebook))
    for cell in code_cells(filled):
        if (text := solve("".join(cell["source"]))) is not None:
            cell["source"] = text
    return filled


def names_of(cell):
    """(names that a cell reads and does not make, names that it makes); None if it is not plain Python."""
    try:
        nodes = list(ast.walk(ast.parse("".join(cell["source"]))))
    except SyntaxError:
        return None
    made = {name for n in nodes if isinstance(n, (ast.Import, ast.ImportFrom)) for name in made_by(n)}
    made |= {n.name for n in nodes if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
    made |= {n.id for n in nodes if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
    read = {n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)}
    arguments = {n.arg for n in nodes if isinstance(n, ast.arg)}
    return read - made - arguments - set(dir(builtins)), made


def without_what_stands_alone(notebook):
    """The notebook without the cells that read nothing of another cell and make nothing that another one reads.

    Such a cell does the same in the workbook as shipped and as solved (an experiment of the laboratory, say).
    """
    names = {id(c): names_of(c) for c in code_cells(notebook)}
    read = {name for found in names.values() if found for name in found[0]}
    odd = any(found is None for found in names.values())  # a cell with magics may read anything
    alone = {key for key, found in names.items() if found and not odd and not found[0] and not found[1] & read}
    return {**notebook, "cells": [c for c in notebook["cells"] if id(c) not in alone]}
