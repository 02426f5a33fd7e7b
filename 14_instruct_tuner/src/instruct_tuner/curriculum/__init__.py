"""The order of the examples: easy to hard, or shuffled. `order.py` is all of it."""

from .order import curriculum_batches, difficulty

__all__ = ["curriculum_batches", "difficulty"]
