"""Mutants that no promised behaviour can tell from the reference: {task: {mutant: reason}}."""

EQUIVALENT: dict[str, dict[str, str]] = {}
