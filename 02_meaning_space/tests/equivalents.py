"""Mutants that no promised behavior can tell from the reference, each with its reason."""

EQUIVALENT = {}
