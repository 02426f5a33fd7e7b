"""Break it: changes to a tokenizer, each made on purpose, and what happens.

EXPERIMENTS lists them: the change, what to predict, what happens, and a check of that sentence against the numbers. A
test runs the checks on a fresh quick run and on the recorded results.
"""

import random
from argparse import Namespace
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import accumulate

import regex

from ..pretokenize import CL100K, GPT2, NO_SPLIT, SINGLE_DIGITS
from ..pretokenize_fast import pretokenize_fast
from ..tokenizer import Tokenizer
from ..train_fast import train_fast
from ..vocabulary import Vocabulary
from . import catalogue, fetch, vocabularies
from .experiment import hold_out, printable
from .languages import sentences


@dataclass(frozen=True)
class Corpus:
    """What the experiments run on."""

    text: str
    code: str
    vocab_size: int
    seed: int


@dataclass(frozen=True)
class Experiment:
    """One change. `claim` is what happens, in words, and `holds(outcome)` says whether the numbers agree."""

    change: str
    predict: str
    claim: str
    run: Callable[[Corpus], dict]
    holds: Callable[[dict], bool]


def corpus(data: str = "pydoc", quick: bool = False, seed: int = 0) -> Corpus:
    """The corpus of the recorded run, or a small one."""
    text = fetch.load_text(data)[: 60_000 if quick else None]
    code = fetch.load_text("code")[: len(text)]
    return Corpus(text, code, 512 if quick else 2048, seed)


def break_it(options: Namespace, log: Callable[[str], None]) -> dict:
    """All experiments on one text: {name: outcome}."""
    on = corpus(options.data, options.quick, options.seed)
    results = {}
    for name, experiment in EXPERIMENTS.items():
        log(experiment.change)
        results[name] = experiment.run(on)
    return results


def no_split(corpus: Corpus) -> dict:
    """Train with and without a split. Count the tokens that run past the end of a word; measure the compression."""
    trained, held_out = hold_out(corpus.text[:220_000], corpus.seed)
    dogs = "The dog. A dog! My dog? Your dog, her dog; dog: dog. dog! dog? " * 3
    results: dict = {"vocab_size": corpus.vocab_size}
    for name, pattern in (("split", GPT2), ("no_split", NO_SPLIT)):
        vocabulary = learn(trained, corpus.vocab_size, pattern)
        crossing = [t for t in vocabulary.tokens[256:] if regex.search(rb"[A-Za-z][^A-Za-z]", t)]
        tokenizer = Tokenizer(vocabulary)
        results[name] = {
            "crossing": len(crossing),
            "crossing_share": len(crossing) / (len(vocabulary.tokens) - 256),
            "examples": [printable(t) for t in crossing[:6]],
            "bytes_per_token_trained": len(trained.encode()) / len(tokenizer.encode_ordinary(trained)),
            "bytes_per_token_held_out": len(held_out.encode()) / len(tokenizer.encode_ordinary(held_out)),
            "dog": [t.decode() for t in learn(dogs, 290, pattern).tokens[256:] if b"dog" in t],
        }
    return results


def learn(text: str, vocab_size: int, pattern: str = GPT2) -> Vocabulary:
    """The vocabulary of a text."""
    return Vocabulary.from_merges(train_fast(text, vocab_size, pattern), pattern=pattern)


def characters(corpus: Corpus) -> dict:
    """A vocabulary of the text's characters, without bytes: the share of other texts that is unknown to it."""
    known = set(corpus.text)
    unknown = {name: sum(c not in known for c in s) / len(s) for name, s in sentences().items()}
    languages = sum(share > 0 for share in unknown.values())
    return {"known": len(known), "unknown": unknown, "languages_with_unknowns": languages}


