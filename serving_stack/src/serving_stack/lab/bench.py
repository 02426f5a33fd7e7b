"""Beside transformers, alternating in one run. Correctness comes first. One thread, CPU seconds."""

import argparse
import math
import random
import time
from collections.abc import Callable
from statistics import median

import torch
import torch.nn.functional as F

from ..engine.engine import Engine, EngineConfig
from ..engine.model import GPT2, ModelConfig
from ..engine.request import Request, SamplingParams
from ..engine.runner import ModelRunner
from ..memory.paged_attention_fast import AttentionPlan
from .routing import POLICIES, routed

SIZES = {"n_layer": 12, "n_embd": 768, "n_head": 12, "vocab_size": 50257, "n_positions": 1024}
QUICK = {"n_layer": 2, "n_embd": 64, "n_head": 4, "vocab_size": 301, "n_positions": 256}
STATIC, CONTINUOUS = "transformers, static batches of 8", "transformers, continuous batching"
OURS, BATCH16, SMALL = "ours, 8 at a time", "ours, 16 at a time", "ours, W8A8, 16 at a time"


def bench(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """The trace, a batch of eight, attention, and routing.

    Raises:
        ValueError: the two sides do not generate the same tokens.
    """
    transformers = __import__("transformers")
    transformers.logging.set_verbosity_error()
    sizes = QUICK if options.quick else SIZES
    torch.manual_seed(options.seed)
    config = transformers.GPT2Config(**sizes, bos_token_id=None, eos_token_id=None)
    theirs = transformers.GPT2LMHeadModel(config).eval()
    seeds = [options.seed, options.seed + 1, options.seed + 2]
    routing = {p: [routed(p, s, count=60 if options.quick else 400) for s in seeds] for p in POLICIES}
    found = {"routing": routing, "attention": attention(1 if options.quick else 9, log)}
    return {**found, **race(theirs, sizes, 1 if options.quick else getattr(options, "rounds", 3), options.seed, log)}


def our_model(theirs, sizes: dict, layout: str) -> GPT2:
    """The same weights in our decoder."""
    weights = {name: w.detach() for name, w in theirs.state_dict().items() if name != "lm_head.weight"}
    config = ModelConfig(sizes["vocab_size"], sizes["n_embd"], sizes["n_layer"], sizes["n_head"], sizes["n_head"],
                         4 * sizes["n_embd"], sizes["n_positions"])  # fmt: skip
    return GPT2(config, weights, layout)


def requests_of(seed: int, vocab: int) -> list[tuple[list[int], int]]:
    """24 prompts of 8 to 32 tokens, with lognormal numbers of tokens to generate."""
    g = random.Random(seed)
    lengths = [min(96, max(4, int(g.lognormvariate(math.log(16), 0.9)))) for _ in range(24)]
    return [([g.randrange(vocab) for _ in range(g.randint(8, 32))], n) for n in lengths]


def serve_all(model: GPT2, work: list[tuple[list[int], int]], batch: int) -> list[list[int]]:
    """Every request at once, through our engine."""
    engine = Engine(ModelRunner(model, 240), EngineConfig(240, 16, batch, 128, prefix_caching=False), keep_log=False)
    made = [Request(str(i), prompt, SamplingParams(0, max_tokens=n)) for i, (prompt, n) in enumerate(work)]
    for request in made:
        engine.add(request)
    while engine.has_work:
        engine.step()
    return [request.output for request in made]


@torch.inference_mode()
def static(theirs, work: list[tuple[list[int], int]], batch: int = 8) -> list[list[int]]:
    """Batches of eight, padded on the left; each runs until its longest request is done."""
    found = []
    for start in range(0, len(work), batch):
        part = work[start : start + batch]
        longest = max(len(prompt) for prompt, _ in part)
        ids = torch.tensor([[0] * (longest - len(p)) + p for p, _ in part], device=theirs.device)
        mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p, _ in part], device=theirs.device)
        n = max(n for _, n in part)
        out = theirs.generate(ids, attention_mask=mask, max_new_tokens=n, min_new_tokens=n, do_sample=False,
                              pad_token_id=0)  # fmt: skip
        found += [row[:n] for row, (_, n) in zip(out[:, longest:].tolist(), part, strict=True)]
    return found


def continuous(theirs, work: list[tuple[list[int], int]]) -> list[list[int]]:
    """transformers' own continuous batching, a request's length each."""
    from transformers import ContinuousBatchingConfig, GenerationConfig

    settings = GenerationConfig(max_new_tokens=96, do_sample=False, eos_token_id=-1, pad_token_id=0)
    cache = ContinuousBatchingConfig(num_blocks=64, max_batch_tokens=128, use_cuda_graph=False)
    manager = theirs.init_continuous_batching(generation_config=settings, continuous_batching_config=cache)
    manager.start()
    for i, (prompt, n) in enumerate(work):
        manager.add_request(prompt, request_id=f"r{i}", max_new_tokens=n)
    found: dict[str, list[int]] = {}
    while len(found) < len(work):
        result = manager.get_result(timeout=60)
        if result is None:
            raise ValueError("transformers' continuous batching gives no result")
        if result.is_finished():
            found[result.request_id] = result.generated_tokens
    manager.stop(block=True)
    return [found[f"r{i}"] for i in range(len(work))]


