"""The headline experiment: what a cache saves, measured on a model small enough to show it in two minutes.

Each function returns plain numbers; plots.py and tables.py show them. Equality is checked before anything is timed.
"""

import math
import time
from collections.abc import Callable
from statistics import median

import torch

from .cache import GrowingCache, Int8Cache, StaticCache
from .cost import cache_bytes, decode_flops, forward_flops, matmul_tokens
from .generate import generate, generate_without_cache
from .model import GPT, Config
from .quantize import dequantize, quantize
from .stream import Sampling, complete, decode, prefill
from .train import LONG, next_byte_loss, split, train, windows

SMALL = Config(vocab_size=256, context=1024, layers=2, heads=4, width=128)
PROMPT, NEW = 32, 256           # the two confused numbers are quoted for this prompt and this many new tokens


def headline(text, seed: int = 0, quick: bool = False, threads: int = 1, say: Callable[[str], None] = print) -> dict:
    """Train, check, time, weigh. About two minutes on one core; `quick` shortens every part to seconds.

    Training uses every core; what is timed uses `threads`, so that the curves do not depend on the number of cores.
    """
    known, unseen = split(text)
    steps, longest, repeats = (60, 320, 1) if quick else (1000, 1024, 3)
    model = train(known, SMALL, steps, seed, say=say)
    generator = torch.Generator().manual_seed(seed)
    prompt = windows(unseen, 1, PROMPT, generator)
    return {
        "model": {"parameters": sum(p.numel() for p in model.parameters()), "steps": steps, **vars(SMALL)},
        "sample": sample(model, prompt, seed),
        "identical": check(model, prompt, 64, say),
        "speed": speed(model, prompt, longest, repeats, threads, say),
        "int8": int8(model, windows(unseen, 16 if quick else 64, LONG + 1, generator), say),
        "memory": memory(Config.gpt2(), (128, 256, 512, 1024), say),
    }


def sample(model: GPT, prompt, seed: int, new: int = 160) -> dict:
    """What the trained model writes, so that the reader sees it is not noise."""
    cache = StaticCache(model.config, 1, PROMPT + new)
    [tokens] = complete(model, prompt.tolist(), new, cache, Sampling(0.7, 40),
                        generator=torch.Generator().manual_seed(seed))
    show = [bytes(x).decode(errors="replace") for x in (prompt[0].tolist(), tokens)]
    return {"prompt": show[0], "continuation": show[1]}


def check(model: GPT, prompt, new: int, say) -> dict:
    """Greedy tokens with each cache equal those without. A RuntimeError ends the run: a wrong answer is not timed."""
    want = generate_without_cache(model, prompt, new)
    caches = {"growing": GrowingCache(model.config.layers),
              "static": StaticCache(model.config, 1, prompt.shape[1] + new)}
    for name, cache in caches.items():
        if not torch.equal(generate(model, prompt, new, cache), want):
            raise RuntimeError(f"the {name} cache changes the tokens; nothing is timed before that is mended")
    say(f"checked: {new} greedy tokens are the same with and without a cache")
    return {"tokens": new, "caches": list(caches)}


# -- time --------------------------------------------------------------------------------------------------------------

def speed(model: GPT, prompt, longest: int, repeats: int, threads: int, say) -> dict:
    """Seconds of every step from the prompt to `longest` tokens, with and without a cache, the two alternating.

    `longest` is the context of the model; the last step feeds its last token. Returned at a grid of lengths: time per
    token (median of the steps around it, in each repeat) and time since the start, beside the FLOPs of both.
    """
    start, new, before = prompt.shape[1], longest - prompt.shape[1], torch.get_num_threads()
    torch.set_num_threads(threads)
    with_cache, without = [], []
    for r in range(repeats):
        with_cache.append(steps_with_cache(model, prompt, new))
        without.append(steps_without_cache(model, prompt, new, lambda text, r=r: say(
            f"timing without a cache: {text}, repeat {r + 1} of {repeats}")))
    torch.set_num_threads(before)
    lengths = [n for n in (48, 64, 96, 128, 192, 256, 384, 512, 768, 1024) if start < n <= longest]
    flops = {
        "with": [forward_flops(model.config, start, last_only=True)]
        + [decode_flops(model.config, n) for n in range(start, longest - 1)],
        "without": [forward_flops(model.config, n, last_only=True) for n in range(start, longest)],
    }
    out = {"prompt": start, "lengths": lengths, "threads": threads, "repeats": repeats}
    for name, runs in (("with", with_cache), ("without", without)):
        out[name] = _curves(runs, flops[name], lengths, start)
    out["work"] = _work(with_cache, without, flops, min(NEW, new), start)
    return out


def steps_with_cache(model: GPT, prompt, new: int) -> list[float]:
    """Seconds per new token: the first is the prefill, each later one a single decode step."""
    cache = StaticCache(model.config, 1, prompt.shape[1] + new)
    prefill(model, prompt, cache)                     # warm-up: the first touch of the memory is not the cache's work
    seconds, token = [], None
    for _ in range(new):
        start = time.perf_counter()
        logits = prefill(model, prompt, cache) if token is None else decode(model, token, cache)
        token = logits.argmax(dim=-1)
        seconds.append(time.perf_counter() - start)
    return seconds


