"""Mutants that no promised behaviour can tell from the reference, each with its reason.

`nox -s mutate-capstone_gpt` prints the key of each mutant that survives.
"""

EQUIVALENT: dict[str, dict[str, str]] = {}
