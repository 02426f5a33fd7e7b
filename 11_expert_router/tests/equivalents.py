"""Mutants that no promised behaviour can tell from the reference, each with its reason."""

SAME = "the softmax over the chosen scores is the quotient too, wherever that is defined"

EQUIVALENT: dict[str, dict[str, str]] = {
    "combine_weights": {
        "return weights -> return _copied(weights), in: if not normalize:": "the weights are a new tensor anyway",
        "if total.all() -> never, in: return weights / total if total.all() else scores.gather(-1, indice...": SAME,
        "total -> scores, in: return weights / total if total.all() else scores.gather(-1, indice...": SAME,
        "total -> weights, in: return weights / total if total.all() else scores.gather(-1, indice...": SAME,
    },
    "grouped_dispatch": {
        "x -> residual, in: outputs = [x[:0]]": "x and the residual have the same width, and no row of them is taken",
    },
}
