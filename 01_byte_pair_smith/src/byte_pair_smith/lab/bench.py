"""This project beside the libraries, in one process, in turns. Results are compared before anything is timed.

Times are CPU seconds of one thread (`time.process_time`), because wall time depends on what else the machine does. Each
round times every side once. The ratio is taken within the round, and its median over the rounds is reported.
"""

import importlib
import os
import re
import tempfile
import time
from argparse import Namespace
from collections.abc import Callable, Sequence
from pathlib import Path

from ..checks import compile_pattern
from ..encode import encode
from ..formats import save_tokenizer_json
from ..pretokenize import GPT2
from ..pretokenize_fast import ASCII_PATTERNS
from ..tokenizer import Tokenizer
from ..train import merge, train
from ..train_fast import train_fast
from ..vocabulary import Vocabulary, tokens_of
from . import catalogue, fetch, vocabularies
from .languages import LANGUAGES
from .timing import growth, in_turns, median_seconds

INSTALL = 'pip install -e ".[peers]"'
Log = Callable[[str], None]


def bench(options: Namespace, log: Log) -> dict:
    """Training, encoding, the plain forms, and growth."""
    os.environ |= {"RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}  # read when a library is imported
    text = fetch.load_text(options.data)[: 100_000 if options.quick else None]
    libraries = peers(log)
    sizes = (512,) if options.quick else (1024, 8192)
    rounds = 2 if options.quick else 7
    results = {"bytes": len(text.encode()), "rounds": rounds, "ascii": text.isascii(), "train": {}, "encode": {}}
    for size in sizes:
        log(f"training at {size}")
        results["train"][str(size)] = training(text, size, rounds, libraries)
        log(f"encoding at {size}")
        results["encode"][str(size)] = encoding(text, size, rounds, libraries)
    if fetch.is_local(catalogue.UDHR):
        log(f"encoding {len(LANGUAGES)} languages at once")
        scripts = "\n".join(vocabularies.udhr([language.code for language in LANGUAGES]).values())
        results["scripts"] = {**encoding(scripts, sizes[-1], rounds, libraries), "bytes": len(scripts.encode())}
    log("the plain forms, on a short text")
    results["plain"] = plain(text, sizes[0], 4_000 if options.quick else 64_000)
    log("growth")
    results["growth"] = growth(options.quick, options.seed)
    return results


def peers(log: Log) -> dict:
    """{name: the library}, None for one that is not installed."""
    libraries = {}
    for name in ("rustbpe", "tokenizers", "tiktoken"):
        try:
            libraries[name] = importlib.import_module(name)
        except ImportError:
            libraries[name] = None
            log(f"{name} is not installed, so its rows are left out: {INSTALL}")
    return libraries


# ---------------------------------------------------------------- training


def training(text: str, size: int, rounds: int, libraries: dict) -> dict:
    """CPU seconds to train, beside the libraries. rustbpe's merges must be the same."""
    sides: dict[str, Callable[[], object]] = {"ours": lambda: train_fast(text, size)}
    if libraries["rustbpe"]:
        peer = train_rustbpe(libraries["rustbpe"], text, size)
        theirs = [bytes(t) for t, _ in sorted(peer.get_mergeable_ranks(), key=lambda item: item[1])]
        check_equal(tokens_of(train_fast(text, size)), theirs, "rustbpe")
        sides["rustbpe"] = lambda: train_rustbpe(libraries["rustbpe"], text, size)
    if libraries["tokenizers"]:
        paragraphs = [p + "\n\n" for p in text.split("\n\n")]
        sides["tokenizers"] = lambda: train_hugging_face(libraries["tokenizers"], [text], size)
        sides["tokenizers, in paragraphs"] = lambda: train_hugging_face(libraries["tokenizers"], paragraphs, size)
    seconds = in_turns(sides, rounds)
    return {"seconds": seconds, "over": over(seconds)}


def train_rustbpe(rustbpe, text: str, size: int):
    """A tokenizer of rustbpe's, trained with GPT-2's split."""
    peer = rustbpe.Tokenizer()
    peer.train_from_iterator(iter([text]), vocab_size=size, pattern=GPT2)
    return peer


def train_hugging_face(tokenizers, documents: Sequence[str], size: int):
    """A byte-level BPE of Hugging Face's, trained with the same split."""
    peer = tokenizers.Tokenizer(tokenizers.models.BPE())
    peer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    peer.train_from_iterator(
        documents,
        tokenizers.trainers.BpeTrainer(
            vocab_size=size, initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(), show_progress=False
        ),
    )
    return peer


def check_equal(ours: object, theirs: object, who: str) -> None:
    """Raise RuntimeError unless both results are the same: nothing is timed that is not right."""
    if ours != theirs:
        raise RuntimeError(f"our result is not that of {who}: there is nothing to time")


def over(seconds: dict[str, list[float]], base: str = "ours") -> dict[str, list[float]]:
    """For each other side: our seconds over theirs, round by round."""
    return {
        name: [a / b for a, b in zip(seconds[base], values, strict=True)]
        for name, values in seconds.items()
        if name != base
    }


# ---------------------------------------------------------------- encoding


def encoding(text: str, size: int, rounds: int, libraries: dict) -> dict:
    """CPU seconds to encode the text, cold (an empty cache) and warm, beside the libraries and the split alone."""
    vocabulary = Vocabulary.from_merges(train_fast(text, size))
    warm = Tokenizer(vocabulary)
    ids = warm.encode_ordinary(text)
    sides: dict[str, Callable[[], object]] = {
        "ours, cold": lambda: Tokenizer(vocabulary).encode_ordinary(text),
        "ours, warm": lambda: warm.encode_ordinary(text),
        "split alone, regex": lambda: compile_pattern(GPT2).findall(text),
        "split alone, re": lambda: re.findall(ASCII_PATTERNS[GPT2], text, re.ASCII),
    }
    if not text.isascii():
        del sides["split alone, re"]
    if libraries["tiktoken"]:
        tik = libraries["tiktoken"].Encoding("ours", pat_str=GPT2, mergeable_ranks=vocabulary.ranks, special_tokens={})
        check_equal(tik.encode_ordinary(text), ids, "tiktoken")
        sides["tiktoken"] = lambda: tik.encode_ordinary(text)
    if libraries["tokenizers"]:
        peer = as_hugging_face(libraries["tokenizers"], vocabulary)
        check_equal(peer.encode(text).ids, ids, "tokenizers")
        paragraphs = [p + "\n\n" for p in text.split("\n\n")]
        sides["tokenizers, one text"] = lambda: peer.encode(text).ids
        sides["tokenizers, batch of paragraphs"] = lambda: [e.ids for e in peer.encode_batch_fast(paragraphs)]
    seconds = in_turns(sides, rounds)
    return {
        "seconds": seconds,
        "tokens": len(ids),
        "speed_over": {
            f"{ours} / {name}": [t / o for o, t in zip(seconds[ours], seconds[name], strict=True)]
            for ours in ("ours, cold", "ours, warm")
            for name in seconds
            if not name.startswith("ours")
        },
    }


def as_hugging_face(tokenizers, vocabulary: Vocabulary):
    """Our vocabulary in their library, by way of a tokenizer.json."""
    with tempfile.TemporaryDirectory() as folder:
        save_tokenizer_json(vocabulary, Path(folder) / "tokenizer.json")
        return tokenizers.Tokenizer.from_file(f"{folder}/tokenizer.json")


# ---------------------------------------------------------------- the plain forms


def textbook(text: str, size: int) -> list[tuple[int, int]]:
    """Training as most first programs do it: every position of the text is counted for every merge."""
    pre_tokens = [list(pre_token.encode()) for pre_token in compile_pattern(GPT2).findall(text)]
    merges = []
    while len(merges) < size - 256:
        counts: dict[tuple[int, int], int] = {}
        for ids in pre_tokens:
            for pair in zip(ids, ids[1:], strict=False):
                counts[pair] = counts.get(pair, 0) + 1
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        pre_tokens = [merge(ids, best, 256 + len(merges)) for ids in pre_tokens]
        merges.append(best)
    return merges


def plain(text: str, size: int, length: int) -> dict:
    """Seconds per byte: the plain forms on a short text (one run), the fast ones on the short and the whole text."""
    short = text[:length]
    results = {"length": length, "size": size}
    for name, function, corpus in (("textbook", textbook, short[: length // 2]), ("plain", train, short)):
        start = time.process_time()
        result = function(corpus, size)
        results[name] = (time.process_time() - start) / len(corpus.encode())
        check_equal(result, train_fast(corpus, size), f"the {name} form")
    results["fast, the same little text"] = median_seconds(lambda: train_fast(short, size)) / len(short.encode())
    results["fast, the whole text"] = median_seconds(lambda: train_fast(text, size)) / len(text.encode())
    vocabulary = Vocabulary.from_merges(train_fast(short, size))
    results["encode, plain"] = median_seconds(lambda: encode(short, vocabulary.ranks), 1) / len(short.encode())
    cold = median_seconds(lambda: Tokenizer(vocabulary).encode_ordinary(text))
    results["encode, fast and cold"] = cold / len(text.encode())
    return results
