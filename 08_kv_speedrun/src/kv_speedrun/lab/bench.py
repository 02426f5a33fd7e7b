"""GPT-2's shape on CPU: our cache with several layouts of the weights, `transformers`, and the limit of memory.

Correctness comes first. Then every contender runs a few tokens as warm-up. Then come rounds in which each runs in turn,
so that whatever else the machine does slows all of them. tokens/s are of whole calls with prefill, on both sides. The
share of the bandwidth limit is of decode steps alone. Weights are random: speed does not depend on them.
"""

import time
from argparse import Namespace
from collections.abc import Callable
from statistics import median

import torch
from jaxtyping import Int
from torch import Tensor, nn

from ..attention_fast import attend_fast
from ..cache import StaticCache
from ..checkpoints import from_hf
from ..config import Config
from ..cost import cache_bytes, matmul_tokens, roofline
from ..generation import generate, generate_without_cache
from ..model import GPT
from ..serving import decode, prefill
from ..weight_layouts import EXACT, LAYOUTS, lay_out, lay_out_fastest, weight_bytes, why_absent
from . import peers
from .bandwidth import measure_bandwidth
from .threads import threads as set_threads

Log = Callable[[str], None]
Prompts = Int[Tensor, "B T"]

PROMPT_LEN = 64
FP32 = (*EXACT, "fastest")  # must give the tokens that transformers gives
PLAN = {  # batch size: (new tokens, layouts that run)
    1: (128, ("as trained", "transposed", "packed", "fastest", "bf16", "int8 weights", "W8A8")),
    8: (96, ("as trained", "packed", "fastest", "bf16", "W8A8")),
    16: (32, ("packed", "bf16", "W8A8")),
}


def bench(options: Namespace, log: Log) -> dict:
    """Everything, in about nine minutes and 4 GB, on one thread and on two.

    `quick` takes two layers, few tokens, batch 1 and one thread: seconds, to see that it runs. Such small matrices fit
    into the processor's cache, so its figures mean nothing.
    """
    quick = options.quick
    config = Config(4096, 256, 2, 12, 768) if quick else Config.gpt2()
    plan = {1: (16, PLAN[1][1])} if quick else PLAN
    log("building a model of GPT-2's shape")
    peer = peers.transformers_gpt2(config, options.seed)
    model = from_hf(peer, attend_fast) if peer else GPT(config, attend_fast, options.seed)
    absent = {name: reason for name in LAYOUTS if (reason := why_absent(name))}
    laid_out = {name: lay_out(model, name) for name in LAYOUTS if name not in absent}
    laid_out["fastest"], _ = lay_out_fastest(model)
    prompts = random_prompts(config, options.seed)
    checks = check(model, laid_out, peer, prompts[:2], 8 if quick else 32, log)
    by_threads = {}
    for threads in (1,) if quick else (1, 2):
        with set_threads(threads):
            by_threads[str(threads)] = at_threads(threads, plan, model, laid_out, peer, prompts, 2 if quick else 3, log)
    with set_threads(1):
        work = work_and_time(model, prompts[:1, :32], 8 if quick else 64, log)
    return {
        "absent": absent,
        "checks": checks | {"model": vars(config)},
        "prompt_len": PROMPT_LEN,
        "max_new_tokens": {str(batch_size): new for batch_size, (new, _) in plan.items()},
        "peer": peers.version(),
        "by_threads": by_threads,
        "threads": max(map(int, by_threads)),  # goes to the meta line
        "work": work,
        "goals": goals(by_threads),
    }


def random_prompts(config: Config, seed: int) -> Prompts:
    return torch.randint(config.vocab_size, (16, PROMPT_LEN), generator=torch.Generator().manual_seed(seed))


# -- correctness -------------------------------------------------------------------------------------------------------


