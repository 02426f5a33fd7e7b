"""Side quest: prompts that begin alike share the keys and values of their beginning."""

from .prefix_cache import PrefixCache

__all__ = ["PrefixCache"]
