"""Mutants that no promised behaviour can tell from the reference, each with its reason.

`nox -s mutate-serving_stack` prints the key of each mutant that survives.
"""

EQUIVALENT = {}
