"""An inference engine with a paged cache, continuous batching, and a server that speaks OpenAI's API.

Read in this order:
    memory/     blocks, the prefix cache, attention through a block table
    engine/     requests, the scheduler, sampling, the model, the loop, simulation and replay
    wire/       text, events, the protocol, the server, the router
    formats/    GGUF by hand, and the quantized blocks inside
"""

from .engine import Engine, EngineConfig, Llama, ModelConfig, ModelRunner, Request, SamplingParams
from .engine.sampling import sample
from .engine.scheduler import SchedulerState, give_back, preempt, release, reserve, schedule, take_known_beginning
from .formats.gguf_reader import GGUFHeader, TensorInfo, read_gguf_header
from .formats.quants import dequantize_q4_0
from .memory import BlockAllocator, PrefixCache, blocks_for, copy_on_write, paged_attention
from .wire import Delta, SSEStream, StreamDetokenizer, Worker, route

__all__ = ["BlockAllocator", "Delta", "Engine", "EngineConfig", "GGUFHeader", "Llama", "ModelConfig", "ModelRunner"]
__all__ += ["PrefixCache", "Request", "SSEStream", "SamplingParams", "SchedulerState", "StreamDetokenizer"]
__all__ += ["TensorInfo", "Worker", "blocks_for", "copy_on_write", "dequantize_q4_0", "give_back", "paged_attention"]
__all__ += ["preempt", "read_gguf_header", "release", "reserve", "route", "sample", "schedule", "take_known_beginning"]
