"""The headline experiment: compression by vocabulary size, the premium of each language, and the merges themselves.

1. How many bytes does one token carry as the vocabulary grows: on held-out prose, on code, on other languages?
2. How many tokens does the same text take in each of 25 languages?
3. Which merges come first, and which last?
"""

import random
import statistics
from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass, replace

from ..pretokenize import GPT2
from ..pretokenize_fast import pretokenize_fast
from ..tokenizer import Tokenizer
from ..train_fast import train_fast
from ..vocabulary import Vocabulary
from . import catalogue, fetch, vocabularies
from .cli import seeds_of
from .languages import KINDS, LANGUAGES, premiums, sentences
from .view import cells, write_page

SAMPLES = {
    "prose": "Tokenizers cut text before a model sees it: unbelievable, isn't it? They learnt where from statistics.",
    "code": "def forward(self, x):\n    return self.proj(x)  # (B, T, C)",
    "numbers": "12345 + 67890 = 80235, but 1234 + 6789 = 8023.",
    "Hindi": sentences()["Hindi"],
    "Chinese": sentences()["Chinese"],
    "emoji": "🙂🎉 👩‍🚀 🇫🇷",
}
Log = Callable[[str], None]


@dataclass(frozen=True)
class Settings:
    """What the experiment runs on."""

    seeds: tuple[int, ...]
    sizes: tuple[int, ...] = (256, 320, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144)
    vocab_size: int = 8192  # for the languages and the page
    code: int = 300_000  # characters of code to measure on


def settings_of(options: Namespace) -> Settings:
    """The settings that the command line asks for."""
    if not options.quick:
        return Settings(tuple(seeds_of(options, 5)))
    settings = Settings(tuple(seeds_of(options, 2)), sizes=(256, 512, 1024))
    return replace(settings, vocab_size=1024, code=30_000)


def headline(options: Namespace, log: Log) -> dict:
    """The whole experiment. The page of tokens is written to `options.out`."""
    settings = settings_of(options)
    text = fetch.load_text(options.data)
    log(f"training on {options.data}: {len(text.encode()) / 1e6:.2f} MB, vocabulary {settings.vocab_size}")
    vocabulary = Vocabulary.from_merges(train_fast(text, settings.vocab_size))
    tokenizers = {f"ours, {len(vocabulary.tokens):,}": Tokenizer(vocabulary), **real_tokenizers(options.model, log)}
    page = write_page(options.out / "tokens.html", SAMPLES, tokenizers, vocabulary, "What the model sees")
    log(f"the page of tokens: {page}")
    results = {
        "vocabulary": len(vocabulary.tokens),
        "text_bytes": len(text.encode()),
        "compression": compression(settings, text, log),
        "premium": language_premiums(tokenizers, log),
        "kinds": premiums(tokenizers, {"English": sentences()["English"], **KINDS}),
        "merges": first_and_last(vocabulary, text),
        "view": {
            name: {label: cells(t, sample) for label, t in tokenizers.items()} for name, sample in SAMPLES.items()
        },
    }
    return {**results, "summary": summary(results), "seeds": list(settings.seeds)}


def real_tokenizers(model: str | None, log: Log) -> dict[str, Tokenizer]:
    """GPT-2's and GPT-4's where their files are on this machine, and the one that --model names."""
    tokenizers = {}
    for name, label in vocabularies.LABELS.items():
        if name == model or (name != "smollm2" and vocabularies.is_local(name)):
            log(f"reading the vocabulary of {label}")
            tokenizers[label] = Tokenizer(vocabularies.load_vocabulary(name))
    return tokenizers


# ---------------------------------------------------------------- compression


