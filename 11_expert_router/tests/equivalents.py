"""Mutants that no promised behaviour can tell from the reference, each with its reason."""

EQUIVALENT: dict[str, dict[str, str]] = {
    "update_bias": {
        "bias -> load, in: return bias + rate * missing.sign().to(bias.dtype) (2)": "the sum has the bias's dtype too",
    },
    "grouped_dispatch": {
        "x -> residual, in: outputs = [x[:0]]": "x and the residual have the same width, and no row of them is taken",
    },
}
