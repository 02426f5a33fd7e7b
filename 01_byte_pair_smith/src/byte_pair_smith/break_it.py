"""Break it: six changes to a tokenizer, each made on purpose, and what happens.

Every experiment returns plain numbers; what was to be expected stands in the chapter.
"""
import random
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import accumulate

import regex

from . import corpora
from .encode import NO_MERGE
from .experiment import hold_out, printable
from .languages import sentences
from .pretokenize import CL100K, DIGITS, GPT2, WHOLE, pretokenize_fast
from .tokenizer import Tokenizer
from .train import train_fast
from .vocabulary import Vocabulary


def run(data: str = "topics", quick: bool = False, seed: int = 0, say: Callable[[str], None] = print) -> dict:
    """All experiments on one text."""
    text = corpora.load_text(data)[:60_000 if quick else None]
    size = 512 if quick else 2048
    parts = {"without a split": lambda: without_split(*hold_out(text[:220_000], seed), size),
             "characters instead of bytes": lambda: characters(text),
             "English tokens for Hindi": lambda: hindi(text, size),
             "digits": lambda: digits(size, seed),
             "left to right instead of by rank": lambda: left_to_right(text, size),
             "tokens never seen": lambda: never_seen(text, corpora.load_text("code")[:len(text)], size)}
    found = {}
    for name, part in parts.items():
        say(name)
        found[name] = part()
    return found


def without_split(trained: str, held_out: str, size: int) -> dict:
    """Train with and without a split: which tokens glue a word to what follows it, and what that does elsewhere."""
    dogs = "The dog. A dog! My dog? Your dog, her dog; dog: dog. dog! dog? " * 3
    found = {"size": size}
    for name, pattern in (("split", GPT2), ("whole", WHOLE)):
        vocabulary = Vocabulary.from_merges(train_fast(trained, size, pattern), pattern=pattern)
        glued = [t for t in vocabulary.tokens[256:] if regex.search(rb"[A-Za-z][^A-Za-z]", t)]
        small = Vocabulary.from_merges(train_fast(dogs, 290, pattern), pattern=pattern)
        with_dog = [t.decode() for t in small.tokens[256:] if b"dog" in t]
        tokenizer = Tokenizer(vocabulary)
        found[name] = {
            "glued": len(glued), "glued_share": len(glued) / (len(vocabulary.tokens) - 256),
            "examples": [printable(t) for t in glued[:6]],
            "bytes_per_token_trained": len(trained.encode()) / len(tokenizer.encode_ordinary(trained)),
            "bytes_per_token_held_out": len(held_out.encode()) / len(tokenizer.encode_ordinary(held_out)),
            "dog": with_dog}
    return found


def characters(text: str) -> dict:
    """Without bytes to fall back on, a vocabulary of characters: what of other texts is unknown to it."""
    known = set(text)
    unknown = {name: sum(c not in known for c in s) / len(s) for name, s in sentences().items()}
    return {"known": len(known), "unknown": unknown,
            "languages_with_unknowns": sum(share > 0 for share in unknown.values())}