def hold_out(text: str, seed: int, share: float = 0.1) -> tuple[str, str]:
    """(training text, held-out text): whole paragraphs, shuffled with `seed`; lines where there are few paragraphs.

    Each part is kept once. The default text repeats whole topics inside others, and they would be in both texts.

    Raises:
        ValueError: the text has fewer than ten different lines.
    """
    parts, separator = list(dict.fromkeys(text.split("\n\n"))), "\n\n"
    if len(parts) * share < 1:
        parts, separator = list(dict.fromkeys(text.split("\n"))), "\n"
    cut = int(len(parts) * share)
    if cut < 1:
        raise ValueError(f"data: {len(parts)} different lines: too few to hold some out; give a text of at least ten")
    random.Random(seed).shuffle(parts)
    return separator.join(parts[cut:]), separator.join(parts[:cut])


def compression(settings: Settings, text: str, log: Log) -> dict:
    """Bytes per token for each kind of text, size and seed; and bytes per pre-token, which is the limit."""
    others = "\n".join(sentence for name, sentence in sentences().items() if name != "English")
    code = fetch.load_text("code")[: settings.code]
    curves: dict[str, list[list[float]]] = {}
    limits: dict[str, list[float]] = {}
    reached = []
    for seed in settings.seeds:
        train_text, held_out = hold_out(text, seed)
        vocabulary = Vocabulary.from_merges(train_fast(train_text, max(settings.sizes)))
        reached.append(len(vocabulary.tokens))
        log(f"seed {seed}: {len(vocabulary.tokens)} tokens from {len(train_text):,} characters")
        tokenizers = [Tokenizer(vocabulary.truncate(min(n, len(vocabulary.tokens)))) for n in settings.sizes]
        for kind, sample in {"held-out prose": held_out, "code": code, "24 other languages": others}.items():
            size = len(sample.encode())
            curves.setdefault(kind, []).append([size / len(t.encode_ordinary(sample)) for t in tokenizers])
            limits.setdefault(kind, []).append(size / len(pretokenize_fast(sample, GPT2)))
    medians = {kind: statistics.median(values) for kind, values in limits.items()}
    return {"sizes": list(settings.sizes), "curves": curves, "reached": reached, "limits": medians}


# ---------------------------------------------------------------- languages


def language_premiums(tokenizers: dict[str, Tokenizer], log: Log) -> dict:
    """The premiums on the project's sentences, and on the Declaration of Human Rights where its file is local."""
    log(f"one sentence in {len(LANGUAGES)} languages")
    results = {"sentences": premiums(tokenizers, sentences())}
    if fetch.is_local(catalogue.UDHR):
        log(f"the Universal Declaration of Human Rights in {len(LANGUAGES)} languages")
        texts = vocabularies.udhr([language.code for language in LANGUAGES])
        results["declaration"] = premiums(tokenizers, {language.name: texts[language.code] for language in LANGUAGES})
    return results


# ---------------------------------------------------------------- merges


def first_and_last(vocabulary: Vocabulary, text: str, shown: int = 16) -> dict:
    """The first and the last merges, each with how often its token occurs in the encoded training text."""
    counts = [0] * len(vocabulary.tokens)
    for i in Tokenizer(vocabulary).encode_ordinary(text):
        counts[i] += 1
    rows = []
    for i, (a, b) in enumerate(vocabulary.merges, 256):
        pair = [printable(vocabulary.tokens[a]), printable(vocabulary.tokens[b])]
        rows.append({"id": i, "token": printable(vocabulary.tokens[i]), "count": counts[i], "of": pair})
    return {"first": rows[:shown], "last": rows[-shown:]}


def printable(token: bytes) -> str:
    """A token for a table."""
    return token.decode("utf-8", "backslashreplace")


def summary(results: dict) -> dict:
    """The few numbers that the README's first lines quote."""
    text = "declaration" if "declaration" in results["premium"] else "sentences"
    ours = next(iter(results["premium"][text]))
    highest = max(results["premium"][text][ours].items(), key=lambda item: item[1]["premium"])
    prose = results["compression"]["curves"]["held-out prose"]
    return {
        "text": text,
        "tokenizer": ours,
        "highest": highest[0],
        "premium": highest[1]["premium"],
        "bytes_per_token": statistics.median(curve[-1] for curve in prose),
    }
