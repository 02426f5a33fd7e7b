"""`python -m serving_stack.deploy`: every fault between the files, a line each. The exit code is 1 if there is one."""

import sys

from . import faults, ours, vllm

found = [f"{name}: {sentence}" for name, stack in (("ours", ours()), ("vllm", vllm())) for sentence in faults(stack)]
print("\n".join(found) or "no fault between the files")
sys.exit(bool(found))
