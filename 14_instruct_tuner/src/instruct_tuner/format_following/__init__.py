"""Instructions about form, which a program can check without knowing the answer (Zhou et al. 2023: IFEval)."""

from .constraints import CONSTRAINTS, check_format, share_followed

__all__ = ["CONSTRAINTS", "check_format", "share_followed"]
