"""Mutants that no promised behaviour can tell from the reference, each with its reason."""

EQUIVALENT: dict[str, dict[str, str]] = {}
