"""W8A8 on a GPU: a layer beside bf16 and fp32, and a decoder of SmolLM2's shape, reading a prompt and decoding."""

import argparse
import copy
import time
from collections.abc import Callable
from functools import cache
from statistics import median

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..granularity import quantize_channels, quantize_tokens
from ..linear_fast import rows_to_add, whole_int8_linear
from ..model import Config, Decoder, generate
from . import record
from .bench import SMOLLM2, size_of, to_int8
from .markdown import meta_line, spread, table

Log = Callable[[str], None]
Calls = dict[str, Callable[[int], Tensor]]
COPIES = 8  # of the weight, taken in turn: one alone would stay in the GPU's cache
OURS, COMPILED, PRODUCT, BF16, FP32 = "W8A8", "W8A8, compiled", "`_int_mm` alone", "bf16", "fp32"


def gpu(options: argparse.Namespace, log: Log) -> dict:
    """Layer, decoder, and the limits of the device in the same run; about 40 seconds.

    Raises:
        ValueError: no device was given, or the sides do not agree.
    """
    if options.device == "cpu":
        raise ValueError("device='cpu': this command measures a GPU; give --device cuda")
    is_cuda = torch.device(options.device).type == "cuda"
    found = {"device": torch.cuda.get_device_name() if is_cuda else options.device}
    found["cuda"] = torch.version.cuda if is_cuda else ""
    with torch.no_grad():
        return found | {"limits": limits(options, log), "layer": layer(options, log), "decoder": decoder(options, log)}


def seconds(device: str, call: Callable[[int], object], burst: int) -> float:
    """Of one call, when so many follow each other."""
    wait(device)
    start = time.perf_counter()
    for i in range(burst):
        call(i)
    wait(device)
    return (time.perf_counter() - start) / burst


def wait(device: str) -> None:
    """Until the device has done what it was given."""
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize()


