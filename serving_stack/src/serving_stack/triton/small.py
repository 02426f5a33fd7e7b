"""The engine as Triton's Python models use it: a small Llama over bytes, with random weights."""

from collections.abc import Sequence

from ..engine.engine import Engine, EngineConfig
from ..engine.model import Llama, ModelConfig
from ..engine.request import Request, SamplingParams
from ..engine.runner import ModelRunner
from ..engine.weights import random_weights

CONFIG = ModelConfig(vocab_size=256, d_model=64, layers=2, heads=4, kv_heads=2, ffn=128, max_model_len=512)


def small_model() -> Llama:
    """The same weights in every process."""
    return Llama(CONFIG, random_weights(CONFIG))


def greedy(model: Llama, prompts: Sequence[list[int]], max_tokens: int) -> list[list[int]]:
    """The likeliest tokens after each prompt; all prompts run in the same steps."""
    engine = Engine(ModelRunner(model, 128), EngineConfig(128), keep_log=False)
    made = [Request(str(i), prompt, SamplingParams(0, max_tokens=max_tokens)) for i, prompt in enumerate(prompts)]
    for request in made:
        engine.add(request)
    while engine.has_work:
        engine.step()
    return [request.output for request in made]
