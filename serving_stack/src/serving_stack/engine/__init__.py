"""Which request computes what in each step, and the computation.

Read in this order:
    request.py      a request, and how it wants its tokens sampled
    scheduler.py    one step: decodes, chunks of prompts, admissions, preemption
    sampling.py     the next token, from a generator of the request's own
    model.py        a Llama over a flat list of tokens from many requests
    layouts.py      how a weight lies in memory: fast, small, or the same for every batch
    runner.py       a plan becomes tokens
    captured.py     a decoding step as one CUDA graph
    engine.py       the loop, and the log of its decisions
    simulate.py     the same loop without a model: every slot knows which prefix it must hold
    replay.py       a log, decided again, byte for byte
"""

from .engine import Engine, EngineConfig
from .layouts import LAYOUTS, lay_out
from .model import GPT2, Llama, ModelConfig
from .request import Request, SamplingParams
from .runner import ModelRunner
from .sampling import sample
from .scheduler import SchedulerState, preempt, schedule

__all__ = ["GPT2", "LAYOUTS", "Engine", "EngineConfig", "Llama", "ModelConfig", "ModelRunner"]
__all__ += ["Request", "SamplingParams", "SchedulerState", "lay_out", "preempt", "sample", "schedule"]
