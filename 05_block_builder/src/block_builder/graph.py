"""The autograd graph of one block: what `backward` will walk through, drawn as text or as a graphviz file."""

from collections.abc import Iterator

from torch import Tensor

Edge = tuple[object, object]


def edges(output: Tensor) -> Iterator[Edge]:
    """(operation, an operation whose result it used), from the output down to the weights; each edge once."""
    todo, seen = [output.grad_fn], set()
    while todo:
        node = todo.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        for child, _ in node.next_functions:
            if child is not None:
                yield node, child
                todo.append(child)


def label(node: object, names: dict[int, str]) -> str:
    """A parameter's name where the node is one, otherwise the operation."""
    variable = getattr(node, "variable", None)
    if variable is not None:
        return names.get(id(variable), "input")
    return node.name().removesuffix("0").removesuffix("Backward")


def to_dot(output: Tensor, parameters: dict[str, Tensor]) -> str:
    """The graph in graphviz's language. Parameters are boxes."""
    names = {id(tensor): name for name, tensor in parameters.items()}
    number: dict[object, str] = {}
    lines = []
    for node, child in edges(output):
        for one in (node, child):
            if one not in number:
                number[one] = f"n{len(number)}"
                shape = "box" if hasattr(one, "variable") else "ellipse"
                lines.append(f'  {number[one]} [label="{label(one, names)}", shape={shape}];')
        lines.append(f"  {number[child]} -> {number[node]};")
    return "\n".join(["digraph block {", *lines, "}"])


def to_text(output: Tensor, parameters: dict[str, Tensor], depth: int = 6) -> str:
    """The graph as an indented tree, `depth` steps from the output. A node that was shown already is marked (*)."""
    names = {id(tensor): name for name, tensor in parameters.items()}
    lines: list[str] = []
    seen: set[object] = set()
    todo = [(output.grad_fn, 0)]
    while todo:
        node, level = todo.pop()
        again = node in seen
        lines.append("  " * level + label(node, names) + (" (*)" if again else ""))
        seen.add(node)
        if not again and level < depth:
            children = [child for child, _ in node.next_functions if child is not None]
            todo += [(child, level + 1) for child in reversed(children)]
    return "\n".join(lines)


def shortest_path(output: Tensor, source: Tensor) -> list[str]:
    """The operations on the shortest way from the output back to a leaf tensor.

    With Pre-LN it holds additions only: that is the residual stream.

    Raises:
        ValueError: the output does not depend on the tensor.
    """
    todo = [(output.grad_fn, [])]
    seen = set()
    while todo:
        node, path = todo.pop(0)
        if getattr(node, "variable", None) is source:
            return path
        if node in seen:
            continue
        seen.add(node)
        step = [*path, label(node, {})]
        todo += [(child, step) for child, _ in node.next_functions if child is not None]
    raise ValueError(f"source={tuple(source.shape)}: the output does not depend on this tensor; give one that it used")
