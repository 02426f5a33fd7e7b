"""A real chat model through the same engine: its own file, its own tokenizer, its own template."""

import argparse
import time
from collections.abc import Callable
from statistics import median

import httpx
import torch

from ..engine.engine import Engine, EngineConfig
from ..engine.request import Request, SamplingParams
from .running import running
from .serve import real_model

CONFIG = EngineConfig(num_blocks=128, max_running=8, token_budget=128)
QUESTION = "What is the capital of France? Answer in one sentence."
PROMPTS = ("The capital of France is", "Water boils at", "Once upon a time", "The largest planet is", "In the morning",
           "A good teacher", "The sea was", "Two plus two is")  # fmt: skip


def smollm2(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """One stream and eight, and a chat over HTTP."""
    torch.set_num_threads(options.threads)
    log("reading the model")
    start = time.perf_counter()
    served = real_model(CONFIG, "packed")
    seconds = time.perf_counter() - start
    tokens = 8 if options.quick else 32
    rates: dict = {"one stream": [], "eight streams": []}
    for i in range(1 if options.quick else 3):
        for name, count in (("one stream", 1), ("eight streams", 8)):
            log(f"{name}, round {i + 1}")
            rates[name].append(rate(served, PROMPTS[:count], tokens))
    log("a server, a client, an answer")
    with running(served, CONFIG) as server:
        body = {"model": "smollm2", "messages": [{"role": "user", "content": QUESTION}], "temperature": 0}
        begin = time.perf_counter()
        answer = httpx.post(f"{server.url}/v1/chat/completions", json=body, timeout=300).json()
        waited = time.perf_counter() - begin
    weight_bytes = sum(4 * w.numel() for w in [served.runner.model.wte]) + block_bytes(served.runner.model.config)
    return {"seconds to load": seconds, "rates": rates, "bytes of weights": weight_bytes, "tokens": tokens,
            "chat": {"question": QUESTION, "answer": answer["choices"][0]["message"]["content"],
                     "usage": answer["usage"], "seconds": waited}}  # fmt: skip


def block_bytes(c) -> int:
    """Bytes of the matrices of all layers in float32: what a step reads beside the head."""
    attention = c.d_model * c.head_dim * (2 * c.heads + 2 * c.kv_heads)
    return 4 * c.layers * (attention + 3 * c.d_model * c.ffn)


def rate(served, prompts: tuple[str, ...], tokens: int) -> float:
    """Tokens generated a CPU second, prompts included in the time."""
    engine = Engine(served.runner, EngineConfig(128, 16, 8, 128, prefix_caching=False), keep_log=False)
    for i, prompt in enumerate(prompts):
        engine.add(Request(str(i), served.encode(prompt), SamplingParams(0, max_tokens=tokens)))
    start = time.process_time()
    while engine.has_work:
        engine.step()
    return len(prompts) * tokens / (time.process_time() - start)


def medians(content: dict) -> dict[str, float]:
    return {name: median(values) for name, values in content["rates"].items()}
