"""Side quest: generation as it is served. Read sampling, then streaming."""

from .sampling import SamplingParams, sample
from .streaming import complete, decode, pad_left, prefill, stream

__all__ = ["SamplingParams", "complete", "decode", "pad_left", "prefill", "sample", "stream"]