@torch.no_grad()
def steps_without_cache(model: GPT, prompt, new: int, say) -> list[float]:
    """Seconds per new token when each is computed from the whole sequence."""
    tokens, seconds = prompt, []
    for n in range(new):
        start = time.perf_counter()
        token = model(tokens, last_only=True)[:, -1].argmax(dim=-1, keepdim=True)
        tokens = torch.cat([tokens, token], dim=1)
        seconds.append(time.perf_counter() - start)
        if n % 32 == 31:
            say(f"token {tokens.shape[1]} of {prompt.shape[1] + new}, {seconds[-1] * 1e3:.1f} ms each")
    return seconds


def _curves(runs: list[list[float]], flops: list[int], lengths: list[int], start: int) -> dict:
    """runs[r][i] is the step that makes token start + i. At each length: time per token, time so far, FLOPs so far."""
    def around(run, n):
        i = n - start - 1
        return median(run[max(1, i - 8):i + 1])       # step 0 of a run with a cache is its prefill

    def so_far(values, n):
        return sum(values[:n - start])

    total = [[so_far(run, n) for run in runs] for n in lengths]
    total_flops = [so_far(flops, n) for n in lengths]
    half = [i for i, n in enumerate(lengths) if n >= lengths[-1] / 4]
    pick = [lengths[i] for i in half]
    return {
        "per_token": [[around(run, n) for run in runs] for n in lengths],
        "total": total,
        "flops_per_token": [flops[n - start - 1] for n in lengths],
        "total_flops": total_flops,
        "slope": {
            "total": slope(pick, [median(total[i]) for i in half]),
            "total_flops": slope(pick, [total_flops[i] for i in half]),
            "from": pick[0],
        },
    }


def slope(x: list, y: list) -> float:
    """The exponent p of y ≈ c·xᵖ, by least squares on the logarithms."""
    lx, ly = [math.log(v) for v in x], [math.log(v) for v in y]
    mx, my = sum(lx) / len(lx), sum(ly) / len(ly)
    return sum((a - mx) * (b - my) for a, b in zip(lx, ly, strict=True)) / sum((a - mx) ** 2 for a in lx)


def _work(with_cache, without, flops, new: int, start: int) -> dict:
    """The two numbers that are easily confused: the work avoided, and the time gained."""
    avoided = matmul_tokens(start, new)
    seconds = [median(sum(run[:new]) for run in runs) for runs in (without, with_cache)]
    work = [sum(flops[name][:new]) for name in ("without", "with")]
    return {
        "prompt": start, "new": new,
        "matmul_tokens": list(avoided), "matmul_token_ratio": avoided[0] / avoided[1],
        "flops": work, "flop_ratio": work[0] / work[1],
        "seconds": seconds, "time_ratio": seconds[0] / seconds[1],
        "gflops_per_second": [f / s / 1e9 for f, s in zip(work, seconds, strict=True)],
    }


# -- memory ------------------------------------------------------------------------------------------------------------

def memory(config: Config, lengths: tuple[int, ...], say) -> dict:
    """Bytes a cache of batch 1 takes: the formula, beside the size of the memory blocks that PyTorch allocated."""
    kinds = {
        "fp32": lambda n: StaticCache(config, 1, n),
        "bf16": lambda n: StaticCache(config, 1, n, torch.bfloat16),
        "int8": lambda n: Int8Cache(config, 1, n),
    }
    predicted = {
        "fp32": [cache_bytes(config, 1, n, 4) for n in lengths],
        "bf16": [cache_bytes(config, 1, n, 2) for n in lengths],
        # one byte per element and a scale of four bytes per token, head, and keys or values
        "int8": [cache_bytes(config, 1, n, 1) + cache_bytes(config, 1, n, 4) // config.head_dim for n in lengths],
    }
    say("weighing caches of GPT-2's shape")
    measured = {kind: [allocated(make(n)) for n in lengths] for kind, make in kinds.items()}
    return {"model": vars(config), "lengths": list(lengths), "predicted": predicted, "measured": measured}


def allocated(cache) -> int:
    """Bytes of all the memory blocks behind a cache's tensors, each counted once, however many views it has."""
    storages = [x.untyped_storage() for x in vars(cache).values() if isinstance(x, torch.Tensor)]
    return sum({s.data_ptr(): s.nbytes() for s in storages}.values())


# -- int8 --------------------------------------------------------------------------------------------------------------

@torch.no_grad()
def int8(model: GPT, tokens, say) -> dict:
    """What a quarter of the bytes costs: loss on unseen text through either cache, window by window."""
    rows, T = tokens.shape
    caches = {"fp32": StaticCache(model.config, rows, T), "int8": Int8Cache(model.config, rows, T)}
    say(f"int8: loss on {rows} unseen windows of {T - 1} bytes")
    loss = {name: next_byte_loss(model, tokens, cache) for name, cache in caches.items()}
    change = loss["int8"] - loss["fp32"]
    k = caches["fp32"].keys[:, :, :, :T - 1]
    codes, scale = quantize(k)
    return {
        "windows": rows, "length": T - 1,
        "loss": {name: x.mean().item() for name, x in loss.items()},
        "change": change.mean().item(), "change_stderr": change.std().item() / rows ** 0.5,
        "bytes": {name: cache.nbytes for name, cache in caches.items()},
        "bytes_ratio": caches["fp32"].nbytes / caches["int8"].nbytes,
        "largest_error_in_steps": ((dequantize(codes, scale) - k).abs() / scale).max().item(),
    }
