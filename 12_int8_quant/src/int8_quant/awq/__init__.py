"""Activation-aware weight quantization: `awq.py`."""

from .awq import ALPHAS, AWQResult, awq_factors, awq_search

__all__ = ["ALPHAS", "AWQResult", "awq_factors", "awq_search"]
