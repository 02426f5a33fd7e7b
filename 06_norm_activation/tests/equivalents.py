"""Mutants that no promised behaviour can tell from the reference, each with its reason. `nox -s mutate-06`."""

EQUIVALENT = {}