def race(theirs, sizes: dict, rounds: int, seed: int, log: Callable[[str], None]) -> dict:
    """Useful tokens a CPU second on the trace, and tokens a CPU second of a batch of eight."""
    work = requests_of(seed + 5, sizes["vocab_size"])
    even = [(work[i][0][:8] * 2, 24) for i in range(8)]
    packed, small = our_model(theirs, sizes, "packed"), our_model(theirs, sizes, "w8a8")
    contenders = {STATIC: lambda: static(theirs, work), OURS: lambda: serve_all(packed, work, 8),
                  BATCH16: lambda: serve_all(packed, work, 16), SMALL: lambda: serve_all(small, work, 16),
                  CONTINUOUS: lambda: continuous(theirs, work)}  # fmt: skip
    pair = {STATIC: lambda: static(theirs, even), OURS: lambda: serve_all(packed, even, 8)}
    want = static(theirs, work)
    useful = sum(n for _, n in work)
    rates: dict = {name: [] for name in contenders}
    equal: dict = {}
    eight: dict = {name: [] for name in pair}
    for i in range(rounds):
        for name, call in contenders.items():
            log(f"round {i + 1} of {rounds}: {name}")
            try:
                got, seconds = timed(call)
            except Exception as error:  # a peer's experimental part may not run on every version
                if name != CONTINUOUS:
                    raise
                equal[name] = f"did not run: {type(error).__name__}: {str(error)[:80]}"
                continue
            rates[name].append(useful / seconds)
            equal[name] = sum(a == b for a, b in zip(got, want, strict=True))
        for name, call in pair.items():
            rates_of = timed(call)
            eight[name].append(8 * 24 / rates_of[1])
    if equal[OURS] != len(work) or equal[BATCH16] != len(work):
        raise ValueError(f"equal={equal}: our tokens must be those of transformers before anything is timed")
    return {"trace": {"useful tokens": useful, "requests": len(work), "rates": rates, "equal": equal}, "eight": eight}


def timed(call: Callable) -> tuple[object, float]:
    start = time.process_time()
    result = call()
    return result, time.process_time() - start


def attention(repeats: int, log: Callable[[str], None], T: int = 512, B: int = 8, layers: int = 12) -> dict:
    """One decode step's attention of 8 requests over 512 tokens: contiguous SDPA, our two forms, a plain gather."""
    log("attention")
    H, D, S = 12, 64, 16
    g = torch.Generator().manual_seed(0)
    J = T // S
    order = torch.randperm(B * J, generator=g)
    tables = order.view(B, J).tolist()
    pools = [torch.randn(2, B * J, H, S, D, generator=g) for _ in range(layers)]
    q = torch.randn(B, H, D, generator=g)
    flat = [p[:, order].view(2, B, J, H, S, D).transpose(2, 3).reshape(2, B, H, T, D).contiguous() for p in pools]
    plans = {"pool, no gather": AttentionPlan(tables, [1] * B, [T] * B, S),
             "gather": AttentionPlan(tables, [1] * B, [T] * B, S)}  # fmt: skip
    plans["gather"].dense = 0

    def contiguous() -> torch.Tensor:
        return [F.scaled_dot_product_attention(q[:, :, None], k, v)[:, :, 0] for k, v in flat][-1]

    def paged(plan: AttentionPlan) -> torch.Tensor:
        return [plan.attend(q, k, v) for k, v in pools][-1]

    calls = {"contiguous, SDPA": contiguous, **{name: lambda p=plan: paged(p) for name, plan in plans.items()}}
    want = contiguous()
    errors = {name: float((call() - want).abs().max()) for name, call in calls.items()}
    if max(errors.values()) > 1e-5:
        raise ValueError(f"errors={errors}: the forms must agree before they are timed")
    times: dict = {name: [] for name in calls}
    for _ in range(repeats):
        for name, call in calls.items():
            times[name].append(1e3 * timed(call)[1])
    return {"tokens": T, "requests": B, "layers": layers, "milliseconds": times, "errors": errors}


def goal_figures(content: dict) -> dict[str, float]:
    """Ratios that the goals are about: the median of those of each round."""
    rates, eight, times = content["trace"]["rates"], content["eight"], content["attention"]["milliseconds"]

    def ratio(a: list[float], b: list[float]) -> float:
        return median(x / y for x, y in zip(a, b, strict=True))

    best = max((OURS, BATCH16), key=lambda name: median(rates[name]))
    routing = {name: median(r["p50"] for r in rows) for name, rows in content["routing"].items()}
    found = {
        "trace": ratio(rates[best], rates[STATIC]),
        "w8a8": ratio(rates[SMALL], rates[STATIC]),
        "eight": ratio(eight[OURS], eight[STATIC]),
        "attention": ratio(times["pool, no gather"], times["contiguous, SDPA"]),
        "gather": ratio(times["gather"], times["contiguous, SDPA"]),
        "routing": routing["least loaded"] / routing["least work after cache"],
    }
    if rates[CONTINUOUS]:
        found["continuous"] = ratio(rates[best], rates[CONTINUOUS])
    return found
