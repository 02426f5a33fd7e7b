"""The headline experiment: what a cache saves, on a model small enough to show it in two minutes.

Equality is checked before anything is timed. Each function returns plain numbers; plots and tables show them.
"""

from argparse import Namespace
from collections.abc import Callable

import torch
from jaxtyping import Int
from torch import Tensor

from ..cache import GrowingCache, StaticCache
from ..config import Config
from ..cost import cache_bytes
from ..generation import generate, generate_without_cache
from ..int8_cache import Int8Cache, dequantize, quantize
from ..model import GPT
from ..serving import SamplingParams, complete
from . import timing
from .train import LONG, load_bytes, next_byte_loss, split, train, windows

SMALL = Config(vocab_size=256, context_length=1024, layers=2, heads=4, width=128)
PROMPT_LEN, NEW = 32, 256  # the two confused numbers are quoted for this prompt and this many new tokens
Log = Callable[[str], None]


def headline(options: Namespace, log: Log) -> dict:
    """Train, check, time, weigh. About two minutes on one core; `quick` shortens every part to seconds.

    `options.threads` is 1 by default, so that the curves do not depend on the number of cores.
    """
    steps, longest, repeats, rows = (60, 320, 1, 16) if options.quick else (1000, SMALL.context_length, 3, 64)
    training_text, test_text = split(load_bytes(options.data))
    model = train(training_text, SMALL, steps, options.seed, log=log)
    generator = torch.Generator().manual_seed(options.seed)
    prompt = windows(test_text, 1, PROMPT_LEN, generator)
    return {
        "model": {"parameters": sum(p.numel() for p in model.parameters()), "steps": steps, **vars(SMALL)},
        "sample": write_something(model, prompt, options.seed),
        "identical": check(model, prompt, 64, log),
        "speed": timing.measure(model, prompt, longest, repeats, options.threads, NEW, log),
        "int8": int8_loss(model, windows(test_text, rows, LONG + 1, generator), log),
        "memory": memory(Config.gpt2(), (128, 256, 512, 1024), log),
    }


def write_something(model: GPT, prompt: Int[Tensor, "1 T"], seed: int, new: int = 160) -> dict:
    """What the trained model writes, so that the reader sees it is not noise."""
    cache = StaticCache(model.config, 1, prompt.shape[1] + new)
    generator = torch.Generator().manual_seed(seed)
    [tokens] = complete(model, prompt.tolist(), new, cache, SamplingParams(0.7, 40), generator=generator)
    return {
        "prompt": bytes(prompt[0].tolist()).decode(errors="replace"),
        "continuation": bytes(tokens).decode(errors="replace"),
    }


def check(model: GPT, prompt: Int[Tensor, "1 T"], new: int, log: Log) -> dict:
    """Greedy tokens with each cache equal those without. A RuntimeError ends the run: a wrong answer is not timed."""
    want = generate_without_cache(model, prompt, new)
    caches = {
        "growing": GrowingCache(model.config),
        "static": StaticCache(model.config, 1, prompt.shape[1] + new),
    }
    for name, cache in caches.items():
        if not torch.equal(generate(model, prompt, new, cache), want):
            raise RuntimeError(f"the {name} cache changes the tokens; fix that before anything is timed")
    log(f"checked: {new} greedy tokens are the same with and without a cache")
    return {"tokens": new, "caches": list(caches)}


def memory(config: Config, lengths: tuple[int, ...], log: Log) -> dict:
    """Bytes of a cache of batch 1: the formula, and the memory blocks that PyTorch allocated."""
    log("weighing caches of GPT-2's shape")
    caches = {
        "fp32": lambda n: StaticCache(config, 1, n),
        "bf16": lambda n: StaticCache(config, 1, n, torch.bfloat16),
        "int8": lambda n: Int8Cache(config, 1, n),
    }
    predicted = {
        "fp32": [cache_bytes(config, 1, n, 4) for n in lengths],
        "bf16": [cache_bytes(config, 1, n, 2) for n in lengths],
        # one byte per element, and a scale of four bytes for each key and value
        "int8": [cache_bytes(config, 1, n, 1) + cache_bytes(config, 1, n, 4) // config.head_dim for n in lengths],
    }
    measured = {kind: [allocated(make(n)) for n in lengths] for kind, make in caches.items()}
    return {"model": vars(config), "lengths": list(lengths), "predicted": predicted, "measured": measured}


def allocated(cache) -> int:
    """Bytes of all memory blocks behind a cache's tensors, each counted once, however many views it has."""
    storages = [x.untyped_storage() for x in vars(cache).values() if isinstance(x, torch.Tensor)]
    return sum({s.data_ptr(): s.nbytes() for s in storages}.values())


@torch.no_grad()
def int8_loss(model: GPT, tokens: Int[Tensor, "B T"], log: Log) -> dict:
    """What a quarter of the bytes costs: loss on unseen text through either cache, window by window."""
    rows, T = tokens.shape
    log(f"int8: loss on {rows} unseen windows of {T - 1} bytes")
    caches = {"fp32": StaticCache(model.config, rows, T), "int8": Int8Cache(model.config, rows, T)}
    loss = {name: next_byte_loss(model, tokens, cache) for name, cache in caches.items()}
    change = loss["int8"] - loss["fp32"]
    keys = caches["fp32"].keys[:, :, :, : T - 1]
    codes, scale = quantize(keys)
    return {
        "windows": rows,
        "length": T - 1,
        "loss": {name: x.mean().item() for name, x in loss.items()},
        "change": change.mean().item(),
        "change_stderr": change.std().item() / rows**0.5,
        "bytes": {name: cache.nbytes for name, cache in caches.items()},
        "bytes_ratio": caches["fp32"].nbytes / caches["int8"].nbytes,
        "largest_error_in_steps": ((dequantize(codes, scale) - keys).abs() / scale).max().item(),
    }