def race(device: str, calls: Calls, repeats: int, burst: int) -> dict[str, list[float]]:
    """Seconds of each call, in turn, after one round that is not counted."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(repeats + 1):
        for name, call in calls.items():
            times[name].append(seconds(device, call, burst))
    return {name: values[1:] for name, values in times.items()}


def limits(options: argparse.Namespace, log: Log) -> dict[str, list[float]]:
    """Operations/s of square products in bf16 and int8, and bytes/s of a copy, read and written."""
    log("limits")
    n, size = (256, 2**20) if options.quick else (8192, 2**30)
    half = torch.randn(n, n, device=options.device, dtype=torch.bfloat16)
    eight = torch.randint(-127, 128, (n, n), device=options.device, dtype=torch.int8)
    source = torch.randint(0, 99, (size,), device=options.device, dtype=torch.int8)
    target = torch.empty_like(source)
    calls: Calls = {
        "bf16": lambda i: half @ half.T,
        "int8": lambda i: torch._int_mm(eight, eight.T),
        "copy": lambda i: target.copy_(source),
    }
    work = {"bf16": 2 * n**3, "int8": 2 * n**3, "copy": 2 * size}
    times = race(options.device, calls, 2 if options.quick else 7, 5)
    return {name: [work[name] / s for s in values] for name, values in times.items()}


def layer(options: argparse.Namespace, log: Log) -> dict:
    """Microseconds and errors of a layer for few and many tokens. The inputs are bf16, as in a model."""
    size, tokens = (64, (1, 40)) if options.quick else (4096, (1, 32, 512, 4096))
    generator = torch.Generator(options.device).manual_seed(options.seed)
    weights = torch.randn(COPIES, size, size, device=options.device, generator=generator) / size**0.5
    compiled, why = cache(lambda: torch.compile(whole_int8_linear, dynamic=False)), ""
    found: dict = {"size": size, "tokens": {}}
    for T in tokens:
        log(f"layer, {T} tokens")
        x = torch.randn(T, size, device=options.device, generator=generator).bfloat16()
        calls = layer_calls(x, weights)
        if not why and not options.quick:
            why = refused(calls, lambda *given: compiled()(*given), x, weights)
        errors = errors_of(calls, x, weights[0])
        times = race(options.device, calls, 2 if options.quick else 7, 10 if T > 1000 else 50)
        us = {name: [1e6 * s for s in values] for name, values in times.items()}
        found["tokens"][str(T)] = {"us": us, "error": errors}
    return found | {"why": why}


def layer_calls(x: Tensor, weights: Tensor) -> Calls:
    """Each way to compute the layer, with the i-th weight. `_int_mm` alone gets codes that are there already."""
    codes, scales = zip(*(quantize_channels(w) for w in weights), strict=True)
    half, n = weights.bfloat16(), len(weights)
    wide = x.float()
    x_codes = F.pad(quantize_tokens(wide)[0], (0, 0, 0, rows_to_add(len(x))))
    return {
        OURS: lambda i: whole_int8_linear(x, codes[i % n], scales[i % n]),
        PRODUCT: lambda i: torch._int_mm(x_codes, codes[i % n].T),
        BF16: lambda i: F.linear(x, half[i % n]),
        FP32: lambda i: F.linear(wide, weights[i % n]),
    }


def refused(calls: Calls, compiled: Callable, x: Tensor, weights: Tensor) -> str:
    """Adds the compiled layer to the calls; or says why it is left out."""
    codes, scales = zip(*(quantize_channels(w) for w in weights), strict=True)
    n = len(weights)
    try:
        y, wanted = compiled(x, codes[0], scales[0]).float(), calls[OURS](0).float()
    except Exception as error:  # tracing, generated code and its compilers fail in kinds of their own
        return f"torch.compile failed here with {type(error).__name__}; the compiled layer is left out."
    if not (y - wanted).norm() < 0.01 * wanted.norm():
        return f"Compiled, the layer of {len(x)} tokens gave other numbers; from there on it is left out."
    calls[COMPILED] = lambda i: compiled(x, codes[i % n], scales[i % n])
    return ""


def errors_of(calls: Calls, x: Tensor, weight: Tensor) -> dict[str, float]:
    """Root mean square error against float64, as a share of the output. `_int_mm` has no scales, and no error here.

    Raises:
        ValueError: an error that rounding does not explain.
    """
    exact = x.double() @ weight.double().T
    found = {}
    for name, call in calls.items():
        if name != PRODUCT:
            found[name] = float((call(0) - exact).square().mean().sqrt() / exact.square().mean().sqrt())
            if not found[name] < 0.05:
                raise ValueError(f"error={found[name]:.3f}: {name} must agree with float64 before it is timed")
    return found


def decoders(options: argparse.Namespace) -> dict[str, Decoder]:
    """One model in three forms. W8A8 takes its codes from the fp32 weights, and computes the rest in bf16."""
    tiny = Config(vocab_size=304, d_model=48, layers=2, heads=3, kv_heads=1, ffn=64)
    full = Decoder(tiny if options.quick else SMOLLM2, options.seed).requires_grad_(False).eval().to(options.device)
    eight = to_int8(copy.deepcopy(full))
    for module in eight.modules():
        for name, p in module._parameters.items():
            if p is not None:
                setattr(module, name, nn.Parameter(p.bfloat16(), requires_grad=False))
    return {OURS: eight, BF16: copy.deepcopy(full).bfloat16(), FP32: full}


def decoder(options: argparse.Namespace, log: Log) -> dict:
    """Tokens/s of reading a prompt of 2,048 tokens, and of decoding with one row and with 32."""
    prompt, new, repeats = (40, 4, 2) if options.quick else (2048, 16, 5)
    models = decoders(options)
    generator = torch.Generator(options.device).manual_seed(options.seed)
    vocabulary = models[FP32].config.vocab_size
    ids = torch.randint(vocabulary, (32, prompt), device=options.device, generator=generator)
    log("decoder: logits")
    exact = models[FP32](ids[:1])
    error = {name: share(model(ids[:1]), exact) for name, model in models.items() if name != FP32}
    if not max(error.values()) < 0.5:
        raise ValueError(f"error={error}: the logits must agree before anything is timed")
    del exact
    log("decoder: prompt")
    reading: Calls = {name: (lambda i, m=model: m(ids[:1])) for name, model in models.items()}
    found = {"prompt": prompt, "new": new, "error": error, "bytes": {n: size_of(m) for n, m in models.items()}}
    found["reading"] = rates(race(options.device, reading, repeats, 3), prompt)
    found["decoding"] = {}
    for rows in (1, 32):
        log(f"decoder: {rows} rows")
        calls: Calls = {name: (lambda i, m=m, r=rows: generate(m, ids[:r, :8], new)) for name, m in models.items()}
        found["decoding"][str(rows)] = rates(race(options.device, calls, repeats, 1), rows * new)
    return found


def share(y: Tensor, exact: Tensor) -> float:
    return float((y.float() - exact).square().mean().sqrt() / exact.square().mean().sqrt())


def rates(times: dict[str, list[float]], tokens: int) -> dict[str, list[float]]:
    return {name: [tokens / s for s in values] for name, values in times.items()}


def table_of(content: dict | None = None) -> str:
    """Layer, decoder and limits. One sentence where no run is recorded."""
    c = content or record.read(record.COMMITTED).get("gpu")
    if c is None:
        return "No run on a GPU is recorded.\n"
    parts = [layer_table(c), c["layer"]["why"], decoder_table(c), limits_sentence(c), meta_line(c)]
    return "\n\n".join(part for part in parts if part) + "\n"


def layer_table(c: dict) -> str:
    """Microseconds by tokens, then the largest errors."""
    by = c["layer"]["tokens"]
    names = list(dict.fromkeys(name for found in by.values() for name in found["us"]))
    rows = [(f"tokens through a layer of {c['layer']['size']:,}², µs", *names)]
    rows += [(f"{int(T):,}", *(spread(found["us"].get(n, []), 0) for n in names)) for T, found in by.items()]
    worst = {n: max((found["error"].get(n, 0) for found in by.values()), default=0) for n in names}
    rows.append(("largest error against float64", *(f"{worst[n]:.2%}" if worst[n] else "" for n in names)))
    return table(rows)


def decoder_table(c: dict) -> str:
    """Tokens/s, and how much of the copy's bandwidth the weights take while one row is decoded."""
    d, copied = c["decoder"], median(c["limits"]["copy"])
    names = list(d["reading"])
    rows = [("SmolLM2's shape, tokens/s", *names)]
    rows.append((f"a prompt of {d['prompt']:,} tokens", *(spread(d["reading"][n], 0) for n in names)))
    for rows_, found in d["decoding"].items():
        rows.append((f"decoding, {rows_} row{'' if rows_ == '1' else 's'}", *(spread(found[n], 0) for n in names)))
    rows.append(("megabytes of weights a step", *(f"{d['bytes'][n] / 1e6:.0f}" for n in names)))
    used = {n: median(d["decoding"]["1"][n]) * d["bytes"][n] / copied for n in names}
    rows.append(("share of the copy's bytes/s, one row", *(f"{used[n]:.1%}" for n in names)))
    rows.append(("logits against fp32", *(f"{d['error'][n]:.1%}" if n in d["error"] else "" for n in names)))
    return table(rows)


def limits_sentence(c: dict) -> str:
    """The device's name and what it reached in the same run."""
    bf16, int8, copied = (median(c["limits"][name]) for name in ("bf16", "int8", "copy"))
    return (
        f"{c['device']}, CUDA {c['cuda']}. In the same run products of 8,192³ reach {bf16 / 1e12:.0f} TFLOP/s in bf16 "
        f"and {int8 / 1e12:.0f} TOP/s in int8, and a copy {copied / 1e9:,.0f} GB/s, read and written."
    )
