"""Expert parallelism: each process holds some of the experts, and tokens travel to them and back.

exchange.py   all-to-all with a gradient, and a counter of bytes
layer.py      a layer whose experts are spread over processes
cost.py       the formula for bytes, the time of an exchange, and a plan for 8 and 64 devices
worker.py     the script for `torchrun`: gloo on CPUs, NCCL on GPUs
"""

from .cost import Machine, bytes_sent, fit_machine, plan, step_seconds
from .exchange import Exchange
from .layer import ExpertParallel

__all__ = ["Exchange", "ExpertParallel", "Machine", "bytes_sent", "fit_machine", "plan", "step_seconds"]
