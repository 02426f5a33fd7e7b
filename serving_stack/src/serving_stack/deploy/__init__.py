"""A side quest: the server as an image, on a cluster, watched.

Read the files of the folder in this order: `Containerfile`, `kubernetes/`, `monitoring/`, `vllm/`. Then `check.py`: the
mistakes that a schema cannot see, because they lie between two files. `python -m serving_stack.deploy` runs it.
"""

from .check import CHECKS, faults
from .read import Stack, ours, vllm

__all__ = ["CHECKS", "Stack", "faults", "ours", "vllm"]
