"""Decoding SmolLM2 in int8: ours beside llama.cpp's q8_0, alternating in one run, one thread each."""

import argparse
from collections.abc import Callable
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import torch

from ..model import generate
from ..smollm2 import load_decoder, read_checkpoint
from . import fetch
from .bench import race, to_int8
from .llama import requantized, silence
from .markdown import meta_line, section, spread, table

Log = Callable[[str], None]
PROMPT = "The first thing that anybody notices is"
OURS, THEIRS = "ours, int8", "llama.cpp, q8_0"
WANTED = 0.5


def llama_speed(options: argparse.Namespace, log: Log) -> dict:
    """Tokens a second of greedy decoding after one prompt; about a minute.

    Raises:
        ImportError: llama_cpp is not installed.
    """
    import llama_cpp

    silence()
    new, repeats = (4, 2) if options.quick else (48, 7)
    source = fetch.model(options.model or "smollm2", log)
    checkpoint = read_checkpoint(source)
    ids = checkpoint.tokens.encode(PROMPT)
    eight = to_int8(load_decoder(checkpoint).requires_grad_(False).eval())
    prompt = torch.tensor(ids)[None]
    with TemporaryDirectory() as folder, torch.no_grad():
        path = requantized(source, Path(folder) / "q8_0.gguf", head=True)
        theirs = llama_cpp.Llama(str(path), n_ctx=128, n_threads=1, n_threads_batch=1, verbose=False)

        def their_tokens() -> list[int]:
            theirs.reset()
            return [token for token, _ in zip(theirs.generate(ids, top_k=1, temp=0.0), range(new), strict=False)]

        said = {OURS: generate(eight, prompt, new)[0, len(ids) :].tolist(), THEIRS: their_tokens()}
        calls = {OURS: lambda: generate(eight, prompt, new), THEIRS: their_tokens}
        texts = {name: theirs.detokenize(ids + tokens)[len(PROMPT) :].decode() for name, tokens in said.items()}
        times = race(calls, repeats, lambda line: log(f"decoding: {line}"))
        theirs.close()
    rates = {name: [1e3 * new / t for t in values] for name, values in times.items()}
    return {"new": new, "tokens/s": rates, "share": median(rates[OURS]) / median(rates[THEIRS]), "texts": texts}


def llama_speed_table(content: dict | None = None) -> str:
    """Rates, what each wrote, and the share."""
    r = content or section("llama_speed")
    rows = [("decoding SmolLM2, one thread", "tokens/s", "writes")]
    rows += [(name, spread(rates, 1), f"“{r['texts'][name].strip()}”") for name, rates in r["tokens/s"].items()]
    verdict = "met" if r["share"] >= WANTED else "**missed**"
    goal = [("ours beside llama.cpp", "wanted", ""), (f"{r['share']:.2f} times its speed", f"{WANTED}", verdict)]
    note = f"Each run writes {r['new']} tokens after “{PROMPT}”, the prompt included in its time."
    return "\n\n".join([table(rows), table(goal), note, meta_line(r)]) + "\n"
