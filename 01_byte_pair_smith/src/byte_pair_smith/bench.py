"""This project beside the libraries, in one process, by turns. Correctness first, then the clock.

CPU seconds (`time.process_time`) of one thread: wall time on a busy machine measures the neighbours. Each round times
every side once; the ratio is taken within the round, and its median over the rounds is what is reported.
"""
import importlib
import math
import random
import re
import statistics
import time
from collections.abc import Callable, Sequence

from . import corpora
from .encode import encode, merge_long_word, merge_short_word
from .languages import LANGUAGES
from .pretokenize import ASCII_TWIN, GPT2, compiled
from .tokenizer import Tokenizer
from .train import merge, train, train_fast
from .vocabulary import Vocabulary, tokens_of

INSTALL = 'pip install -e ".[peers]"'
Say = Callable[[str], None]


def peers() -> dict:
    """The libraries that are installed. A missing one is None."""
    found = {}
    for name in ("rustbpe", "tokenizers", "tiktoken"):
        try:
            found[name] = importlib.import_module(name)
        except ImportError:
            found[name] = None
    return found


def by_turns(sides: dict[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """CPU seconds of each side, one time a round, after one run of each that is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for side in sides.values():
        side()
    for _ in range(rounds):
        for name, side in sides.items():
            start = time.process_time()
            side()
            seconds[name].append(time.process_time() - start)
    return seconds


def run(data: str = "shakespeare", rounds: int = 7, quick: bool = False, seed: int = 0, say: Say = print) -> dict:
    """Training, encoding, the plain forms, and growth."""
    text = corpora.load_text(data)[:100_000 if quick else None]
    libraries = peers()
    for name in (name for name, module in libraries.items() if module is None):
        say(f"{name} is not installed, its rows are left out: {INSTALL}")
    sizes = (512,) if quick else (1024, 8192)
    rounds = 2 if quick else rounds
    found = {"bytes": len(text.encode()), "rounds": rounds, "ascii": text.isascii(), "train": {}, "encode": {}}
    for size in sizes:
        say(f"training at {size}")
        found["train"][str(size)] = training(text, size, rounds, libraries)
        say(f"encoding at {size}")
        found["encode"][str(size)] = encoding(text, size, rounds, libraries)
    if corpora.here("udhr"):
        say(f"encoding {len(LANGUAGES)} languages at once")
        scripts = "\n".join(corpora.udhr([language.code for language in LANGUAGES]).values())
        found["scripts"] = {**encoding(scripts, sizes[-1], rounds, libraries), "bytes": len(scripts.encode())}
    say("the plain forms, on a little text")
    found["plain"] = plain(text, sizes[0], 4_000 if quick else 64_000)
    say("growth")
    found["growth"] = growth(quick, seed)
    return found


# ---------------------------------------------------------------- training

def training(text: str, size: int, rounds: int, libraries: dict) -> dict:
    """CPU seconds to train, beside the libraries, whose merges must be the same."""
    sides: dict[str, Callable[[], object]] = {"ours": lambda: train_fast(text, size)}
    if rustbpe := libraries["rustbpe"]:
        def rust():
            peer = rustbpe.Tokenizer()
            peer.train_from_iterator(iter([text]), vocab_size=size, pattern=GPT2)
            return peer
        theirs = [bytes(t) for t, _ in sorted(rust().get_mergeable_ranks(), key=lambda item: item[1])]
        must_equal(tokens_of(train_fast(text, size)), theirs, "rustbpe")
        sides["rustbpe"] = rust
    if libraries["tokenizers"]:
        paragraphs = [p + "\n\n" for p in text.split("\n\n")]
        sides["tokenizers"] = lambda: hugging_face(libraries["tokenizers"], [text], size)
        sides["tokenizers, in paragraphs"] = lambda: hugging_face(libraries["tokenizers"], paragraphs, size)
    seconds = by_turns(sides, rounds)
    return {"seconds": seconds, "over": over(seconds)}


def hugging_face(tokenizers, documents: Sequence[str], size: int):
    """A byte-level BPE of Hugging Face's, trained with the same split."""
    peer = tokenizers.Tokenizer(tokenizers.models.BPE())
    peer.pre_tokenizer = tokenizers.pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)
    peer.train_from_iterator(documents, tokenizers.trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=tokenizers.pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    return peer


def must_equal(ours: object, theirs: object, who: str) -> None:
    """Nothing is timed that is not right."""
    if ours != theirs:
        raise RuntimeError(f"our result is not that of {who}: there is nothing to time")


def over(seconds: dict[str, list[float]], base: str = "ours") -> dict[str, list[float]]:
    """For each other side: our seconds over theirs, round by round."""
    return {name: [a / b for a, b in zip(seconds[base], values, strict=True)]
            for name, values in seconds.items() if name != base}


# ---------------------------------------------------------------- encoding

def encoding(text: str, size: int, rounds: int, libraries: dict) -> dict:
    """CPU seconds to encode the text, cold (an empty cache) and warm, beside the libraries and the split alone."""
    vocabulary = Vocabulary.from_merges(train_fast(text, size))
    warm = Tokenizer(vocabulary)
    ids = warm.encode_ordinary(text)
    sides: dict[str, Callable[[], object]] = {
        "ours, cold": lambda: Tokenizer(vocabulary).encode_ordinary(text),
        "ours, warm": lambda: warm.encode_ordinary(text),
        "split alone, regex": lambda: compiled(GPT2).findall(text),
        "split alone, re": lambda: re.findall(ASCII_TWIN[GPT2], text, re.ASCII)}
    if not text.isascii():
        del sides["split alone, re"]
    if libraries["tiktoken"]:
        tik = libraries["tiktoken"].Encoding("ours", pat_str=GPT2, mergeable_ranks=vocabulary.ranks, special_tokens={})
        must_equal(tik.encode_ordinary(text), ids, "tiktoken")
        sides["tiktoken"] = lambda: tik.encode_ordinary(text)
    if libraries["tokenizers"]:
        peer = as_hugging_face(libraries["tokenizers"], vocabulary)
        must_equal(peer.encode(text).ids, ids, "tokenizers")
        paragraphs = [p + "\n\n" for p in text.split("\n\n")]
        sides["tokenizers, one text"] = lambda: peer.encode(text).ids
        sides["tokenizers, batch of paragraphs"] = lambda: [e.ids for e in peer.encode_batch_fast(paragraphs)]
    seconds = by_turns(sides, rounds)
    return {"seconds": seconds, "tokens": len(ids),
            "speed_over": {f"{ours} / {name}": [t / o for o, t in zip(seconds[ours], seconds[name], strict=True)]
                           for ours in ("ours, cold", "ours, warm")
                           for name in seconds if not name.startswith("ours")}}


def as_hugging_face(tokenizers, vocabulary: Vocabulary):
    """Our vocabulary in their library, by way of a tokenizer.json."""
    import tempfile
    from pathlib import Path

    from .letter_files import save_tokenizer_json
    with tempfile.TemporaryDirectory() as folder:
        save_tokenizer_json(vocabulary, Path(folder) / "tokenizer.json")
        return tokenizers.Tokenizer.from_file(f"{folder}/tokenizer.json")


# ---------------------------------------------------------------- the plain forms

def textbook(text: str, size: int) -> list[tuple[int, int]]:
    """Training as most first programs do it: no distinct words, every position of the text counted for every merge."""
    pieces = [list(piece.encode()) for piece in compiled(GPT2).findall(text)]
    merges = []
    while len(merges) < size - 256:
        counts: dict[tuple[int, int], int] = {}
        for ids in pieces:
            for pair in zip(ids, ids[1:], strict=False):
                counts[pair] = counts.get(pair, 0) + 1
        if not counts:
            break
        best = min(counts, key=lambda pair: (-counts[pair], pair))
        pieces = [merge(ids, best, 256 + len(merges)) for ids in pieces]
        merges.append(best)
    return merges


def plain(text: str, size: int, length: int) -> dict:
    """Seconds per byte of the plain forms on a little text, of the fast ones on the whole; one run each."""
    little = text[:length]
    expected = train_fast(little, size)
    found = {"length": length, "size": size}
    for name, function, corpus in (("textbook", textbook, little[:length // 2]), ("plain", train, little)):
        start = time.process_time()
        result = function(corpus, size)
        found[name] = (time.process_time() - start) / len(corpus.encode())
        must_equal(result, train_fast(corpus, size), f"the {name} form")
    found["fast, the same little text"] = timed(lambda: train_fast(little, size)) / len(little.encode())
    found["fast, the whole text"] = timed(lambda: train_fast(text, size)) / len(text.encode())
    vocabulary = Vocabulary.from_merges(expected)
    found["encode, plain"] = timed(lambda: encode(little, vocabulary.ranks), 1) / len(little.encode())
    found["encode, fast and cold"] = timed(lambda: Tokenizer(vocabulary).encode_ordinary(text)) / len(text.encode())
    return found


def timed(call: Callable[[], object], rounds: int = 3) -> float:
    """Median CPU seconds."""
    return statistics.median(by_turns({"call": call}, rounds)["call"] if rounds > 1 else [once(call)])


def once(call: Callable[[], object]) -> float:
    """CPU seconds of one call."""
    start = time.process_time()
    call()
    return time.process_time() - start


# ---------------------------------------------------------------- growth

def growth(quick: bool, seed: int) -> dict:
    """How training grows with the text and with the vocabulary, and merging with the length of a word."""
    text = corpora.standard_library(1 << (18 if quick else 22))
    sizes = [len(text) >> n for n in (4, 3, 2, 1, 0)]
    merges = (512, 1024, 2048) if quick else (512, 1024, 2048, 4096, 8192, 16384)
    by_text = [timed(lambda n=n: train_fast(text[:n], 1024)) for n in sizes]
    by_size = [timed(lambda v=v: train_fast(text[:sizes[2]], v)) for v in merges]
    vocabulary = Vocabulary.from_merges(train_fast(text[:sizes[2]], 4096 if not quick else 512))
    rng = random.Random(seed)
    letters = "".join(rng.choice("etaoinshrdlu") for _ in range(1 << (12 if quick else 16)))
    lengths = [1 << n for n in range(8, 13 if quick else 17, 2)]
    heap = [timed(lambda n=n: merge_long_word(letters[:n], vocabulary.pairs)) for n in lengths]
    short = [n for n in lengths if n <= 1 << 14]
    search = [timed(lambda n=n: merge_short_word(letters[:n], vocabulary.pairs), 1) for n in short]
    return {"text": {"x": sizes, "seconds": by_text, "exponent": exponent(sizes, by_text)},
            "vocabulary": {"x": list(merges), "seconds": by_size, "exponent": exponent(merges, by_size)},
            "word, heap": {"x": lengths, "seconds": heap, "exponent": exponent(lengths, heap)},
            "word, search": {"x": short, "seconds": search, "exponent": exponent(short, search)}}


def exponent(x: Sequence[int | float], y: Sequence[float]) -> float:
    """p of y = c x**p, by least squares on the logarithms."""
    lx, ly = [math.log(v) for v in x], [math.log(v) for v in y]
    mx, my = statistics.fmean(lx), statistics.fmean(ly)
    return sum((a - mx) * (b - my) for a, b in zip(lx, ly, strict=True)) / sum((a - mx) ** 2 for a in lx)