def hindi(text: str, size: int) -> dict:
    """A vocabulary learnt from English, used on Hindi; and the same size learnt from both."""
    sample = sentences()["Hindi"]
    english = Tokenizer(Vocabulary.from_merges(train_fast(text, size)))
    found = {"characters": len(sample), "bytes": len(sample.encode()), "english": len(english.encode_ordinary(sample))}
    if corpora.here("udhr"):
        declaration = corpora.udhr(["hin"])["hin"]
        both = Tokenizer(Vocabulary.from_merges(train_fast(text + declaration * (len(text) // len(declaration)), size)))
        found |= {"both": len(both.encode_ordinary(sample)),
                  "english_cost": len(both.encode_ordinary(text)) / len(english.encode_ordinary(text))}
    return found


def digits(size: int, seed: int) -> dict:
    """How numbers are cut under three rules, learnt from numbers alone, and how often an addition's columns line up.

    Columns line up where both summands and the sum are cut at the same places, counted from the units as one does on
    paper: only then do digits of the same worth stand in tokens of the same shape.
    """
    rng = random.Random(seed)
    numbers = "\n".join(str(rng.randrange(10 ** rng.randrange(1, 6))) for _ in range(20_000))
    sums = [(rng.randrange(1000, 10000), rng.randrange(1000, 10000)) for _ in range(1000)]
    found = {}
    for name, pattern in (("merged (GPT-2)", GPT2), ("in threes (GPT-4)", CL100K), ("one by one", DIGITS)):
        tokenizer = Tokenizer(Vocabulary.from_merges(train_fast(numbers, size, pattern), pattern=pattern))
        shapes = Counter(shape(n, tokenizer) for n in range(1000, 10000))
        aligned = sum(places(a, tokenizer) == places(b, tokenizer) == places(a + b, tokenizer) for a, b in sums)
        found[name] = {
            "shapes": {"+".join(map(str, s)): c / 9000 for s, c in shapes.most_common()},
            "aligned": aligned / len(sums), "tokens_per_number": sum(len(s) * c for s, c in shapes.items()) / 9000}
    return found


def shape(n: int, tokenizer: Tokenizer) -> tuple[int, ...]:
    """The lengths of the tokens of a number: (3, 1) for 123|4."""
    return tuple(len(tokenizer.vocabulary.tokens[i]) for i in tokenizer.encode_ordinary(str(n)))


def places(n: int, tokenizer: Tokenizer) -> set[int]:
    """Where a number is cut among its last four digits, counted from the units: {1} for 123|4 and {2} for 123|45."""
    return {at for at in accumulate(reversed(shape(n, tokenizer))) if at < 4}


def left_to_right(text: str, size: int) -> dict:
    """Longest match from the left with the same vocabulary: other ids, and not always more of them."""
    vocabulary = Vocabulary.from_merges(train_fast(text, size))
    ranks, tokenizer = vocabulary.ranks, Tokenizer(vocabulary)
    longest = max(map(len, ranks))
    by_rank = by_length = changed = pieces = 0
    for piece, times in Counter(pretokenize_fast(text)).items():
        rank_ids, greedy_ids = tokenizer.encode_ordinary(piece), longest_first(piece.encode(), ranks, longest)
        pieces += times
        by_rank += times * len(rank_ids)
        by_length += times * len(greedy_ids)
        changed += times * (rank_ids != greedy_ids)
    return {"pieces": pieces, "changed": changed / pieces, "tokens_by_rank": by_rank, "tokens_by_length": by_length}


def longest_first(data: bytes, ranks: Mapping[bytes, int], longest: int) -> list[int]:
    """The ids of `data` by longest match from the left."""
    ids, at = [], 0
    while at < len(data):
        n = next(n for n in range(longest, 0, -1) if ranks.get(data[at:at + n], NO_MERGE) != NO_MERGE)
        ids.append(ranks[data[at:at + n]])
        at += n
    return ids


def never_seen(text: str, other: str, size: int) -> dict:
    """Tokens that a model would never meet: those that only served as a step, and those of another corpus.

    The tokenizer learns from `text`. A model trained on the same text never sees the first kind; one trained on `other`
    never sees the second either. Their embeddings stay as they were drawn: *glitch tokens*.
    """
    vocabulary = Vocabulary.from_merges(train_fast(text, size))
    tokenizer = Tokenizer(vocabulary)
    def unseen(corpus: str) -> list[str]:
        seen = set(tokenizer.encode_ordinary(corpus))
        return [printable(vocabulary.tokens[i]) for i in range(256, len(vocabulary.tokens)) if i not in seen]
    same, elsewhere = unseen(text), unseen(other)
    found = {"merges": len(vocabulary.tokens) - 256, "same_text": len(same), "other_text": len(elsewhere),
             "same_examples": sorted(same, key=len, reverse=True)[:6],
             "other_examples": sorted(elsewhere, key=len, reverse=True)[:6]}
    if corpora.here("gpt2"):
        ranks = corpora.load_vocabulary("gpt2").ranks
        found["gpt2"] = {name: ranks[name.encode()] for name in (" SolidGoldMagikarp", " petertodd")}
    return found
