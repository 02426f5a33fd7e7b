"""The race of the command gpu: contenders, the comparison of their answers, and what is timed of them."""

import time
from collections.abc import Callable
from statistics import median

import torch

from ..engine.captured import CapturedRunner
from ..engine.engine import Engine, EngineConfig
from ..engine.request import Request, SamplingParams
from ..engine.runner import ModelRunner
from .bench import our_model, static

THEIRS, STATIC = "transformers, static batches of 8", "ours, static batches of 8"
OURS, CAPTURED, WIDE = "ours, 8 at a time", "ours, 8 at a time, captured", "ours, 16 at a time, captured"
BATCH = {THEIRS: 8, STATIC: 8, OURS: 8, CAPTURED: 8, WIDE: 16}
BLOCKS, PROMPT, STEPS = 240, 32, 24  # of a runner; tokens of a prompt and decoding steps where a step is timed
TIE = 1e-3  # float32 logits nearer than this may change places; their deviation is about 0.5
Work = list[tuple[list[int], int]]


def copy_bandwidth(device: torch.device, size: int, repeats: int = 7) -> list[float]:
    """Bytes read and written a second, when so many bytes are copied."""
    source = torch.zeros(size, dtype=torch.uint8, device=device)
    target = torch.empty_like(source)
    target.copy_(source)
    return [2 * size / timed(lambda: target.copy_(source), device)[1] for _ in range(repeats)]


def timed(call: Callable, device: torch.device) -> tuple[object, float]:
    """The result and the seconds by the clock, with everything that the device was given to do."""
    wait = torch.cuda.synchronize if device.type == "cuda" else lambda: None
    wait()
    start = time.perf_counter()
    result = call()
    wait()
    return result, time.perf_counter() - start


def race(theirs, exact, sizes: dict, work: Work, rounds: int, log: Callable[[str], None]) -> dict:
    """Tokens a second on the trace, and milliseconds of a decoding step, after the answers were compared."""
    device, model = theirs.device, our_model(theirs, sizes, "plain")
    plain = ModelRunner(model, BLOCKS, attention="padded")
    runners = {STATIC: plain, OURS: plain, CAPTURED: CapturedRunner(model, BLOCKS, rows=8),
               WIDE: CapturedRunner(model, BLOCKS, rows=16)}  # fmt: skip
    calls = {THEIRS: lambda: static(theirs, work)}
    calls |= {n: lambda n=n, r=r: serve(r, work, BATCH[n], n == STATIC) for n, r in runners.items()}
    steps = {THEIRS: lambda: their_step(theirs)}
    steps |= {n: lambda n=n, r=r: our_step(r, BATCH[n]) for n, r in runners.items() if n != STATIC}
    log("the same answers")
    equal, gaps = compared(calls, exact, work, TIE if theirs is exact else None)
    calls, steps = ({n: call for n, call in some.items() if n in gaps} for some in (calls, steps))
    for call in steps.values():
        call()  # whatever is made at the first call is made now
    found = {"equal": equal, "gaps": gaps, "rates": {n: [] for n in calls}, "ms": {n: [] for n in steps}}
    found["bytes of a step"] = {n: bytes_of_step(theirs, BATCH[n]) for n in steps}
    useful = sum(n for _, n in work)
    for i in range(rounds):
        for name, call in calls.items():
            log(f"round {i + 1} of {rounds}, {name}")
            found["rates"][name].append(useful / timed(call, device)[1])
        for name, call in steps.items():
            found["ms"][name].append(call())
    return found


def compared(calls: dict[str, Callable], exact, work: Work, most: float | None) -> tuple[dict, dict]:
    """How many answers are those of transformers, and the largest `gap` of the others, by contender.

    A captured contender that fails, or is wrong, stands in the first with a sentence and is missing in the second.

    Raises:
        ValueError: a gap of another is larger than `most`.
    """
    want = calls[THEIRS]()
    equal: dict[str, int | str] = {}
    gaps: dict[str, float] = {}
    for name, call in calls.items():
        try:
            got = want if name == THEIRS else call()
            parting = max(gap(exact, p, *pair) for (p, _), *pair in zip(work, got, want, strict=True))
            if most is not None and parting > most:
                raise ValueError(
                    f"{name}: answers part from those of transformers where logits differ by {parting:.3g}"
                )
        except (RuntimeError, ValueError) as error:
            if name not in (CAPTURED, WIDE):
                raise
            equal[name] = f"did not run: {' '.join(str(error).split())[:120]}"
            continue
        equal[name], gaps[name] = sum(a == b for a, b in zip(got, want, strict=True)), parting
    return equal, gaps


@torch.inference_mode()
def gap(exact, prompt: list[int], ours: list[int], theirs: list[int]) -> float:
    """How much the logits of the two tokens differ where two answers part, by the model in float32; 0 if they agree."""
    if ours == theirs:
        return 0.0
    at = next(i for i, (a, b) in enumerate(zip(ours, theirs, strict=True)) if a != b)
    logits = exact(torch.tensor([prompt + theirs[:at]], device=exact.device)).logits[0, -1]
    return float((logits[ours[at]] - logits[theirs[at]]).abs())


def serve(runner: ModelRunner, work: Work, batch: int, in_batches: bool) -> list[list[int]]:
    """Every request through our engine. In batches, none joins before the longest of the batch is done."""
    engine = Engine(runner, EngineConfig(BLOCKS, 16, batch, 128, prefix_caching=False), keep_log=False)
    made = [Request(str(i), prompt, SamplingParams(0, max_tokens=n)) for i, (prompt, n) in enumerate(work)]
    size = batch if in_batches else len(made)
    for start in range(0, len(made), size):
        for request in made[start : start + size]:
            engine.add(request)
        while engine.has_work:
            engine.step()
    return [request.output for request in made]


def our_step(runner: ModelRunner, batch: int) -> float:
    """Milliseconds of a step that decodes `batch` requests, the median of STEPS."""
    engine = Engine(runner, EngineConfig(BLOCKS, 16, batch, batch * PROMPT, prefix_caching=False), keep_log=False)
    for i in range(batch):
        engine.add(Request(str(i), list(range(i, i + PROMPT)), SamplingParams(0, max_tokens=STEPS + 3)))
    engine.step()  # the prompts
    engine.step()
    return 1e3 * median(timed(engine.step, runner.device)[1] for _ in range(STEPS))


def their_step(theirs) -> float:
    """The same of transformers: what STEPS more tokens cost, a token."""
    batch = BATCH[THEIRS]
    short, long = ([(list(range(i, i + PROMPT)), n) for i in range(batch)] for n in (1, 1 + STEPS))
    seconds = [timed(lambda part=part: static(theirs, part, batch), theirs.device)[1] for part in (short, long)]
    return 1e3 * (seconds[1] - seconds[0]) / STEPS


def bytes_of_step(theirs, batch: int) -> int:
    """What a decoding step must read: every weight but the positions, and the keys and values of its requests."""
    weights = sum(w.nbytes for name, w in theirs.named_parameters() if "wpe" not in name)
    c, tokens = theirs.config, batch * (PROMPT + STEPS // 2)
    return weights + 2 * c.n_layer * c.n_embd * tokens * theirs.dtype.itemsize
