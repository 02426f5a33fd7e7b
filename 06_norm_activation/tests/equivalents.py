"""Mutants that no promised behaviour can tell from the reference, each with its reason. `nox -s mutate-06`."""

EQUIVALENT = {
    "softmax": {
        "softmax: if temperature <= 0: raise -> at the end": "nothing is changed before the error",
    },
}
