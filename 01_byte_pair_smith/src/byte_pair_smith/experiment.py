"""The headline experiment: what a vocabulary buys, what languages pay for it, and what is in it.

Three questions: how many bytes one token carries as the vocabulary grows, on held-out prose, on code and on other
languages; how many tokens the same text costs in each of 25 languages; which merges come first and which last.
"""
import random
import statistics
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import corpora
from .languages import KINDS, LANGUAGES, sentences, tax
from .pretokenize import GPT2, pretokenize_fast
from .tokenizer import Tokenizer
from .train import train_fast
from .view import cells, write_page
from .vocabulary import Vocabulary

SIZES = (256, 320, 384, 512, 768, 1024, 1536, 2048, 3072, 4096, 6144)
SAMPLES = {
    "prose": "Tokenizers cut text before a model sees it: unbelievable, isn't it? They learnt where from statistics.",
    "code": "def forward(self, x):\n    return self.proj(x)  # (B, T, C)",
    "numbers": "12345 + 67890 = 80235, but 1234 + 6789 = 8023.",
    "Hindi": sentences()["Hindi"],
    "Chinese": sentences()["Chinese"],
    "emoji": "🙂🎉 👩‍🚀 🇫🇷",
}
Say = Callable[[str], None]


@dataclass(frozen=True)
class Settings:
    """What the experiment runs on."""
    data: str = "topics"
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    sizes: tuple[int, ...] = SIZES
    size: int = 8192                    # of the vocabulary that the languages pay for, and of the page
    code: int = 300_000                 # characters of code to measure on


QUICK = Settings(seeds=(0, 1), sizes=(256, 512, 1024), size=1024, code=30_000)


def run(settings: Settings, folder: Path, say: Say = print) -> dict:
    """Everything, as plain results; the page is written to `folder`."""
    text = corpora.load_text(settings.data)
    say(f"training on {settings.data}: {len(text.encode()) / 1e6:.2f} MB, vocabulary {settings.size}")
    merges = train_fast(text, settings.size)
    vocabulary = Vocabulary.from_merges(merges)
    tokenizers = {f"ours, {len(vocabulary.tokens):,}": Tokenizer(vocabulary), **real_tokenizers(say)}
    page = write_page(folder / "tokens.html", SAMPLES, tokenizers, vocabulary, "What the model sees")
    say(f"the token view: {page}")
    return {
        "vocabulary": len(vocabulary.tokens), "text_bytes": len(text.encode()),
        "compression": compression(settings, text, say),
        "tax": taxes(tokenizers, say),
        "kinds": tax(tokenizers, {"English": sentences()["English"], **KINDS}),
        "merges": first_and_last(vocabulary, text),
        "view": {name: {label: cells(tokenizer, sample) for label, tokenizer in tokenizers.items()}
                 for name, sample in SAMPLES.items()},
    }


def real_tokenizers(say: Say) -> dict[str, Tokenizer]:
    """GPT-2's and GPT-4's, where their files are on this machine; nothing is downloaded for them."""
    found = {}
    for name, label in (("gpt2", "GPT-2, 50,257"), ("cl100k", "GPT-4, 100,277")):
        if corpora.here(name):
            say(f"reading the vocabulary of {label}")
            found[label] = Tokenizer(corpora.load_vocabulary(name))
    return found


# ---------------------------------------------------------------- compression

def hold_out(text: str, seed: int, share: float = 0.1) -> tuple[str, str]:
    """(to train on, held out): paragraphs, each kept once, drawn with `seed`.

    Each once, because the default text repeats whole topics inside others: they would be on both sides.
    """
    paragraphs = list(dict.fromkeys(text.split("\n\n")))
    random.Random(seed).shuffle(paragraphs)
    cut = int(len(paragraphs) * share)
    return "\n\n".join(paragraphs[cut:]), "\n\n".join(paragraphs[:cut])


def compression(settings: Settings, text: str, say: Say) -> dict:
    """Bytes per token at each size, for each kind of text and seed; and bytes per piece, which no merge can pass."""
    others = "\n".join(sentence for name, sentence in sentences().items() if name != "English")
    code = corpora.load_text("code")[:settings.code]
    curves: dict[str, list[list[float]]] = {}
    limits: dict[str, list[float]] = {}
    reached = []
    for seed in settings.seeds:
        train_text, held_out = hold_out(text, seed)
        whole = Vocabulary.from_merges(train_fast(train_text, max(settings.sizes)))
        reached.append(len(whole.tokens))
        say(f"seed {seed}: {len(whole.tokens)} tokens from {len(train_text):,} characters")
        kinds = {"held-out prose": held_out, "code": code, "24 other languages": others}
        for kind, sample in kinds.items():
            size = len(sample.encode())
            tokenizers = [Tokenizer(whole.first(min(n, len(whole.tokens)))) for n in settings.sizes]
            curves.setdefault(kind, []).append([size / len(t.encode_ordinary(sample)) for t in tokenizers])
            limits.setdefault(kind, []).append(size / len(pretokenize_fast(sample, GPT2)))
    return {"sizes": list(settings.sizes), "curves": curves, "reached": reached,
            "limits": {kind: statistics.median(values) for kind, values in limits.items()}}


# ---------------------------------------------------------------- languages

def taxes(tokenizers: dict[str, Tokenizer], say: Say) -> dict:
    """The tax on the Declaration of Human Rights where its file is here, and always on the project's sentences."""
    say(f"one sentence in {len(LANGUAGES)} languages")
    found = {"sentences": tax(tokenizers, sentences())}
    if corpora.here("udhr"):
        say(f"the Universal Declaration of Human Rights in {len(LANGUAGES)} languages")
        texts = corpora.udhr([language.code for language in LANGUAGES])
        found["declaration"] = tax(tokenizers, {language.name: texts[language.code] for language in LANGUAGES})
    return found


# ---------------------------------------------------------------- merges

def first_and_last(vocabulary: Vocabulary, text: str, shown: int = 16) -> dict:
    """The first merges and the last ones, each with how often its token stands in the training text as encoded."""
    counts = [0] * len(vocabulary.tokens)
    for i in Tokenizer(vocabulary).encode_ordinary(text):
        counts[i] += 1
    def row(i: int) -> dict:
        a, b = vocabulary.merges[i - 256]
        return {"id": i, "token": printable(vocabulary.tokens[i]), "count": counts[i],
                "of": [printable(vocabulary.tokens[a]), printable(vocabulary.tokens[b])]}
    n = len(vocabulary.tokens)
    return {"first": [row(i) for i in range(256, min(256 + shown, n))],
            "last": [row(i) for i in range(max(256, n - shown), n)]}


def printable(token: bytes) -> str:
    """A token for a table."""
    return token.decode("utf-8", "backslashreplace")


def headline(found: dict) -> dict:
    """The few numbers that the page's first lines quote."""
    text = "declaration" if "declaration" in found["tax"] else "sentences"
    ours = next(iter(found["tax"][text]))
    dearest = max(found["tax"][text][ours].items(), key=lambda item: item[1]["tax"])
    prose = found["compression"]["curves"]["held-out prose"]
    return {"text": text, "tokenizer": ours, "dearest": dearest[0], "tax": dearest[1]["tax"],
            "bytes_per_token": statistics.median(curve[-1] for curve in prose)}