def hindi(corpus: Corpus) -> dict:
    """A vocabulary learned from English, used on Hindi; and one of the same size learned from both."""
    sample = sentences()["Hindi"]
    english = Tokenizer(learn(corpus.text, corpus.vocab_size))
    results = {"characters": len(sample), "bytes": len(sample.encode())}
    results["english"] = len(english.encode_ordinary(sample))
    if fetch.is_local(catalogue.UDHR):
        declaration = vocabularies.udhr(["hin"])["hin"]
        both_texts = corpus.text + declaration * (len(corpus.text) // len(declaration))
        both = Tokenizer(learn(both_texts, corpus.vocab_size))
        results["both"] = len(both.encode_ordinary(sample))
        english_tokens = len(english.encode_ordinary(corpus.text))
        results["english_cost"] = len(both.encode_ordinary(corpus.text)) / english_tokens
    return results


def digits(corpus: Corpus) -> dict:
    """How three rules split numbers, learned from numbers alone, and how often the columns of an addition line up."""
    return digit_rules(corpus.vocab_size, corpus.seed)


def digit_rules(vocab_size: int, seed: int) -> dict:
    """{rule: how it splits four-digit numbers}.

    The columns of a sum line up where both summands and the sum are split at the same places, counted from the units.
    """
    rng = random.Random(seed)
    numbers = "\n".join(str(rng.randrange(10 ** rng.randrange(1, 6))) for _ in range(20_000))
    sums = [(rng.randrange(1000, 10000), rng.randrange(1000, 10000)) for _ in range(1000)]
    results = {}
    for name, pattern in (("merged (GPT-2)", GPT2), ("in threes (GPT-4)", CL100K), ("one by one", SINGLE_DIGITS)):
        tokenizer = Tokenizer(learn(numbers, vocab_size, pattern))
        lengths = Counter(token_lengths(n, tokenizer) for n in range(1000, 10000))
        aligned = sum(cuts(a, tokenizer) == cuts(b, tokenizer) == cuts(a + b, tokenizer) for a, b in sums)
        results[name] = {
            "shapes": {"+".join(map(str, s)): count / 9000 for s, count in lengths.most_common()},
            "aligned": aligned / len(sums),
            "tokens_per_number": sum(len(s) * count for s, count in lengths.items()) / 9000,
        }
    return results


def token_lengths(n: int, tokenizer: Tokenizer) -> tuple[int, ...]:
    """The lengths of the tokens of a number: (3, 1) for 123|4."""
    return tuple(len(tokenizer.vocabulary.tokens[i]) for i in tokenizer.encode_ordinary(str(n)))


def cuts(n: int, tokenizer: Tokenizer) -> set[int]:
    """Where the last four digits of a number are split, counted from the units: {1} for 123|4, {2} for 123|45."""
    return {at for at in accumulate(reversed(token_lengths(n, tokenizer))) if at < 4}


def longest_match(corpus: Corpus) -> dict:
    """Encode by the longest match from the left, with the same vocabulary."""
    vocabulary = learn(corpus.text, corpus.vocab_size)
    tokenizer = Tokenizer(vocabulary)
    by_rank = by_length = changed = total = 0
    for pre_token, count in Counter(pretokenize_fast(corpus.text)).items():
        rank_ids = tokenizer.encode_ordinary(pre_token)
        length_ids = encode_longest_match(pre_token.encode(), vocabulary.ranks)
        total += count
        by_rank += count * len(rank_ids)
        by_length += count * len(length_ids)
        changed += count * (rank_ids != length_ids)
    return {"pre_tokens": total, "changed": changed / total, "tokens_by_rank": by_rank, "tokens_by_length": by_length}


def encode_longest_match(data: bytes, ranks: Mapping[bytes, int]) -> list[int]:
    """The ids of `data`: from the left, always the longest token."""
    ids = []
    while data:
        n = next(n for n in range(len(data), 0, -1) if data[:n] in ranks)
        ids.append(ranks[data[:n]])
        data = data[n:]
    return ids


def never_seen(corpus: Corpus) -> dict:
    """Tokens that a model never meets: they occur neither in the text they were learned from, nor in another one."""
    vocabulary = learn(corpus.text, corpus.vocab_size)
    same, other = unseen(vocabulary, corpus.text), unseen(vocabulary, corpus.code)
    results = {"merges": len(vocabulary.tokens) - 256, "same_text": len(same), "other_text": len(other)}
    results["same_examples"] = sorted(same, key=len, reverse=True)[:6]
    results["other_examples"] = sorted(other, key=len, reverse=True)[:6]
    if vocabularies.is_local("gpt2"):
        ranks = vocabularies.load_vocabulary("gpt2").ranks
        results["gpt2"] = {name: ranks[name.encode()] for name in (" SolidGoldMagikarp", " petertodd")}
    return results


def unseen(vocabulary: Vocabulary, text: str) -> list[str]:
    """The merged tokens that do not occur in the encoded text."""
    seen = set(Tokenizer(vocabulary).encode_ordinary(text))
    return [printable(vocabulary.tokens[i]) for i in range(256, len(vocabulary.tokens)) if i not in seen]


EXPERIMENTS = {
    "no_split": Experiment(
        "train without a split",
        'which tokens hold `dog` in "dog. dog! dog?"; whether held-out text takes more tokens or fewer',
        "With the split one token holds `dog`, without it more than five. Yet held-out text takes fewer tokens.",
        no_split,
        lambda o: (
            o["split"]["dog"] == [" dog"]
            and len(o["no_split"]["dog"]) > 5
            and o["split"]["crossing"] == 0 < o["no_split"]["crossing"]
            and o["no_split"]["bytes_per_token_held_out"] > o["split"]["bytes_per_token_held_out"]
        ),
    ),
    "characters": Experiment(
        "characters instead of bytes",
        "how much of Vietnamese, Hindi and Chinese is unknown",
        "All of Chinese is unknown, most of Hindi, and something of most languages.",
        characters,
        lambda o: (
            o["unknown"]["Chinese"] == 1
            and o["unknown"]["Hindi"] > 0.5
            and o["languages_with_unknowns"] > len(o["unknown"]) / 2
        ),
    ),
    "hindi": Experiment(
        "English tokens for Hindi",
        "tokens per character",
        "Hindi takes one token for each byte, which is more than two for each character.",
        hindi,
        lambda o: o["english"] == o["bytes"] > 2 * o["characters"] and o.get("both", 0) < o["english"],
    ),
    "digits": Experiment(
        "digits merged, in threes, one by one",
        "how often the columns of an addition line up",
        "Only with one digit a token do the columns of every sum line up. It takes twice as many tokens.",
        digits,
        lambda o: (
            o["one by one"]["aligned"] == 1 > max(o[r]["aligned"] for r in o if r != "one by one")
            and o["one by one"]["tokens_per_number"] == 4
            and max(o[r]["tokens_per_number"] for r in o if r != "one by one") < 2.7
        ),
    ),
    "longest_match": Experiment(
        "longest match instead of rank",
        "more tokens, or fewer?",
        "A few per cent of the pre-tokens get other ids. The number of tokens changes by less than 2 %.",
        longest_match,
        lambda o: 0 < o["changed"] < 0.15 and abs(o["tokens_by_length"] / o["tokens_by_rank"] - 1) < 0.02,
    ),
    "never_seen": Experiment(
        "tokens never seen",
        "how many tokens of a vocabulary its own training text never uses",
        "Some tokens do not occur in the text they were learned from, and more do not occur in code.",
        never_seen,
        lambda o: 0 < o["same_text"] < o["other_text"] < o["merges"],
    ),
}
