"""Experts choose tokens instead of tokens experts: the load is even by construction, and the future leaks."""

from .choice import choose_tokens, expert_choice, leak

__all__ = ["choose_tokens", "expert_choice", "leak"]
