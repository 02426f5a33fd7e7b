"""All families on the same text: how they cut it, what they do not know, and what each does to a model's loss.

The text is `pydoc_data.topics`, the English that ships with CPython. Whole topics are held out. Every family learns
from the rest, cut into the same pre-tokens, with the same vocabulary size where it has one to choose.
"""

import math
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from pydoc_data.topics import topics

from ..pretokenize import pretokenize
from . import report
from .byte_pair import BytePair
from .characters import Characters
from .family import Family
from .foreign import GERMAN, RUSSIAN
from .ngram import Speller, loss_of
from .peer import beside_sentencepiece
from .raw_bytes import RawBytes
from .unigram import Unigram
from .wordpiece import WordPiece
from .words import Words

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
    """The offline text by topic, each paragraph only where it stands first.

    The longer topics repeat whole shorter ones. Without this the held-out text would be known by heart.
    """
    seen: set[str] = set()
    found = {}
    for name in sorted(topics):
        paragraphs = dict.fromkeys(p.strip("\n") for p in topics[name].split("\n\n") if p.strip())
        fresh = [p for p in paragraphs if p.strip() not in seen]
        seen.update(p.strip() for p in fresh)
        found[name] = "\n\n".join([*fresh, ""])
    return found


def split_topics(seed: int, limit: int | None = None, share: float = 0.1) -> tuple[str, str]:
    """The offline text as (training text, held-out text), divided by topic in an order drawn with `seed`.

    Topics are held out while they fit into `share` of the whole (or of `limit` characters); the training text
    stops at `limit` characters where that is given.
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
    """The share of a text's bytes that are hidden behind <unk>."""
    tokens = family.tokenize(text)
    return sum(len(t.surface) for t in tokens if t.id == family.unk_id) / len(text.encode())


def measure(family: Family, train_text: str, held_out: str, speller: Speller, order: int) -> dict:
    """Everything that the tables say about one tokenizer, as plain numbers."""
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
        **{name: list(value) for name, value in asdict(loss_of(family, train_text, held_out, speller, order)).items()},
    }


def segmentations(model: Unigram, text: str, seed: int) -> dict:
    """What Viterbi leaves out, in bits per byte under the Unigram model itself, and a word in sampled spellings."""
    best = sum(edge.score for word in pretokenize(text) for edge in model.best_path(word))
    per_byte = -1 / (math.log(2) * len(text.encode()))
    rng = random.Random(seed)
    draws = [[t.surface.decode() for t in model.sample(" tokenization", 0.1, rng)] for _ in range(5)]
    return {
        "bits_per_byte_viterbi": per_byte * best,
        "bits_per_byte_all": per_byte * model.log_likelihood(text),
        "sampled": draws,
    }


def one_split(seed: int, vocab_size: int, order: int, limit: int | None = None) -> dict:
    """Train and measure every family on one division of the text."""
    train_text, held_out = split_topics(seed, limit=limit)
    speller = Speller(set(pretokenize(train_text)))
    found = {"train_bytes": len(train_text.encode()), "held_out_bytes": len(held_out.encode()), "families": {}}
    for name, train in FAMILIES.items():
        start = time.process_time()
        family = train(train_text, vocab_size)
        seconds = time.process_time() - start
        found["families"][name] = {"train_cpu_s": seconds, **measure(family, train_text, held_out, speller, order)}
        if isinstance(family, Unigram):
            found["unigram"] = segmentations(family, held_out, seed)
    return found


def spread(runs: list) -> dict | list:
    """The same nested results of several runs as one: each number becomes its median and range."""
    first = runs[0]
    if isinstance(first, dict):
        return {key: spread([run[key] for run in runs]) for key in first}
    if isinstance(first, list):
        return [spread(list(values)) for values in zip(*runs, strict=True)]
    return {"median": statistics.median(runs), "low": min(runs), "high": max(runs)}


def run(quick: bool = False, seed: int = 0, peer: bool = False) -> dict:
    """The whole comparison as plain results: three divisions of the text, or one small one with `quick`.

    With `peer`, Unigram's training is also measured beside SentencePiece's, which must be installed.
    """
    vocab_size, order, limit = (1024, 3, 100_000) if quick else (2048, 5, None)
    seeds = [seed] if quick else [seed, seed + 1, seed + 2]
    runs = [one_split(s, vocab_size, order, limit) for s in seeds]
    sampled = [found["unigram"].pop("sampled") for found in runs][0]
    found = {"vocab_size": vocab_size, "order": order, "seeds": seeds, "sampled": sampled, **spread(runs)}
    if peer:
        text, sizes = "".join(distinct_topics().values())[:limit], (512,) if quick else (512, 1024, 2048, 4096)
        found["sentencepiece"] = beside_sentencepiece(text, sizes, repeats=1 if quick else 3)
    return found


def table(results: dict) -> str:
    """Both tables of the comparison as markdown: how the families cut, and what they cost a model."""
    return report.cutting_table(results) + "\n\n" + report.loss_table(results)


def figure(results: dict, path: str | Path) -> None:
    """The comparison's figure, a PNG at `path`."""
    report.figure(results, path)


def peer_table(results: dict) -> str:
    """Unigram's training beside SentencePiece's as markdown; needs the results of a run with `peer`."""
    return report.peer_table(results)
