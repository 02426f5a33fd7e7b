"""Mutants that no promised behaviour can tell from the reference, each with its reason."""

EQUIVALENT: dict[str, dict[str, str]] = {
    "grouped_dispatch": {
        "x -> residual, in: outputs = [x[:0]]": "x and the residual have the same width, and no row of them is taken",
    },
}
