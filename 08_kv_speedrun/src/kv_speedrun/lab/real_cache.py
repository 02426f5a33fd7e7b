"""A real model with the chapter's caches: bytes, tokens a second, what int8 costs, and llama.cpp on the same file.

Everything is checked before it is timed: greedy tokens with the cache equal those without. Contenders run in turn.
"""

import time
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from jaxtyping import Int
from torch import Tensor

from ..cache import StaticCache
from ..config import Config
from ..cost import cache_bytes, roofline
from ..generation import generate, generate_without_cache
from ..int8_cache import Int8Cache
from ..model import GPT
from ..weight_layouts import lay_out, lay_out_fastest, weight_bytes, why_absent
from .bandwidth import measure_bandwidth
from .bench import summary, time_call, time_ours
from .experiment import allocated
from .fetch import load_text
from .fetch import model as model_file
from .real_model import read_llama
from .threads import threads as set_threads

Log = Callable[[str], None]
PROMPT_LEN, NEW = 64, 64
LENGTHS = (512, 2048, 8192)
ROUNDED = ("int8 weights", "W8A8")
LLAMA_CPP = "llama.cpp, Q4_1"


def smollm2(options: Namespace, log: Log) -> dict:
    """About four minutes on one core and 3 GB. `--quick` keeps two of thirty layers and one round.

    Raises:
        OSError: the model is not on this machine.
        ValueError: the extra `real` is missing.
    """
    path = model_file("smollm2", log)
    log("reading the model")
    model = read_llama(path, 2 if options.quick else None)
    rows, length = (2, 64) if options.quick else (8, 512)
    windows = token_windows(path, load_text(options.data), rows, length + 1, options.seed)
    prompt = windows[:1, :PROMPT_LEN]
    new, rounds = (4, 1) if options.quick else (NEW, 3)
    with set_threads(options.threads):
        check(model, prompt, min(new, 32), log)
        loss = losses(model, windows, log)
        laid_out = {"fp32, as trained": lay_out(model, "as trained")}
        laid_out["fp32, fastest"], chosen = lay_out_fastest(model)
        laid_out |= {name: lay_out(model, name) for name in ROUNDED if not why_absent(name)}
        loss["layouts"] = {name: layout_loss(laid_out[name], windows, log) for name in ROUNDED if name in laid_out}
        runs = race(model, laid_out, path, prompt, new, rounds, log)
        bandwidth = measure_bandwidth(options.threads)
    for name, version in laid_out.items():
        read = weight_bytes(version) + cache_bytes(model.config, 1, PROMPT_LEN + new // 2, 4)
        runs[name]["limit"] = roofline(read, 0, bandwidth)
    return {
        "model": {**model.sizes._asdict(), "parameters": sum(p.numel() for p in model.parameters())},
        "memory": memory(model.config, model.sizes.heads),
        "loss": loss,
        "prompt_len": PROMPT_LEN,
        "max_new_tokens": new,
        "bandwidth": bandwidth,
        "chosen": chosen,
        "speed": runs,
        "threads": options.threads,
    }


def token_windows(path: Path, text: str, rows: int, length: int, seed: int) -> Int[Tensor, "B T"]:
    """Random stretches of the text in the model's own tokens (transformers reads the tokenizer from the file)."""
    try:
        from transformers import AutoTokenizer
    except ImportError:
        raise ValueError("transformers is not installed: pip install -e '.[real]'") from None
    tokenizer = AutoTokenizer.from_pretrained(str(path.parent), gguf_file=path.name)
    ids = torch.tensor(tokenizer(text[:400_000], add_special_tokens=False)["input_ids"])
    generator = torch.Generator().manual_seed(seed)
    starts = torch.randint(len(ids) - length + 1, (rows,), generator=generator)
    return ids.unfold(0, length, 1)[starts]


def check(model: GPT, prompt: Int[Tensor, "1 T"], new: int, log: Log) -> None:
    """Greedy tokens with the cache equal those without. A RuntimeError ends the run."""
    want = generate_without_cache(model, prompt, new)
    if not torch.equal(generate(model, prompt, new, StaticCache(model.config, 1, PROMPT_LEN + new)), want):
        raise RuntimeError("the cache changes the tokens; fix that before anything is timed")
    log(f"checked: {new} greedy tokens are the same with and without a cache")


def memory(config: Config, heads: int) -> dict:
    """Bytes of one row: formula and allocated, and the formula if every query head had keys of its own."""
    caches = {"fp32": lambda n: StaticCache(config, 1, n), "bf16": lambda n: StaticCache(config, 1, n, torch.bfloat16),
              "int8": lambda n: Int8Cache(config, 1, n)}  # fmt: skip
    formula = {
        "fp32": [cache_bytes(config, 1, n, 4) for n in LENGTHS],
        "bf16": [cache_bytes(config, 1, n, 2) for n in LENGTHS],
        "int8": [cache_bytes(config, 1, n, 1) + cache_bytes(config, 1, n, 4) // config.head_dim for n in LENGTHS],
    }
    measured = {kind: [allocated(make(n)) for n in LENGTHS] for kind, make in caches.items()}
    unshared = [size * heads // config.heads for size in formula["fp32"]]
    return {"lengths": list(LENGTHS), "predicted": formula, "measured": measured, "unshared": unshared}


@torch.no_grad()
def losses(model: GPT, windows: Int[Tensor, "B T"], log: Log) -> dict:
    """Loss in nats per token through either cache, window by window."""
    rows, T = windows.shape
    found = {}
    for name, make in (("fp32", StaticCache), ("int8", Int8Cache)):
        log(f"loss through the {name} cache, {rows} windows of {T - 1} tokens")
        found[name] = torch.stack([window_loss(model, row[None], make(model.config, 1, T)) for row in windows])
    change = found["int8"] - found["fp32"]
    return {
        "windows": rows,
        "length": T - 1,
        "fp32": found["fp32"].mean().item(),
        "int8": found["int8"].mean().item(),
        "change": change.mean().item(),
        "change_stderr": change.std().item() / rows**0.5,
    }


@torch.no_grad()
def layout_loss(model: GPT, windows: Int[Tensor, "B T"], log: Log) -> float:
    """Loss of a model with rounded weights on the same windows, cache in fp32."""
    log("loss with rounded weights")
    return torch.stack([window_loss(model, row[None], None) for row in windows]).mean().item()


def window_loss(model: GPT, row: Int[Tensor, "1 T"], cache) -> Tensor:
    return F.cross_entropy(model(row[:, :-1], cache)[0], row[0, 1:])


def race(model: GPT, laid_out: dict[str, GPT], path: Path, prompt, new: int, rounds: int, log: Log) -> dict:
    """tokens/s of whole calls, prefill included, in rounds in which each contender runs in turn."""
    runs: dict[str, Callable[[int], dict]] = {
        "fp32, no cache": lambda n: time_call(lambda: generate_without_cache(model, prompt, n))
    }
    runs |= {name: (lambda n, version=version: time_ours(version, prompt, n)) for name, version in laid_out.items()}
    if peer := llama_cpp(path, torch.get_num_threads()):
        runs[LLAMA_CPP] = lambda n: time_llama_cpp(peer, prompt[0].tolist(), n)
    seconds: dict[str, list] = {name: [] for name in runs}
    for run in runs.values():
        run(2)
    for round_number in range(1, rounds + 1):
        for name, run in runs.items():
            log(f"round {round_number} of {rounds}: {name}")
            seconds[name].append(run(new))
    return {name: summary(times, new) for name, times in seconds.items()}


def llama_cpp(path: Path, threads: int):
    """llama.cpp on the file as it is (blocks of 32 weights in 5 bits each), None where it is not installed."""
    try:
        from llama_cpp import Llama
    except ImportError:
        return None
    return Llama(str(path), n_ctx=512, n_threads=threads, n_threads_batch=threads, verbose=False)


def time_llama_cpp(peer, prompt: list[int], new: int) -> dict:
    """Greedy tokens, with the decode steps timed alone too."""
    peer.reset()
    cpu, start = time.process_time(), time.perf_counter()
    tokens = peer.generate(prompt, temp=0.0, repeat_penalty=1.0)
    next(tokens)
    middle = time.perf_counter()
    for _ in range(new - 1):
        next(tokens)
    end = time.perf_counter()
    return {"wall": end - start, "cpu": time.process_time() - cpu, "step": (end - middle) / max(1, new - 1)}
