"""All families on the same text: how they split it, what is unknown to them, and what each does to a model's loss.

The text is `pydoc_data.topics`, the English that ships with Python. Whole topics are held out. Every family learns from
the rest, on the same pre-tokens, with the same vocabulary size where it has one to choose.
"""

import math
import random
import statistics
import time
from argparse import Namespace
from collections.abc import Callable
from dataclasses import asdict
from pydoc_data.topics import topics

from ..families import ByteFallbackModel, BytePair, Characters, Family, RawBytes, Unigram, WordPiece, Words, loss_of
from ..pretokenize import pretokenize
from .cli import seeds_of
from .families_peer import beside_sentencepiece
from .families_texts import GERMAN, RUSSIAN

FAMILIES: dict[str, Callable[[str, int], Family]] = {
    "bytes": lambda text, size: RawBytes(),
    "characters": lambda text, size: Characters.train(text),
    "WordPiece, ratio": lambda text, size: WordPiece.train(text, size, "likelihood"),
    "WordPiece, gain": lambda text, size: WordPiece.train(text, size, "gain"),
    "BPE": lambda text, size: BytePair.train(text, size),
    "Unigram": lambda text, size: Unigram.train(text, size),
    "words": lambda text, size: Words.train(text, size),
}


def distinct_topics() -> dict[str, str]:
    """The offline text by topic, each paragraph only where it occurs first.

    The longer topics repeat whole shorter ones. Without this, most of the held-out text would be training text too.
    """
    seen: set[str] = set()
    fresh_only = {}
    for name in sorted(topics):
        paragraphs = dict.fromkeys(p.strip("\n") for p in topics[name].split("\n\n") if p.strip())
        fresh = [p for p in paragraphs if p.strip() not in seen]
        seen.update(p.strip() for p in fresh)
        fresh_only[name] = "\n\n".join([*fresh, ""])
    return fresh_only


def split_topics(seed: int, limit: int | None = None, share: float = 0.1) -> tuple[str, str]:
    """(training text, held-out text): whole topics, shuffled with `seed`.

    Topics are held out as long as they fit into `share` of the whole, or of `limit` characters. The training text is
    cut at `limit` characters.
    """
    texts = distinct_topics()
    names = sorted(texts)
    random.Random(seed).shuffle(names)
    room = share * (limit or sum(map(len, texts.values())))
    train, held = [], []
    for name in names:
        fits = sum(map(len, held)) + len(texts[name]) <= room
        (held if fits else train).append(texts[name])
    return "".join(train)[:limit], "".join(held)


def unknown_share(family: Family, text: str) -> float:
    """The share of a text's bytes that become <unk>."""
    tokens = family.tokenize(text)
    return sum(len(t.surface) for t in tokens if t.id == family.unk_id) / len(text.encode())


def measure(family: Family, train_text: str, held_out: str, byte_fallback: ByteFallbackModel, order: int) -> dict:
    """One tokenizer's numbers."""
    tokens = family.encode(held_out)
    return {
        "vocabulary": len(family),
        "tokens_per_word": len(tokens) / len(held_out.split()),
        "bytes_per_token": len(held_out.encode()) / len(tokens),
        "unknown": {
            "held out": unknown_share(family, held_out),
            "German": unknown_share(family, GERMAN),
            "Russian": unknown_share(family, RUSSIAN),
        },
        **{
            name: list(value)
            for name, value in asdict(loss_of(family, train_text, held_out, byte_fallback, order)).items()
        },
    }


def segmentations(model: Unigram, text: str, seed: int) -> dict:
    """Bits per byte under the Unigram model: the best segmentation alone and all of them; and sampled segmentations."""
    best = sum(edge.score for word in pretokenize(text) for edge in model.best_path(word))
    per_byte = -1 / (math.log(2) * len(text.encode()))
    rng = random.Random(seed)
    draws = [[t.surface.decode() for t in model.sample(" tokenization", 0.1, rng)] for _ in range(5)]
    return {
        "bits_per_byte_viterbi": per_byte * best,
        "bits_per_byte_all": per_byte * model.log_likelihood(text),
        "sampled": draws,
    }


def one_split(seed: int, vocab_size: int, order: int, limit: int | None, log: Callable[[str], None]) -> dict:
    """Train and measure every family on one division of the text."""
    train_text, held_out = split_topics(seed, limit=limit)
    byte_fallback = ByteFallbackModel(set(pretokenize(train_text)))
    results = {"train_bytes": len(train_text.encode()), "held_out_bytes": len(held_out.encode()), "families": {}}
    for name, train in FAMILIES.items():
        log(f"division {seed}: {name}")
        start = time.process_time()
        family = train(train_text, vocab_size)
        seconds = time.process_time() - start
        measured = measure(family, train_text, held_out, byte_fallback, order)
        results["families"][name] = {"train_cpu_s": seconds, **measured}
        if isinstance(family, Unigram):
            results["unigram"] = segmentations(family, held_out, seed)
    return results


def median_and_range(runs: list) -> dict | list:
    """The same nested results of several runs as one. Each number becomes its median and range."""
    first = runs[0]
    if isinstance(first, dict):
        return {key: median_and_range([run[key] for run in runs]) for key in first}
    if isinstance(first, list):
        return [median_and_range(list(values)) for values in zip(*runs, strict=True)]
    return {"median": statistics.median(runs), "low": min(runs), "high": max(runs)}


def families(options: Namespace, log: Callable[[str], None]) -> dict:
    """Three divisions of the text, or a small one with --quick; with --peer, SentencePiece's training beside ours."""
    vocab_size, order, limit = (1024, 3, 100_000) if options.quick else (2048, 5, None)
    seeds = seeds_of(options, 1 if options.quick else 3)
    runs = [one_split(seed, vocab_size, order, limit, log) for seed in seeds]
    sampled = [run["unigram"].pop("sampled") for run in runs][0]
    results = {"vocab_size": vocab_size, "order": order, "sampled": sampled, **median_and_range(runs)}
    if getattr(options, "peer", False):
        log("SentencePiece")
        text = "".join(distinct_topics().values())[:limit]
        sizes = (512,) if options.quick else (512, 1024, 2048, 4096)
        results["sentencepiece"] = beside_sentencepiece(text, sizes, repeats=1 if options.quick else 3)
    return {**results, "seeds": seeds}