@torch.no_grad()
def check(model: GPT, laid_out: dict[str, GPT], peer: nn.Module | None, prompts: Prompts, new: int, log: Log) -> dict:
    """Greedy tokens and logits of every layout against fp32. A RuntimeError ends the run when an exact one differs."""
    want = peers.generate(peer, prompts, new, "dynamic") if peer else generate_without_cache(model, prompts, new)
    exact_logits, layouts = model(want), {}
    for name, other in laid_out.items():
        log(f"checking {name}")
        got = generate(other, prompts, new, StaticCache(model.config, len(prompts), PROMPT_LEN + new))
        if name in FP32 and not torch.equal(got, want):
            raise RuntimeError(f"layout={name!r}: greedy tokens differ; fix that before anything is timed")
        logits = other(want)
        layouts[name] = {
            "identical": torch.equal(got, want),
            "same_argmax": (logits.argmax(-1) == exact_logits.argmax(-1)).float().mean().item(),
            "logit_error": (logits - exact_logits).abs().max().item(),
            "weight_bytes": weight_bytes(other),
        }
    return {"tokens": new, "logit_std": exact_logits.std().item(), "layouts": layouts}


# -- speed -------------------------------------------------------------------------------------------------------------


def at_threads(threads: int, plan: dict, model: GPT, laid_out: dict[str, GPT], peer, prompts, rounds: int, log) -> dict:
    """The race at each batch size, with the bandwidth limit as measured before and after."""
    table = {"bandwidth": measure_bandwidth(threads)}
    for batch_size, (new, names) in plan.items():
        log(f"{threads} thread(s), batch {batch_size}: timing each matrix shape in each layout")
        laid_out["fastest"], chosen = lay_out_fastest(model, batch_size)
        if "packed" in laid_out:
            laid_out["packed"] = lay_out(model, "packed", batch_size)
        contenders = race(
            {name: laid_out[name] for name in names if name in laid_out},
            peer,
            prompts[:batch_size],
            new,
            rounds,
            lambda line, batch_size=batch_size: log(f"{threads} thread(s), batch {batch_size}, {line}"),
        )
        table[str(batch_size)] = {"contenders": contenders, "chosen": chosen}
    table["bandwidth"] = max(table["bandwidth"], measure_bandwidth(threads))
    for batch_size, (new, _) in plan.items():
        add_limits(table[str(batch_size)]["contenders"], laid_out, model.config, table["bandwidth"], batch_size, new)
    return table


def race(models: dict[str, GPT], peer: nn.Module | None, prompts: Prompts, new: int, rounds: int, log: Log) -> dict:
    """Each contender's tokens per second and per CPU second in every round, and the seconds of a decode step."""
    runs = {name: (lambda n, model=model: time_ours(model, prompts, n)) for name, model in models.items()}
    if peer:
        dynamic = {"transformers": lambda n: time_call(lambda: peers.generate(peer, prompts, n, "dynamic"))}
        static = {"transformers, static": lambda n: time_call(lambda: peers.generate(peer, prompts, n, "static"))}
        runs = dynamic | runs | (static if len(prompts) == 1 else {})
    seconds = {name: [] for name in runs}
    for run in runs.values():
        run(4)
    for round_number in range(1, rounds + 1):
        for name, run in runs.items():
            log(f"round {round_number} of {rounds}: {name}")
            seconds[name].append(run(new))
    return {name: summary(times, len(prompts) * new) for name, times in seconds.items()}


def time_ours(model: GPT, prompts: Prompts, new: int) -> dict:
    """`generate`, with its two parts timed."""
    cache = StaticCache(model.config, len(prompts), prompts.shape[1] + new)
    cpu, start = time.process_time(), time.perf_counter()
    token = prefill(model, prompts, cache).argmax(dim=-1)
    middle = time.perf_counter()
    for _ in range(new - 1):
        token = decode(model, token, cache).argmax(dim=-1)
    end = time.perf_counter()
    return {"wall": end - start, "cpu": time.process_time() - cpu, "step": (end - middle) / max(1, new - 1)}


