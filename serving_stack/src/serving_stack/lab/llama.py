"""Beside llama.cpp: files of one model by size, seconds and loss, and two servers at equal bits and threads."""

import argparse
import ctypes
import importlib.util
import os
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from mmap import ACCESS_READ, mmap
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import httpx
import numpy as np

from ..formats.gguf_reader import read_gguf_header
from ..formats.load import load_gguf, load_tokenizer
from . import fetch
from .markdown import goals, meta_line, section, spread, table
from .peer_files import NAME, real, write_file
from .peers import LLAMA, OURS, Peer, serving
from .smollm2 import PROMPTS

BY_HAND = ("F32", "F16", "Q8_0", "Q4_1", "Q4_0")
BY_LLAMA = "Q4_K_M"
TYPES = {0: "F32", 1: "F16", 2: "Q4_0", 3: "Q4_1", 6: "Q5_0", 7: "Q5_1", 8: "Q8_0", 12: "Q4_K", 13: "Q5_K", 14: "Q6_K"}


def llama(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """Six files, then two servers.

    Raises:
        ValueError: llama-cpp-python is not installed here.
    """
    if importlib.util.find_spec("llama_cpp") is None:
        raise ValueError("llama_cpp is not installed; run this in the environment of 'peers-llama'")
    tokens, length = (8, 64) if options.quick else (32, 512)
    with TemporaryDirectory() as name:
        folder, checkpoint = Path(name), real()
        text = load_tokenizer(checkpoint).encode(fetch.load_text(options.data)[: 8 * length])[:length]
        files = {}
        for kind in BY_HAND[1:2] if options.quick else BY_HAND:
            log(f"{kind}, by hand")
            files[kind] = measured(write_file(folder / f"{kind}.gguf", checkpoint, kind), text)
        log(f"{BY_LLAMA}, by llama.cpp from our F16 file")
        files[BY_LLAMA] = measured(quantized(folder / "F16.gguf", folder / "k.gguf"), text)
        write_file(folder / "f32.gguf", real(endless=True), "F32")
        rates = race(folder, tokens, 1 if options.quick else 3, options.threads, log)
    return {"files": files, "text": len(text), "rates": rates, "tokens": tokens}


def quantized(source: Path, target: Path) -> Path:
    """llama.cpp's Q4_K_M of an F16 file. Raises OSError if it refuses."""
    import llama_cpp

    params = llama_cpp.llama_model_quantize_default_params()
    params.nthread, params.ftype = 1, llama_cpp.LLAMA_FTYPE_MOSTLY_Q4_K_M
    code = llama_cpp.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(params))
    if code:
        raise OSError(f"{source}: llama.cpp did not quantize it (code {code})")
    return target


def types_of(path: Path) -> dict[str, dict[str, int]]:
    """{part of the model: {type: number of matrices}}, read by our own reader."""
    with open(path, "rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as data:
        header = read_gguf_header(data)
    found: dict[str, Counter] = {}
    for tensor in header.tensors:
        if len(tensor.shape) == 2:
            part = tensor.name.removesuffix(".weight").rpartition(".")[2]
            found.setdefault(f"{part}, {tensor.shape[1]} wide", Counter())[TYPES.get(tensor.type, "other")] += 1
    return {part: dict(count) for part, count in sorted(found.items())}


def measured(path: Path, text: list[int]) -> dict:
    """Size, seconds to load here and there, and the mean loss that llama.cpp has on a text."""
    import llama_cpp

    start = time.perf_counter()
    model = llama_cpp.Llama(str(path), n_ctx=len(text), n_threads=1, n_threads_batch=1, logits_all=True, verbose=False)
    theirs = time.perf_counter() - start
    model.eval(text)
    logits = np.array(model.scores[: len(text) - 1], dtype=np.float64)
    top = logits.max(1)
    total = top + np.log(np.exp(logits - top[:, None]).sum(1))
    loss = float((total - logits[np.arange(len(text) - 1), text[1:]]).mean())
    model.close()
    start = time.perf_counter()
    try:
        load_gguf(path)
        ours = time.perf_counter() - start
    except ValueError:  # a type that is not read here
        ours = None
    return {"bytes": path.stat().st_size, "loss": loss, "load, llama.cpp": theirs, "load, ours": ours,
            "types": types_of(path)}  # fmt: skip


def cpu_seconds(process: int) -> float:
    """User and system seconds of a process so far. Linux only."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def complete(peer: Peer, prompt: str, tokens: int) -> int:
    """Ask for so many tokens; returns how many came."""
    body = {"model": NAME, "prompt": prompt, "max_tokens": tokens, "temperature": 0}
    answer = httpx.post(f"{peer.url}/v1/completions", json=body, timeout=300)
    answer.raise_for_status()
    return answer.json()["usage"]["completion_tokens"]


def race(folder: Path, tokens: int, rounds: int, threads: int, log: Callable[[str], None]) -> dict:
    """Tokens a CPU second of both servers, alternating, in float32, one stream and eight."""
    found: dict = {count: {OURS: [], LLAMA: []} for count in ("one stream", "eight streams")}
    with serving(OURS, folder, threads) as ours, serving(LLAMA, folder, threads) as theirs:
        for i in range(rounds):
            for name, prompts in (("one stream", PROMPTS[:1]), ("eight streams", PROMPTS)):
                for peer in (ours, theirs):
                    log(f"{peer.server}, {name}, round {i + 1}")
                    found[name][peer.server].append(rate(peer, prompts, tokens, i))
    return found


def rate(peer: Peer, prompts: tuple[str, ...], tokens: int, number: int) -> float:
    """Tokens a CPU second of the server's process. The number keeps prompts of two rounds apart, for its caches."""
    before = cpu_seconds(peer.process.pid)
    with ThreadPoolExecutor(len(prompts)) as pool:
        came = sum(pool.map(lambda prompt: complete(peer, f"{number}. {prompt}", tokens), prompts))
    return came / (cpu_seconds(peer.process.pid) - before)


def ratios(content: dict) -> dict[str, float]:
    """Ours / theirs, medians of the rounds."""
    return {
        name: median(a / b for a, b in zip(rates[OURS], rates[LLAMA], strict=True))
        for name, rates in content["rates"].items()
    }


def llama_table(content: dict | None = None) -> str:
    """Files, types and rates."""
    content = content or section("llama")
    files = content["files"]
    rows = [("file", "MB", "loss", "load, llama.cpp, s", "load, ours, s")]
    for name, f in files.items():
        own = "not read" if f["load, ours"] is None else f"{f['load, ours']:.2f}"
        rows.append((name, f"{f['bytes'] / 1e6:.0f}", f"{f['loss']:.3f}", f"{f['load, llama.cpp']:.2f}", own))
    types = [(f"matrices of {BY_LLAMA}", "type and how many")]
    for part, count in files[BY_LLAMA]["types"].items():
        types.append((part, ", ".join(f"{kind} {number}" for kind, number in count.items())))
    found = ratios(content)
    rates = [("tokens a CPU second, float32", OURS, LLAMA, "ratio")]
    for name, r in content["rates"].items():
        rates.append((name, spread(r[OURS], 1), spread(r[LLAMA], 1), f"{found[name]:.2f}"))
    wanted = goals([("one stream, times llama.cpp's server", 0.5, found["one stream"], ""),
                    ("eight streams, times llama.cpp's server", 1.0, found["eight streams"], "")])  # fmt: skip
    said = f"Loss is llama.cpp's, the mean over {content['text'] - 1} tokens of pydoc's text."
    return "\n\n".join([table(rows), said, table(types), table(rates), wanted, meta_line(content)]) + "\n"
