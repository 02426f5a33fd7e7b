"""A graph of values as text: each value with its gradient, under what was made from it."""

from .engine import Value


def drawn(output: Value, depth: int = 6) -> str:
    """One line a value, indented by its distance from the output; a value met before is only named."""
    lines, names = [], {}

    def walk(value: Value, level: int) -> None:
        known = value in names
        name = names.setdefault(value, f"v{len(names)}")
        made = f" = {value.op}" if value.op else ""
        lines.append(
            f"{'  ' * level}{name}{made}"
            + ("  (see above)" if known else f"  data {value.data:.3g}, grad {value.grad:.3g}")
        )
        if not known and level < depth:
            for parent in value.parents:
                walk(parent, level + 1)

    walk(output, 0)
    return "\n".join(lines)