def time_call(call: Callable[[], object]) -> dict:
    """A call timed from outside."""
    cpu, start = time.process_time(), time.perf_counter()
    call()
    return {"wall": time.perf_counter() - start, "cpu": time.process_time() - cpu}


def summary(times: list[dict], tokens: int) -> dict:
    out = {
        name: [tokens / t[clock] for t in times] for name, clock in (("per_second", "wall"), ("per_cpu_second", "cpu"))
    }
    if "step" in times[0]:
        out["step"] = [t["step"] for t in times]
    return out


def add_limits(contenders: dict, laid_out: dict, config: Config, bandwidth: float, batch_size: int, new: int) -> None:
    """To each of ours: the most that memory allows, the share of it that is reached, the gain over the peer."""
    read = cache_bytes(config, batch_size, PROMPT_LEN + new // 2, 4)  # fp32; half of the new tokens on average
    peer = contenders.get("transformers")
    for name, row in contenders.items():
        if name in laid_out:
            row["limit"] = roofline(weight_bytes(laid_out[name]), read, bandwidth, batch_size)
            row["share"] = batch_size / median(row["step"]) / row["limit"]
        if peer:
            for unit in ("per_second", "per_cpu_second"):
                row[f"gain_{unit}"] = [a / b for a, b in zip(row[unit], peer[unit], strict=True)]


def work_and_time(model: GPT, prompt: Prompts, new: int, log: Log) -> dict:
    """Two numbers that are easily confused, on GPT-2's shape: the work avoided, and the time gained."""
    log("one thread, without a cache: a few seconds")
    prompt_len = prompt.shape[1]
    cache = StaticCache(model.config, 1, prompt_len + new)
    generate(model, prompt, 2, cache)
    seconds_with = time_call(lambda: generate(model, prompt, new, cache))["wall"]
    seconds_without = time_call(lambda: generate_without_cache(model, prompt, new))["wall"]
    tokens = matmul_tokens(prompt_len, new)
    return {
        "prompt_len": prompt_len,
        "max_new_tokens": new,
        "matmul_token_ratio": tokens[0] / tokens[1],
        "seconds": [seconds_without, seconds_with],
        "time_ratio": seconds_without / seconds_with,
    }


# -- goals -------------------------------------------------------------------------------------------------------------

INT8 = ("int8 weights", "W8A8")
GOALS = (  # what, threads, batch size, layouts, measure, at least
    ("fp32, batch 1, one thread: gain", "1", "1", FP32, "gain", 1.35),
    ("fp32, batch 1, two threads: gain", "2", "1", FP32, "gain", 1.6),
    ("fp32, batch 8, one thread: gain", "1", "8", FP32, "gain", 2.2),
    ("int8, batch 1, one thread: gain", "1", "1", INT8, "gain", 2.0),
    ("int8, batch 1, two threads: gain", "2", "1", INT8, "gain", 2.0),
    ("fp32, batch 1, one thread: share of the bandwidth limit", "1", "1", FP32, "share", 0.75),
    ("fp32, batch 1, two threads: share of the bandwidth limit", "2", "1", FP32, "share", 0.75),
)


def goals(by_threads: dict) -> list[dict]:
    """What was wanted and what came out. A gain is tokens/s over transformers', median over rounds."""
    out = []
    for goal, threads, batch_size, names, what, wanted in GOALS:
        rows = by_threads.get(threads, {}).get(batch_size, {}).get("contenders", {})
        values = {name: value_of(rows[name], what) for name in names if name in rows}
        values = {name: value for name, value in values.items() if value is not None}
        if values:
            best = max(values, key=values.get)
            out.append({"goal": goal, "wanted": wanted, "got": values[best], "layout": best})
    return out


def value_of(row: dict, what: str) -> float | None:
    if what == "gain":
        return median(row["gain_per_second"]) if "gain_per_second" in row else None
    return row.get("share")
