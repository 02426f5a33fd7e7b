"""GPT-2's shape on CPU: our cache over several layouts of the weights, beside `transformers` and the limit of memory.

Correctness first; then every contender a few tokens as warm-up; then rounds in which each runs in turn, so that
whatever else the machine is doing falls on all of them. tokens/s are of whole calls, prefill included, on both sides;
the share of the bandwidth limit is of the decode steps alone. Weights are random: speed does not depend on them.
"""

import time
from collections.abc import Callable
from statistics import median

import torch

from . import peers
from .attention import attend_fast
from .cache import StaticCache
from .choose import EXACT, lay_out_fastest
from .cost import cache_bytes, matmul_tokens, measure_bandwidth, roofline
from .generate import generate, generate_without_cache
from .layouts import LAYOUTS, lay_out, weight_bytes, why_absent
from .model import GPT, Config
from .stream import decode, prefill

PROMPT = 64
FP32 = (*EXACT, "fastest")                              # must give the tokens transformers gives
PLAN = {                                                # batch: (new tokens, layouts that run)
    1: (128, ("as trained", "transposed", "packed", "fastest", "bf16", "int8 weights", "W8A8")),
    8: (96, ("as trained", "packed", "fastest", "bf16", "W8A8")),
    16: (32, ("packed", "bf16", "W8A8")),
}


def bench(seed: int = 0, quick: bool = False, say: Callable[[str], None] = print) -> dict:
    """Everything, in about nine minutes and 4 GB. `quick` takes two layers, few tokens, batch 1 and one thread:
    seconds, to see that it runs; such small matrices lie in the processor's cache, so its figures say little."""
    absent = {name: reason for name in LAYOUTS if (reason := why_absent(name))}
    say("building a model of GPT-2's shape")
    config = Config(4096, 256, 2, 12, 768) if quick else Config.gpt2()
    theirs = peers.transformers_gpt2(config, seed)
    model = GPT(config, attend_fast, seed) if isinstance(theirs, str) else GPT.from_hf(theirs, attend_fast)
    laid = {name: lay_out(model, name) for name in LAYOUTS if name not in absent}
    laid["fastest"], _ = lay_out_fastest(model)
    generator = torch.Generator().manual_seed(seed)
    prompts = torch.randint(model.config.vocab_size, (16, PROMPT), generator=generator)
    checks = check(model, laid, theirs, prompts[:2], 8 if quick else 32, say)
    checks["model"] = vars(config)
    plan = {1: (16, PLAN[1][1])} if quick else PLAN
    before, tables = torch.get_num_threads(), {}
    try:
        for threads in (1,) if quick else (1, 2):
            torch.set_num_threads(threads)
            table = tables[str(threads)] = {"bandwidth": measure_bandwidth(threads)}
            for batch, (new, names) in plan.items():
                say(f"{threads} thread(s), batch {batch}: timing each shape of matrix in each layout")
                laid["fastest"], chosen = lay_out_fastest(model, batch)
                if "packed" in laid:
                    laid["packed"] = lay_out(model, "packed", batch)
                table[str(batch)] = race(laid, names, theirs, prompts[:batch], new, 2 if quick else 3, threads, say)
                table[str(batch)]["chosen"] = chosen
        torch.set_num_threads(1)
        wall = work_and_wall(model, prompts[:1, :32], 8 if quick else 64, say)
    finally:
        torch.set_num_threads(before)
    for threads, table in tables.items():
        table["bandwidth"] = max(table["bandwidth"], measure_bandwidth(int(threads)))
        for batch in plan:
            _limits(table[str(batch)], laid, model.config, table["bandwidth"], batch, plan[batch][0])
    return {"absent": absent, "checks": checks, "prompt": PROMPT, "new": {str(b): n for b, (n, _) in plan.items()},
            "peer": peers.version(), "threads": tables, "work": wall, "goals": goals(tables)}


# -- correctness -------------------------------------------------------------------------------------------------------

@torch.no_grad()
def check(model: GPT, laid: dict[str, GPT], theirs, prompts, new: int, say) -> dict:
    """Greedy tokens and logits of every layout against fp32. A RuntimeError ends the run when an exact one differs."""
    want = generate_without_cache(model, prompts, new) if isinstance(theirs, str) else \
        peers.generate(theirs, prompts, new, "dynamic")
    truth, out = model(want), {}
    for name, other in laid.items():
        say(f"checking {name}")
        got = generate(other, prompts, new, StaticCache(model.config, len(prompts), PROMPT + new))
        if name in FP32 and not torch.equal(got, want):
            raise RuntimeError(f"layout {name!r}: greedy tokens differ; nothing is timed before that is mended")
        logits = other(want)
        out[name] = {
            "identical": torch.equal(got, want),
            "agree": (logits.argmax(-1) == truth.argmax(-1)).float().mean().item(),
            "logit_error": (logits - truth).abs().max().item(),
            "weight_bytes": weight_bytes(other),
        }
    return {"tokens": new, "logit_std": truth.std().item(), "layouts": out}


# -- speed -------------------------------------------------------------------------------------------------------------

