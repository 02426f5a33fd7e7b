"""Window attention and attention sinks by hand.

Read in this order:

    attention                 given: attention under a mask, and RoPE at any positions
    window                    the window mask; how far news travels, by formula and by gradient
    banded, banded_fast       the same in blocks: O(T·W) time and memory
    rolling_cache             the last W keys of an endless text; their positions inside the cache
    sinks                     StreamingLLM: the first keys are kept, the rest rolls
    model, stream             a small Llama that reads through such a cache, and endless generation
    massive                   where sinks come from: attention mass, massive activations, value drain

Side quests: receptive (convolutions), block_sparse, pretrained (a real model). Everything that measures is in lab.
"""

from .attention import attend, rotate
from .banded import banded_attention
from .banded_fast import banded_attention_fast
from .massive import pull_down, residual_peaks, sink_mass, value_norms
from .model import Config, Llama, Trace
from .receptive import Conv, causal_conv1d, conv_receptive_field
from .rolling_cache import RollingCache, cache_positions
from .sinks import SinkCache, sink_attention, sink_slots
from .stream import generate, stream_loss
from .window import receptive_field, receptive_field_by_gradient, window_mask

__all__ = [
    "Config",
    "Conv",
    "Llama",
    "RollingCache",
    "SinkCache",
    "Trace",
    "attend",
    "banded_attention",
    "banded_attention_fast",
    "cache_positions",
    "causal_conv1d",
    "conv_receptive_field",
    "generate",
    "pull_down",
    "receptive_field",
    "receptive_field_by_gradient",
    "residual_peaks",
    "rotate",
    "sink_attention",
    "sink_mass",
    "sink_slots",
    "stream_loss",
    "value_norms",
    "window_mask",
]
