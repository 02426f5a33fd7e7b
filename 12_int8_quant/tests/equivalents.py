"""Mutants that no promised behaviour can tell from the reference, each with its reason.

`nox -s mutate-12` prints the key of each mutant that survives.
"""

EQUIVALENT = {}