def race(laid, names, theirs, prompts, new: int, rounds: int, threads: int, say) -> dict:
    """Each contender's seconds in every round: wall and CPU of the whole call, wall of the decode steps."""
    runs = {name: (lambda n, model=laid[name]: ours(model, prompts, n)) for name in names if name in laid}
    if not isinstance(theirs, str):
        runs = {"transformers": lambda n: whole(lambda: peers.generate(theirs, prompts, n, "dynamic"))} | runs
        if len(prompts) == 1:
            runs["transformers, static"] = lambda n: whole(lambda: peers.generate(theirs, prompts, n, "static"))
    seconds = {name: [] for name in runs}
    for run in runs.values():
        run(4)
    for r in range(rounds):
        for name, run in runs.items():
            say(f"{threads} thread(s), batch {len(prompts)}, round {r + 1} of {rounds}: {name}")
            seconds[name].append(run(new))
    return {"contenders": {name: _summary(runs, len(prompts) * new) for name, runs in seconds.items()}}


def ours(model: GPT, prompts, new: int) -> dict:
    """`generate`, with its two parts timed."""
    cache = StaticCache(model.config, len(prompts), prompts.shape[1] + new)
    cpu, start = time.process_time(), time.perf_counter()
    token = prefill(model, prompts, cache).argmax(dim=-1)
    middle = time.perf_counter()
    for _ in range(new - 1):
        token = decode(model, token, cache).argmax(dim=-1)
    end = time.perf_counter()
    return {"wall": end - start, "cpu": time.process_time() - cpu, "step": (end - middle) / max(1, new - 1)}


def whole(call: Callable[[], object]) -> dict:
    """A call timed from outside."""
    cpu, start = time.process_time(), time.perf_counter()
    call()
    return {"wall": time.perf_counter() - start, "cpu": time.process_time() - cpu}


def _summary(runs: list[dict], tokens: int) -> dict:
    out = {"per_second": [tokens / run["wall"] for run in runs],
           "per_cpu_second": [tokens / run["cpu"] for run in runs]}
    if "step" in runs[0]:
        out["step"] = [run["step"] for run in runs]
    return out


def _limits(table: dict, laid: dict[str, GPT], config: Config, bandwidth: float, batch: int, new: int) -> None:
    """Beside each of ours: the most memory allows, the share of it that is reached, and the gain over the peer."""
    read = cache_bytes(config, batch, PROMPT + new // 2, 4)         # the cache is half full on average, fp32
    peer = table["contenders"].get("transformers")
    for name, row in table["contenders"].items():
        if name in laid:
            row["limit"] = roofline(weight_bytes(laid[name]), read, bandwidth, batch)
            row["share"] = batch / median(row["step"]) / row["limit"]
        if peer:
            for unit in ("per_second", "per_cpu_second"):
                row[f"gain_{unit}"] = [a / b for a, b in zip(row[unit], peer[unit], strict=True)]


def work_and_wall(model: GPT, prompt, new: int, say) -> dict:
    """The two numbers that are easily confused, on GPT-2's shape and one thread."""
    cache = StaticCache(model.config, 1, prompt.shape[1] + new)
    generate(model, prompt, 2, cache)
    say("one thread, without a cache: a few seconds")
    with_cache = whole(lambda: generate(model, prompt, new, cache))["wall"]
    without = whole(lambda: generate_without_cache(model, prompt, new))["wall"]
    avoided = matmul_tokens(prompt.shape[1], new)
    return {"prompt": prompt.shape[1], "new": new, "matmul_token_ratio": avoided[0] / avoided[1],
            "seconds": [without, with_cache], "time_ratio": without / with_cache}


# -- goals -------------------------------------------------------------------------------------------------------------

def goals(tables: dict) -> list[dict]:
    """What was aimed at and what came out. A gain is tokens/s over transformers', median over rounds."""
    def gain(threads, batch, names):
        rows = tables.get(threads, {}).get(batch, {}).get("contenders", {})
        found = [(median(rows[n]["gain_per_second"]), n) for n in names if n in rows and "gain_per_second" in rows[n]]
        return max(found, default=(None, None))

    def share(threads):
        rows = tables.get(threads, {}).get("1", {}).get("contenders", {})
        return max(((rows[n]["share"], n) for n in FP32 if n in rows), default=(None, None))

    int8 = ("int8 weights", "W8A8")
    wanted = [
        ("fp32, batch 1, one thread: gain", 1.35, gain("1", "1", FP32)),
        ("fp32, batch 1, two threads: gain", 1.6, gain("2", "1", FP32)),
        ("fp32, batch 8, one thread: gain", 2.2, gain("1", "8", FP32)),
        ("int8, batch 1, one thread: gain", 2.0, gain("1", "1", int8)),
        ("int8, batch 1, two threads: gain", 2.0, gain("2", "1", int8)),
        ("fp32, batch 1, one thread: share of the bandwidth limit", 0.75, share("1")),
        ("fp32, batch 1, two threads: share of the bandwidth limit", 0.75, share("2")),
    ]
    return [{"goal": text, "wanted": want, "got": got, "layout": name, "met": got >= want}
            for text, want, (got, name) in wanted if got is not None]
