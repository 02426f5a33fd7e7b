"""The autograd graph of one block, Pre-LN and Post-LN: counted, written for graphviz, and laid out as a picture."""

import argparse
from collections.abc import Callable
from pathlib import Path

import torch

from ..block import Block
from ..config import Config
from ..graph import edges, label, shortest_path, to_dot, to_text
from .record import write_text

SHAPES_ONLY = {"View", "Expand", "ReshapeAlias", "Transpose", "UnsafeView", "Clone", "T", "Permute", "Unsqueeze"}
WORDS = {"Addmm": "linear", "Bmm": "product", "NativeLayerNorm": "norm", "MaskedFill": "mask", "Div": "divide"}
NORMS = {"Pre-LN": True, "Post-LN": False}


def graph(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """The graph of each kind of block: how many operations, the shortest path, and the picture's nodes and edges."""
    found = {}
    for name, norm_first in NORMS.items():
        log(f"the graph of a {name} block")
        block, x, output = example(norm_first)
        names = dict(block.named_parameters())
        found[name] = {
            "operations": len({node for edge in edges(output) for node in edge}),
            "path": shortest_path(output, x),
            "text": to_text(output, names, depth=4),
            "picture": simplified(output, names),
        }
    return {"blocks": found}


def example(norm_first: bool) -> tuple[Block, torch.Tensor, torch.Tensor]:
    """A small block, its input and its output."""
    torch.manual_seed(0)
    block = Block(Config(7, 5, layers=1, heads=2, width=8, norm_first=norm_first))
    x = torch.randn(1, 5, 8, requires_grad=True)
    return block, x, block(x)


def write_dot(folder: Path) -> Path:
    """The Pre-LN graph as a file for graphviz: `dot -Tsvg graph.dot > graph.svg` draws it."""
    block, _, output = example(True)
    return write_text(folder / "graph.dot", to_dot(output, dict(block.named_parameters())) + "\n")


def simplified(output: torch.Tensor, parameters: dict[str, torch.Tensor]) -> dict[str, list]:
    """{"nodes": [label], "edges": [[from, to]]} from the input (node 0) to the output.

    Operations that only change shapes are left out, and a parameter becomes a part of the label where it is used.
    """
    names = {id(tensor): name for name, tensor in parameters.items()}
    numbers: dict[object, int] = {}
    nodes, lines = ["input"], []

    def number(node: object) -> int:
        if node not in numbers:
            numbers[node] = 0 if label(node, names) == "input" else len(nodes)
            if numbers[node]:
                nodes.append(label(node, names))
        return numbers[node]

    def sources(node: object) -> list[object]:
        """The operations that `node` reads, seen through those that only change shapes."""
        found = []
        for child, _ in node.next_functions:
            if child is not None:
                found += sources(child) if label(child, names) in SHAPES_ONLY else [child]
        return found

    todo = [output.grad_fn]
    while todo:
        node = todo.pop()
        for child in sources(node):
            name = label(child, names)
            if name in parameters:
                nodes[number(node)] = name.split(".")[-2]
            elif [number(child), number(node)] not in lines:
                lines.append([number(child), number(node)])
                todo.append(child)
    return {"nodes": [WORDS.get(name, name.lower()) for name in nodes], "edges": lines}


def positions(picture: dict[str, list]) -> list[tuple[int, float]]:
    """(x, y) of each node: x counts the steps of the longest way from the input, y is 0 on the stream.

    Of nodes in one column, the one whose result is used latest stands highest.
    """
    count = len(picture["nodes"])
    column = [0] * count
    for _ in range(count):
        for start, end in picture["edges"]:
            column[end] = max(column[end], column[start] + 1)
    stream = set(stream_of(picture))
    places: list[tuple[int, float]] = [(0, 0.0)] * count
    for x in sorted(set(column)):
        beside = [i for i in range(count) if column[i] == x and i not in stream]
        beside.sort(key=lambda i: max(column[end] for start, end in picture["edges"] if start == i))
        for rank, i in enumerate(beside):
            places[i] = (x, 1.0 + rank)
        for i in stream:
            if column[i] == x:
                places[i] = (x, 0.0)
    return places


def stream_of(picture: dict[str, list]) -> list[int]:
    """The nodes of the shortest way from the input to the output."""
    ends = {end for _, end in picture["edges"]}
    starts = {start for start, _ in picture["edges"]}
    (last,) = ends - starts
    todo = [[0]]
    while todo:
        path = todo.pop(0)
        if path[-1] == last:
            return path
        todo += [[*path, end] for start, end in picture["edges"] if start == path[-1]]
    raise ValueError("picture: the output does not depend on the input")
