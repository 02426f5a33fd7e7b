"""A trained dense model becomes a mixture: each expert starts as a copy of its layer (Komatsuzaki et al. 2022)."""

from .upcycle import upcycle, upcycle_decoder

__all__ = ["upcycle", "upcycle_decoder"]
