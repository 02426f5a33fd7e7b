"""The classic mistakes of a byte-pair tokenizer as running code, and the inputs on which they are recognized.

Mistakes that combine are built from knobs: each knob has its right setting first, and every other setting is one
mistake. Two at once have a sentence of their own, made of the two.
"""

import random
import re
from codecs import getincrementaldecoder
from collections import Counter, deque
from functools import cache
from itertools import combinations, pairwise

import numpy as np
import regex
from byte_pair_smith import BYTE_ORDER, GPT2, GPT2_ORDER, NO_SPLIT, Vocabulary, train_fast
from grader import Mistake, combine, error_of

GATE_SEEDS = 3
TASKS = ["count_pairs", "merge", "pretokenize", "train", "encode", "decode", "encode_with_special"]


# ---------------------------------------------------------------- count_pairs

COUNT = {
    "overlap": [
        "all",
        "that skips overlapping pairs, so that aaa holds (a, a) once",
        "that steps over two ids at a time",
        "that counts a pair ONCE per pre-token, however often the pre-token holds it",
    ],
    "times": [
        "times",
        "that counts each distinct pre-token ONCE, whatever its frequency",
        "that keeps the LAST pre-token's count of a pair and does not add up",
    ],
    "border": [
        "within",
        "that also pairs the end of one pre-token with the start of the next",
        "that also pairs the last id of a pre-token with its first",
    ],
    "order": ["ordered", "that adds up (a, b) and (b, a)"],
}
COUNT_HINTS = {
    COUNT["overlap"][
        1
    ]: "The libraries count every two neighbours. How many pairs of neighbours does a pre-token of three ids have?",
    COUNT["overlap"][
        2
    ]: "A pre-token of n ids has n - 1 pairs of neighbours, and each id but the ends is in two of them.",
    COUNT["overlap"][3]: "How often does (a, b) occur in `abab`?",
    COUNT["border"][2]: "Is the last id of a pre-token a neighbour of the first?",
    COUNT["times"][1]: "If ` the` occurs 9,000 times in the text, how often does its first pair occur?",
    COUNT["times"][
        2
    ]: "Two pre-tokens hold the same pair, one 5 times and one 2 times. How often does it occur in all?",
    COUNT["border"][1]: "The pre-tokens of the dict are not neighbours in the text. Can a merge join two of them?",
    COUNT["order"][1]: "Does merging `th` do anything for a text full of `ht`?",
}


def wrong_count_pairs(overlap, times, border, order):
    def pairs_of(word):
        pairs = list(pairwise(word))
        if overlap == COUNT["overlap"][1]:
            kept, skipped = [], False
            for n, pair in enumerate(pairs):
                skipped = not skipped and n > 0 and pair == pairs[n - 1] and pair[0] == pair[1]
                kept += [] if skipped else [pair]
            pairs = kept
        elif overlap == COUNT["overlap"][2]:
            pairs = pairs[::2]
        if border == COUNT["border"][2] and len(word) > 1:
            pairs.append((word[-1], word[0]))
        pairs = [(min(p), max(p)) for p in pairs] if order != "ordered" else pairs
        return set(pairs) if overlap == COUNT["overlap"][3] else pairs

    def count_pairs(pre_tokens):
        counts, last = {}, None
        for word, count in pre_tokens.items():
            if border == COUNT["border"][1] and last is not None and word:
                counts[last, word[0]] = counts.get((last, word[0]), 0) + 1
            for pair in pairs_of(word):
                so_far = 0 if times == COUNT["times"][2] else counts.get(pair, 0)
                counts[pair] = so_far + (1 if times == COUNT["times"][1] else count)
            last = word[-1] if word else last
        return counts

    return count_pairs


def random_words(seed, letters=3):
    """A few words over few ids, with frequencies: runs, ties and reversed pairs are all in there."""
    rng = random.Random(seed)
    words = {
        tuple(rng.randrange(97, 97 + letters) for _ in range(rng.randrange(1, 9))): rng.randrange(2, 30)
        for _ in range(12)
    }
    return {(97, 98, 99, 98): 7, (97, 97, 97): 3, **words}


def a_few_pre_tokens(impl, seed):
    return impl.count_pairs({(97, 98, 99): 5, (98, 97, 99, 100): 2 + seed % 7})


def pre_tokens_with_runs(impl, seed):
    return impl.count_pairs(random_words(seed))


def one_run(impl, seed):
    return impl.count_pairs({(97,) * (5 + seed % 7): 2})


def pre_tokens_without_pairs(impl, seed):
    return {"none": impl.count_pairs({}), "of one id and of none": impl.count_pairs({(97 + seed % 7,): 4, (): 2})}


def ids_of_merged_tokens(impl, seed):
    return impl.count_pairs({(256, 300, 256): 2, (300, 70_000): 3 + seed % 7, (5, 0, 256): 1})


def ids_of_a_large_vocabulary(impl, seed):
    return impl.count_pairs(
        {(100_000, 262_143, 100_000): 2, (1_000_003, 131_072): 3 + seed % 7, (131_072, 1_000_003): 1}
    )


def counts_in_the_billions(impl, seed):
    return impl.count_pairs({(97, 98, 99): 3_000_000_000 + seed % 7, (98, 99): 70_000, (99, 97): 300})


def a_thousand_ids_in_one_pre_token(impl, seed):
    return impl.count_pairs({tuple(n * n % 7 for n in range(1100)): 2 + seed % 7})


def a_thousand_pre_tokens(impl, seed):
    return impl.count_pairs({(n, n + 1): 1 + n % 3 for n in range(1500 + seed % 7)})


# ---------------------------------------------------------------- merge

MERGE = {
    "scan": [
        "left",
        "that skips the id AFTER a match",
        "that lets matches OVERLAP, so that aaa gives two",
        "that replaces the FIRST occurrence only",
        "that takes the occurrences from the RIGHT",
    ],
    "end": ["kept", "that loses the last id when it is not merged"],
    "order": ["ordered", "that merges (b, a) as well as (a, b)"],
}
MERGE_HINTS = {
    MERGE["scan"][1]: "After a match at position i, which position is looked at next?",
    MERGE["scan"][2]: "Each id can go into one new token only: what are the bytes of your result?",
    MERGE["scan"][3]: "How many occurrences of a pair may a pre-token hold?",
    MERGE["scan"][4]: "In a run of three, which two join? Training and encoding must agree.",
    MERGE["end"][1]: "A loop that looks at i and i + 1 ends one step early: what copies the last id?",
    MERGE["order"][1]: "Are the bytes of `th` those of `ht`?",
}


def wrong_merge(scan, end, order):
    def merge(ids, pair, new_id):
        ids = list(ids)[::-1] if scan == MERGE["scan"][4] else list(ids)
        pair = pair[::-1] if scan == MERGE["scan"][4] else tuple(pair)
        wanted = {pair, pair[::-1]} if order != "ordered" else {pair}
        out, i, done = [], 0, False
        while i < len(ids):
            if i + 1 < len(ids) and (ids[i], ids[i + 1]) in wanted and not done:
                out.append(new_id)
                done = scan == MERGE["scan"][3]
                i += {MERGE["scan"][1]: 3, MERGE["scan"][2]: 1}.get(scan, 2)
                if scan == MERGE["scan"][2] and not (i + 1 < len(ids) and (ids[i], ids[i + 1]) in wanted):
                    i += 1
            elif i + 1 == len(ids) and end != "kept":
                break
            else:
                out.append(ids[i])
                i += 1
        return out[::-1] if scan == MERGE["scan"][4] else out

    return merge


def random_ids(seed, letters=2):
    rng = random.Random(seed)
    return [rng.randrange(1, 1 + letters) for _ in range(40)]


def two_places(impl, seed):
    return impl.merge([7, 1, 2, 9, 8, 1, 2, 5 + seed % 7], (1, 2), 300)


def a_run(impl, seed):
    return {f"{n} in a row": impl.merge([4] * n, (4, 4), 256 + seed % 7) for n in range(8)}


def many_ids(impl, seed):
    return {f"merging {pair}": impl.merge(random_ids(seed), pair, 256) for pair in ((1, 2), (2, 1), (1, 1))}


def ids_whose_digits_look_like_the_pair(impl, seed):
    ids = (11, 2, 1, 22, 1, 2, 112, 12, 30 + seed % 7)
    return {"(1, 2)": impl.merge(ids, (1, 2), 300), "(12, 30)": impl.merge((11, 2, 12, 30, 1230), (12, 30), 301)}


def the_id_0(impl, seed):
    ids = [0, 0, 5, 0, 1, 0, 2 + seed % 7]
    return {f"merging {pair}": impl.merge(ids, pair, 300) for pair in ((5, 0), (0, 1), (1, 0), (0, 0))}


def ids_that_mean_something_to_regular_expressions(impl, seed):
    ids = [40, 41, 46, 42, 91, 94, 46, 46, 97, 42, 40, 41, 97 + seed % 7]
    return {f"merging {pair}": impl.merge(ids, pair, 300) for pair in ((40, 41), (46, 42), (91, 94), (46, 46))}


def ids_whose_bytes_look_like_the_pair(impl, seed):
    """Written as bytes one after another, these hold the pair across the border of two ids."""
    ids = [0, 256, 512, 0, 1, 256, 2, 512 + seed % 7]
    return {f"merging {pair}": impl.merge(ids, pair, 300) for pair in ((1, 2), (256, 2), (1, 256))}


def a_pair_of_large_ids(impl, seed):
    """Python makes two objects of two equal numbers above 256."""
    ids = [int(i) for i in f"300 70000 262143 300 70000 1200003 262143 300 {65535 + seed % 7}".split()]
    pairs = [tuple(int(i) for i in pair.split()) for pair in ("300 70000", "262143 300", "1200003 262143")]
    found = {f"merging {pair}": impl.merge(ids, pair, 300_000) for pair in pairs}
    return found | {"a tuple": impl.merge(tuple(ids), pairs[0], 300_000)}


def thousands_of_ids(impl, seed):
    return {
        "a run": impl.merge([4] * (2501 + seed % 7), (4, 4), 256),
        "three in turns": impl.merge([1, 2, 3] * 700, (1, 2), 300),
    }


def a_new_list(impl, seed):
    told = {}
    for name, ids in {
        "the pair is there": [1, 2, 3],
        "the pair is not there": [1, 3],
        "no ids": [],
        "one id": [1],
        "a tuple": (1, 3),
    }.items():
        result = impl.merge(ids, (1, 2), 300 + seed % 7)
        told |= {
            f"{name}: is the result a list?": isinstance(result, list),
            f"{name}: is it a new one?": result is not ids,
        }
    first, second = impl.merge([1, 2, 3], (1, 2), 300 + seed % 7), impl.merge([5], (1, 2), 300)
    again = {f"new id {n}": impl.merge([7, 8, 7 + seed % 7], (7, 8), n) for n in (300, 301)}
    return told | {"two calls: are there two lists?": first is not second, "two calls: the first list": first} | again


# ---------------------------------------------------------------- pretokenize

SPLIT = {
    "space": [
        "leading",
        "with the space at the END of the word before it",
        "that throws white space away",
        r"in which any white space (\s?) may lead, not only a space",
    ],
    "letters": [
        "all",
        "that knows no letters but A to Z",
        r"that takes [^\W\d_] for the letters, which holds Ⅷ and the marks of Hindi too",
    ],
    "ahead": ["ahead", "in which a run of spaces takes the space of the next word"],
    "clitics": ["lower", "that does not keep 's and 're together", "that keeps 'S and 'RE together too, as GPT-4 does"],
    "digits": [
        "apart",
        "with letters and digits in one run",
        r"that knows no digits but decimal ones (\d), so that ² and ½ go with the punctuation",
    ],
    "pattern": ["given", "that IGNORES the pattern it is given", "that silently loses what the pattern does not match"],
}
SPLIT_HINTS = {
    SPLIT["space"][
        1
    ]: "GPT-2's vocabulary is full of tokens like ` the`, not `the `: where does the optional space stand?",
    SPLIT["space"][2]: "Join the pre-tokens: is it still the text? A Python program would not run any more.",
    SPLIT["space"][3]: "How many pre-tokens is a line end and a word? GPT-2 gives the line end one of its own.",
    SPLIT["letters"][
        1
    ]: "How many pre-tokens is `Äpfel`, and what is the category of `Ä`? The library `regex` knows \\p{L}.",
    SPLIT["ahead"][
        1
    ]: "For two spaces and a word GPT-2 gives one space alone and one with the word: what does (?!\\S) see?",
    SPLIT["clitics"][1]: "How many pre-tokens is `don't` in GPT-2? The apostrophe goes with what follows it.",
    SPLIT["clitics"][2]: "GPT-2's rule lists the clitics in lower case only. GPT-4's pattern changed that.",
    SPLIT["letters"][2]: r"Of which category is Ⅷ, and is ि a letter? \p{L} holds letters only.",
    SPLIT["digits"][2]: "², ½ and Ⅷ belong to category N too. Which escape means all of it?",
    SPLIT["digits"][1]: "Is `gpt2` one pre-token or two?",
    SPLIT["pattern"][1]: "What should a pattern that matches everything give?",
    SPLIT["pattern"][
        2
    ]: "A tokenizer that loses characters cannot be undone: compare the joined pre-tokens with the text.",
}


def wrong_pretokenize(space, letters, ahead, clitics, digits, pattern):
    known = "A-Za-z" if letters == SPLIT["letters"][1] else r"\p{L}"
    L = r"[^\W\d_]" if letters == SPLIT["letters"][2] else f"[{known}]"
    N = r"\d" if digits == SPLIT["digits"][2] else r"\p{N}"
    run = "%s+" if space != SPLIT["space"][1] else "%s+ ?"
    lead = {SPLIT["space"][1]: "", SPLIT["space"][3]: r"\s?"}.get(space, " ?")
    words = [L, N] if digits != SPLIT["digits"][1] else [f"(?:{L}|{N})"]
    branches = [lead + run % w for w in [*words, f"[^\\s{known}{N}]"]]
    clitic = {"lower": ["'(?:[sdmt]|ll|ve|re)"], SPLIT["clitics"][1]: []}.get(clitics, ["'(?i:[sdmt]|ll|ve|re)"])
    rule = "|".join([*clitic, *branches, *([r"\s+(?!\S)"] if ahead == "ahead" else []), r"\s+"])

    def pretokenize(text, split=None):
        used = rule if split is None or pattern == SPLIT["pattern"][1] else split
        found = regex.findall(used, text)
        if pattern != SPLIT["pattern"][2] and "".join(found) != text:
            raise ValueError(f"pattern {used!r} must match every character")
        return [p.strip() for p in found if p.strip()] if space == SPLIT["space"][2] else found

    return lambda text, pattern=None: pretokenize(text, pattern)


def plain_words(impl, seed):
    return impl.pretokenize(f"Hello there, world {10 + seed % 7}!")


def everything_at_once(impl, seed):
    return impl.pretokenize("I'll  say: DON'T you're  gpt2x  don't  Äpfel naïve ?!\n\n\t x  " + "y" * (seed % 7))


def unusual_digits_and_letters(impl, seed):
    texts = ("a\nb\t12\n!", "x²) + 5½!", "½ a½", "Ⅷ Ⅷa", "٣٤ab", "_-_ a_b", "ª日本 हिन्दी", "'sx 'S", "'d'm't've'll're")
    texts += ("don’t it’s", "12345 67 2026")
    return {repr(text): impl.pretokenize(text + " " * (seed % 7)) for text in texts}


def white_space_of_every_kind(impl, seed):
    texts = (
        "a\u00a0b",
        "a\u3000\u3000b",
        "a\r\n\r\nb",
        "a \n b",
        "a\n\nb",
        "a\x0b\x0c b",
        "\u2028 a\u2003b",
        "\ta\u0085 b",
    )
    return {repr(text): impl.pretokenize(text + " " * (seed % 7)) for text in texts}


def visible_characters_of_every_kind(impl, seed):
    texts = (
        "a🙂🙂 🙂b",
        "e\u0301 n\u0303o",
        "a\u0301\u0302!",
        "a\x00\x07 b",
        "x\u200by",
        "$€ +=≠ «a»",
        "\ue000\u0378",
        "👩\u200d👧 🇩🇪",
    )
    return {repr(text): impl.pretokenize(text + "!" * (seed % 7)) for text in texts}


def runs_of_white_space_before_every_kind_of_character(impl, seed):
    texts = ("a  !", "a   (b)", "a  1", "a   ½", "a  é", "a  _", "a  ि", "a  🙂", "a  's", "a \n !", "a\t\t.", "a  ")
    return {repr(text): impl.pretokenize(text + "." * (seed % 7)) for text in texts}


def texts_of_prose_and_of_programs(impl, seed):
    texts = (
        "well-known 'em rock'n'roll a`s 'Ll 'Re",
        "iPhone OpenAI dEF",
        "日本語 東京",
        "a\u200db \u00adc",
        "a\n's b\t'd",
    )
    texts += (
        "3.14 1,000 -12 +5 50% 1e-9",
        "x+=1; #!$.?-> a.€+~",
        "a  \u200bb   \x00",
        "a" + " " * 130 + "b\n" + "\t" * 130,
    )
    texts += ("9" * 70, "." * 70 + "=" * 70, "a" * 70 + " " + "日" * 70)
    return {repr(text[:20]): impl.pretokenize(text + "." * (seed % 7)) for text in texts}


def rare_letters_and_clitics(impl, seed):
    texts = ("ǅa ʰⁿ", "5Ⅷ!", "a 's b 'll", "'s's ''s", "l'll've", "𝒜𐐀 𝟘")
    return {text: impl.pretokenize(text + "!" * (seed % 7)) for text in texts}


def a_text_of_thousands_of_pre_tokens(impl, seed):
    return impl.pretokenize("a 1" * 1100 + "y" * 1500 + "!" * (seed % 7))


def with_another_pattern(impl, seed):
    return {p: impl.pretokenize("ab 12  c", p) for p in (NO_SPLIT, r"\S+|\s+", r"(?s:.)")} | {
        "no text": impl.pretokenize("")
    }


def patterns_with_more_of_the_library_in_them(impl, seed):
    texts = {
        r"\p{Lu}|\P{Lu}+": "aBCd É",
        r"(?<=a)b+|(?s:.)": "abb cb",
        r".+|\n": "a\nb\n",
        r"[a-z]+|(?s:.)": "abAB",
    }
    found = {pattern: impl.pretokenize(text + "a" * (seed % 7), pattern) for pattern, text in texts.items()}
    return found | {"no text": impl.pretokenize("", NO_SPLIT), "by name": impl.pretokenize("ab", pattern=r"(?s:.)")}


def with_a_pattern_that_leaves_gaps(impl, seed):
    return {
        "in the middle": error_of(lambda: impl.pretokenize("one 1 two", r"[a-z]+|[0-9]+")),
        "at the end": error_of(lambda: impl.pretokenize("one 1", r"[a-z ]+")),
        "everywhere": error_of(lambda: impl.pretokenize("1", r"[a-z]+")),
        "one of two spaces": error_of(lambda: impl.pretokenize("one  two", r"[a-z]+|(?<=e) ")),
        "at the start": error_of(lambda: impl.pretokenize(" one", r"[a-z]+")),
        "the last line end": error_of(lambda: impl.pretokenize("one\n", r".+")),
        "spaces at both ends": error_of(lambda: impl.pretokenize(" one ", r"[a-z]+")),
    }


# ---------------------------------------------------------------- train

TRAIN = {
    "ties": ["smallest", "with ties broken by which pair was SEEN FIRST", "with ties broken by the LARGEST pair"],
    "times": ["times", "that counts each distinct pre-token ONCE, whatever its frequency"],
    "border": ["within", "that merges across the borders of the pre-tokens"],
    "overlap": ["all", "that skips overlapping pairs when it counts, so that aaa holds (a, a) once"],
    "unit": ["bytes", "on characters instead of UTF-8 bytes"],
    "size": ["size", "with one merge too MANY", "with one merge too FEW", "with vocab_size merges beside the bytes"],
    "stop": ["none left", "that stops when the best pair occurs only once"],
    "first": ["256", "whose first new id is 257"],
    "recount": ["each time", "that counts ONCE and takes the most frequent pairs of the bytes"],
}
TRAIN_HINTS = {
    TRAIN["ties"][1]: "Shuffle the documents. Are the merges still the same?",
    TRAIN["ties"][2]: "Of several pairs with the highest count, the smallest (a, b) is taken.",
    TRAIN["times"][1]: "Which pair saves more tokens in the text: one in ` the`, or one in ` xylophone`?",
    TRAIN["border"][1]: "Does one of your tokens hold the end of one word and the start of the next?",
    TRAIN["overlap"][1]: "The libraries count every two neighbours, although only some of them can be merged.",
    TRAIN["unit"][1]: "Which of your ids would a Hindi text use, if there were none in training?",
    TRAIN["size"][1]: "How many tokens are there before the first merge?",
    TRAIN["size"][2]: "How many tokens are there before the first merge? Ids start at 0.",
    TRAIN["size"][3]: "The bytes are part of the vocabulary.",
    TRAIN["stop"][1]: "A pair that occurs once still makes the text shorter by one. Where does the text say to stop?",
    TRAIN["recount"][1]: "After `th` is merged, how often does `he` still occur? And who can merge `the`?",
    TRAIN["first"][1]: "The last byte is number 255.",
}


def wrong_train(ties, times, border, overlap, unit, size, stop, first, recount, kept=None):
    key = {"smallest": lambda c: lambda p: (-c[p], p), TRAIN["ties"][2]: lambda c: lambda p: (-c[p], -p[0], -p[1])}
    key = key.get(ties, lambda c: lambda p: -c[p])
    base = 256 if first == "256" else 257
    extra = dict(zip(TRAIN["size"], (0, 1, -1, 256), strict=True))[size]
    merge = wrong_merge("left", "kept", "ordered")

    def train(text, vocab_size, pattern):
        if vocab_size < 256:
            raise ValueError("vocab_size is below 256")
        pre_tokens = [text] if border != "within" else filter(kept, regex.findall(pattern, text))
        words = Counter(tuple(p.encode() if unit == "bytes" else map(ord, p)) for p in pre_tokens)
        if times != "times":
            words = Counter(dict.fromkeys(words, 1))
        merges = []
        while len(merges) < vocab_size - 256 + extra:
            counts = {}
            for word, count in words.items():
                counted = None
                for i, pair in enumerate(pairwise(word)):
                    if overlap != "all" and counted == i - 1 and pair == (word[i - 1], word[i]):
                        continue
                    counts[pair], counted = counts.get(pair, 0) + count, i
            if not counts or stop != "none left" and max(counts.values()) == 1:
                break
            if recount != "each time":
                return sorted(counts, key=key(counts))[: max(0, vocab_size - 256 + extra)]
            merges.append(min(counts, key=key(counts)))
            words = Counter({tuple(merge(w, merges[-1], base + len(merges) - 1)): n for w, n in words.items()})
        return merges

    return train


WORDS = r"\s?[^\s]+|\s+"


def random_text(seed, size=160):
    """A text of few letters, so that there are runs and ties, with frequent words and some beyond ASCII."""
    rng = random.Random(seed)
    words = ["".join(rng.choice("abcé") for _ in range(rng.randrange(1, 7))) for _ in range(12)]
    return " ".join(rng.choice(words[: rng.randrange(1, 13)]) for _ in range(size // 4))


def letters_and_runs(impl, seed):
    return impl.train(random_text(seed), 275, WORDS)


def a_text_that_runs_out(impl, seed):
    return impl.train("abc aaaa xyz" + "q" * (seed % 7), 400, GPT2)


def few_words_often(impl, seed):
    return impl.train("zx zx zx zx zx zx ab abd abe abf abg bab aaa aaa aaaa ö ö üö" + " k" * (seed % 7), 266, GPT2)


def tied_pairs(impl, seed):
    return impl.train("dc cb ba fe ed" + " h" * (seed % 7), 262, GPT2)


def runs_against_pairs(impl, seed):
    return impl.train("aaaa aaaa aaa bc bc bc bc bc bc", 257 + seed % 7, GPT2)


def many_merges_to_make(impl, seed):
    return impl.train("abcdefghij " * (3 + seed % 7), 259, GPT2)


def the_smallest_vocabularies(impl, seed):
    sizes = {f"vocab_size {n}": impl.train("aab aab" + "b" * (seed % 7), n, GPT2) for n in (256, 257)}
    small = {f"vocab_size {n}": error_of(lambda n=n: impl.train("text", n, GPT2)) for n in (255, 10, 0, -1)}
    small |= {"vocab_size 255, no text": error_of(lambda: impl.train("", 255, GPT2))}
    large = impl.train("abc" + "d" * (seed % 7), 512, GPT2)
    return {**sizes, **small, "vocab_size 512": large, "no text": impl.train("", 300, GPT2)}


def capital_letters(impl, seed):
    return impl.train("Ab AB aB Ab ab ABBA" + " ab" * (seed % 7), 262, GPT2)


def a_pre_token_that_occurs_hundreds_of_times(impl, seed):
    return impl.train("ab " * (260 + seed % 7) + "cd " * 300 + "xyz xyw", 259, GPT2)


def white_space_in_runs(impl, seed):
    return impl.train("a    b\n\n\nc    d\n\n\ne" + " f" * (seed % 7), 260, GPT2)


def white_space_at_the_ends_of_the_text(impl, seed):
    texts = ("\n\n\n\nab", "ab\n\n\n\n", "     ", "a\r\n\r\nb\r\n\r\n")
    return {repr(text): impl.train(" " * (seed % 7) + text, 258, GPT2) for text in texts}


def characters_of_three_and_four_bytes(impl, seed):
    return impl.train("日本 日本 🙂🙂 e\u0301e\u0301 日" + " 本" * (seed % 7), 266, GPT2)


def the_character_0(impl, seed):
    return impl.train("\0\0\0 a\0" + " b" * (seed % 7), 260, GPT2)


def hundreds_of_different_words(impl, seed):
    return impl.train(" ".join(f"{n}qz" for n in range(300 + seed % 7)) + " ab" * 150, 258, r"\S+|\s+")


def a_large_vocabulary_before_a_small_one(impl, seed):
    """The same text each time."""
    text = "low low lower lowest" + " x" * (seed % 7)
    return {
        f"{nth}, vocab_size {n}": impl.train(text, n, GPT2) for nth, n in (("first", 262), ("then", 258), ("last", 260))
    }


def text_under_other_patterns(impl, seed):
    text = "a b a b, ab1 ab1, 1 1 aé aé" + " c" * (seed % 7)
    patterns = (NO_SPLIT, r"\S+|\s+", r"\p{L}+|\P{L}", r"\w+|\W", r"a*|[^a]+")
    return {pattern: impl.train(text, 262, pattern) for pattern in patterns}


# ---------------------------------------------------------------- encode

ENCODE = {
    "order": [
        "rank",
        "that takes the LONGEST token from the left",
        "that merges the FIRST pair it can, not the lowest rank",
        "that merges the HIGHEST rank first",
        "that makes one merge per pre-token and stops",
        "that merges the RIGHTMOST of equal pairs",
        "that merges all pairs of a round in one sweep",
        "that knows whole pre-tokens and single bytes, and nothing between",
    ],
    "unit": ["bytes", "that looks up characters instead of UTF-8 bytes"],
    "ids": ["ranks", "that numbers single bytes by their VALUE instead of their rank"],
    "border": ["within", "that merges across the borders of the pre-tokens"],
    "whole": ["token", "that merges even a pre-token that is a token as a whole"],
}
ENCODE_HINTS = {
    ENCODE["order"][1]: "Longest match is WordPiece's rule. Training made merges in an order: replay it.",
    ENCODE["order"][2]: "Of all pairs in the pre-token, which was learned first?",
    ENCODE["order"][3]: "Which merge was made first in training: that of a low rank, or of a high one?",
    ENCODE["order"][4]: "When does training stop merging inside a word?",
    ENCODE["order"][5]: "In `aaa` with the token `aa`, training merged from the left. Which two join?",
    ENCODE["order"][6]: "A merge may make a new pair, of a lower rank than the next candidate. Look again each time.",
    ENCODE["order"][7]: "What do you do with a pre-token that is no token, but whose parts are?",
    ENCODE["unit"][1]: "What does your encoder do with a character that no training text held?",
    ENCODE["ids"][1]: "In GPT-2's vocabulary, which id has the byte 33, the exclamation mark?",
    ENCODE["whole"][1]: "Llama 3's vocabulary holds tokens that merging does not reach: how does a text get their ids?",
    ENCODE["border"][1]: "Training never saw two pre-tokens together: can a token lie across two?",
}


def longest_from_left(parts, ranks):
    out, longest = [], max(map(len, ranks))
    while parts:
        n = next((n for n in range(min(len(parts), longest), 1, -1) if b"".join(parts[:n]) in ranks), 1)
        out.append(b"".join(parts[:n]))
        parts = parts[n:]
    return out


def merge_parts(parts, ranks, order):
    if order == ENCODE["order"][7]:
        return parts
    keys = {
        ENCODE["order"][2]: lambda m: m[1],
        ENCODE["order"][3]: lambda m: (-m[0], m[1]),
        ENCODE["order"][5]: lambda m: (m[0], -m[1]),
    }
    while True:
        made = [(ranks[a + b], i) for i, (a, b) in enumerate(pairwise(parts)) if a + b in ranks]
        if not made:
            return parts
        if order == ENCODE["order"][6]:
            parts = sweep(parts, sorted(made))
            continue
        at = min(made, key=keys.get(order, lambda m: m))[1]
        parts = parts[:at] + [parts[at] + parts[at + 1]] + parts[at + 2 :]
        if order == ENCODE["order"][4]:
            return parts


def sweep(parts, made):
    """All pairs of one round, the lowest rank first, as long as both halves are still there."""
    taken, merged = set(), {}
    for _, i in made:
        if not {i, i + 1} & taken:
            taken |= {i, i + 1}
            merged[i] = parts[i] + parts[i + 1]
    return [merged.get(i, part) for i, part in enumerate(parts) if i in merged or i not in taken]


def wrong_encode(order, unit, ids, border, whole):
    def encode(text, ranks, pattern):
        out = []
        for pre_token in [text] if border != "within" and text else regex.findall(pattern, text):
            if whole == "token" and pre_token.encode() in ranks:
                parts = [pre_token.encode()]
            else:
                parts = [bytes([b]) for b in pre_token.encode()] if unit == "bytes" else [c.encode() for c in pre_token]
                longest = order == ENCODE["order"][1]
                parts = longest_from_left(parts, ranks) if longest else merge_parts(parts, ranks, order)
            out += [p[0] if ids != "ranks" and len(p) == 1 else ranks[p] for p in parts]
        return out

    return encode


@cache
def toy(seed, order=BYTE_ORDER):
    """A vocabulary in which rank, length and place disagree, trained on a text of few letters."""
    text = random_text(seed, 400)
    return Vocabulary.from_merges(train_fast(text, 300, GPT2, order), order).ranks, text


# Rank order merges bc first, the longest match from the left takes ab, and so does the first pair that can merge.
TRAP = {bytes([b]): b for b in range(256)} | {
    b"bc": 256,
    b"ab": 257,
    b"cd": 258,
    b"abcde": 259,
    b" a": 260,
    b"e ": 261,
    b"xy": 262,
    b"xyx": 263,
    b"yx": 264,
    b"xyxy": 265,
}
# Merging ".:.:" joins the two in the middle first, and never arrives at the whole.
OUT_OF_REACH = {bytes([b]): b for b in range(256)} | {b":.": 256, b".:": 257, b".:.:": 258, b"xyz": 259, b": ": 260}
IN_THE_MIDDLE = {bytes([b]): b for b in range(256)} | {b"yx": 256, b"xy": 257, b"xyxy": 258}
TRAP_TEXT = "abcdex-abcd-bcd-abcab-cdab xyxyx-yxyx abc e e a"
LATER = {bytes([b]): b for b in range(256)} | {b"ab": 256, b"abc": 257, b"aa": 258, b"cd": 259, b"de": 260}


def merges_that_compete(impl, seed):
    return impl.encode(TRAP_TEXT + " abc" * (seed % 7), TRAP, GPT2)


def equal_pairs_and_new_ones(impl, seed):
    return {text: impl.encode(text + "-" * (seed % 7), LATER, NO_SPLIT) for text in ("aaa", "aaaaa", "abcd", "xabcde")}


def a_trained_vocabulary(impl, seed):
    ranks, text = toy(seed)
    return impl.encode(text[:120], ranks, GPT2)


def bytes_in_gpt2s_order(impl, seed):
    ranks, text = toy(seed, GPT2_ORDER)
    return impl.encode(text[:60] + "!x", ranks, GPT2)


def a_token_that_merging_does_not_reach(impl, seed):
    texts = (".:.:", "a.:.: .: " + ".:" * (seed % 7), "xyz", "xyzz")
    found = {text: impl.encode(text, OUT_OF_REACH, GPT2) for text in texts}
    return found | {text: impl.encode(text, IN_THE_MIDDLE, GPT2) for text in ("xyxy", " xyxy")}


def a_pattern_that_matches_nothing_too(impl, seed):
    return impl.encode("ba" + "c" * (seed % 7), OUT_OF_REACH, "a*|[^a]")


def characters_never_seen(impl, seed):
    ranks, _ = toy(seed)
    return {
        repr(text): impl.encode(text, ranks, GPT2) for text in ("héé ओम 🙂 ab cé", "e\u0301\r\n\r\n", "\0a\0", "", " ")
    }


# Ids need not begin with the bytes.
BYTES_LAST = {b"ab": 0, b"bc": 1, b"abc": 2, b"!!": 3} | {bytes([b]): b + 4 for b in range(256)}
LENGTHS = {bytes([b]): b for b in range(256)} | {b"ab": 256, b"cd": 257, b"abcd": 258, b"cde": 259}


def tokens_with_ids_below_the_bytes(impl, seed):
    texts = ("ab", "abab", "xabcab", "bcbc", "!!!" + "a" * (seed % 7))
    return {text: impl.encode(text, BYTES_LAST, NO_SPLIT) for text in texts}


def a_long_token_before_a_short_one(impl, seed):
    return {text: impl.encode(text, LENGTHS, NO_SPLIT) for text in ("abcde", "xabcde" + "e" * (seed % 7))}


# Merging the first ab makes aba possible, which comes before the second ab.
LOWER_LATER = {bytes([b]): b for b in range(256)} | {b"aba": 256, b"ab": 257}


def a_lower_rank_that_a_merge_makes_possible(impl, seed):
    return {text: impl.encode(text, LOWER_LATER, NO_SPLIT) for text in ("abab", "xababab", "ab" * (4 + seed % 7))}


BYTES = {bytes([b]): b for b in range(256)}
# Neither in the order of the ids nor without gaps.
WITH_GAPS = {b"abc": 2_000_003, b"ab": 150_000, b"bc": 100_257, b"cd": 300} | BYTES
FIRST_OF_ALL = {b".:.:": 0, b":.": 1, b".:": 2} | {bytes([b]): b + 3 for b in range(256)}
# Tokens that end or begin inside a character, and a character that merging does not reach.
HALVES = BYTES | {b"\xe6\x97": 256, b"\xa5a": 257, b"\xa5\xe6": 258, "本".encode(): 259}
DASHES = BYTES | {b"-" * 2**n: 255 + n for n in range(1, 6)} | {b"-" * 90: 261, b"ab": 262}


def ids_with_gaps_between_them(impl, seed):
    texts = ("abc", "abcd", "xabab", "cdcd" + "b" * (seed % 7))
    return {text: impl.encode(text, WITH_GAPS, NO_SPLIT) for text in texts}


def a_whole_pre_token_whose_id_is_0(impl, seed):
    return {text: impl.encode(text, FIRST_OF_ALL, NO_SPLIT) for text in (".:.:", "a.:.:" + ":." * (seed % 7))}


def tokens_that_hold_half_a_character(impl, seed):
    texts = ("日", "日a", "日日", "本", "本本", "a本" + "a" * (seed % 7))
    return {text: impl.encode(text, HALVES, NO_SPLIT) for text in texts}


def long_tokens_and_long_pre_tokens(impl, seed):
    texts = {"90 dashes": "-" * 90, "40 dashes": "x" + "-" * (40 + seed % 7), "130 times ab": "x" + "ab" * 130}
    return {name: impl.encode(text, DASHES, NO_SPLIT) for name, text in texts.items()}


def texts_that_are_tokens_and_several_pre_tokens(impl, seed):
    ranks = BYTES | {b"a b": 256, b" b": 257, b"ab.": 258, b"ab": 259, b"a1": 260}
    texts = ("a b", "ab.", "a1", "ab", "a b" + " ab" * (seed % 7))
    return {text: impl.encode(text, ranks, GPT2) for text in texts}


def thousands_of_pre_tokens(impl, seed):
    return impl.encode(" x" * (1100 + seed % 7), BYTES, GPT2)


# Each of the longer tokens can be made of two pairs of shorter ones.
TWO_WAYS = BYTES | {b"ab": 256, b"bc": 257, b"abc": 258, b"cd": 259, b"abcd": 260, b"bcd": 261}


def tokens_that_can_be_made_in_two_ways(impl, seed):
    texts = ("xabc", "xbcd", "xabcd", "xabcabcd" + "d" * (seed % 7), "abbcd")
    other = {token: 521 - i if i > 255 else i for token, i in TWO_WAYS.items()}
    return {
        f"{t}, {n}": impl.encode(t, r, NO_SPLIT)
        for t in texts
        for n, r in {"ab first": TWO_WAYS, "last": other}.items()
    }


def texts_under_other_patterns(impl, seed):
    text = "e e a abcd e" + " a" * (seed % 7)
    return {pattern: impl.encode(text, TRAP, pattern) for pattern in (NO_SPLIT, r"\S+|\s+", r"(?s:.)")}


# ---------------------------------------------------------------- decode

DECODE = {
    "join": ["joined", "token by token, so that a character spread over two tokens is lost"],
    "code": ["UTF-8", "that reads the bytes as LATIN-1"],
    "errors": [
        "honoured",
        "that always REPLACES bytes that are not UTF-8, whatever errors says",
        "that silently DROPS bytes that are not UTF-8",
    ],
    "unknown": [
        "raises",
        "that silently skips ids it does not know",
        "that turns unknown ids into U+FFFD",
        "that leaves an unknown id to a bare KeyError",
    ],
}
DECODE_HINTS = {
    DECODE["join"][1]: "The four bytes of an emoji may be four tokens: what is the text of the first alone?",
    DECODE["code"][1]: "How many bytes has `é` in UTF-8, and how many in Latin-1?",
    DECODE["errors"][1]: "errors='strict' asks for an exception.",
    DECODE["errors"][2]: "If a model emits half a character, should the reader see nothing at all?",
    DECODE["unknown"][
        1
    ]: "An unknown id means that model and tokenizer do not belong together. Should that go unnoticed?",
    DECODE["unknown"][3]: "A ValueError can say which id it was, and what to do.",
    DECODE["unknown"][
        2
    ]: "U+FFFD stands for bytes that are no text. An unknown id has no bytes: that is another fault.",
}


def wrong_decode(join, code, errors, unknown):
    code = "utf-8" if code == "UTF-8" else "latin-1"

    def decode(ids, tokens, errors="replace"):
        mode = errors_knob.get(errors_setting, errors)
        known = []
        for i in ids:
            if i in tokens:
                known.append(tokens[i])
            elif unknown == "raises":
                raise ValueError(f"id {i} is no token")
            elif unknown == DECODE["unknown"][3]:
                raise KeyError(i)
            elif unknown == DECODE["unknown"][2]:
                known.append("\ufffd".encode())
        return b"".join(known).decode(code, mode) if join == "joined" else "".join(t.decode(code, mode) for t in known)

    errors_setting, errors_knob = errors, {DECODE["errors"][1]: "replace", DECODE["errors"][2]: "ignore"}
    return decode


TOKENS = {i: bytes([i]) for i in range(256)} | {256: "é".encode(), 257: b" the", 258: "日".encode()[:2], 259: b"x\xe6"}


def plain_text(impl, seed):
    ids = [*b"on", 257, *b" rock", 48 + seed % 7]
    return {
        "a list": impl.decode(ids, TOKENS),
        "a tuple": impl.decode(tuple(ids), TOKENS),
        "an iterator": impl.decode(iter(ids), TOKENS),
        "no ids": impl.decode([], TOKENS),
    }


def characters_in_parts(impl, seed):
    return impl.decode([258, 165, 32, *"🙂".encode(), 256, 97 + seed % 7], TOKENS)


def half_a_character(impl, seed):
    return impl.decode([97, 258, 98, 0x80, 99, 97 + seed % 7], TOKENS)


def half_a_character_at_the_end(impl, seed):
    return {
        "replaced": impl.decode([97 + seed % 7, 258], TOKENS),
        "U+FFFD itself": impl.decode("a\ufffd".encode(), TOKENS),
    }


def text_with_a_byte_order_mark(impl, seed):
    return impl.decode([0xEF, 0xBB, 0xBF, 97 + seed % 7], TOKENS)


def half_a_character_strictly(impl, seed):
    return {
        "half": decoding_or_error(impl, [97, 0xC3, 98], TOKENS, "strict"),
        "whole": impl.decode([97, 0xC3, 0xA9, 97 + seed % 7], TOKENS, "strict"),
    }


def half_a_character_ignored(impl, seed):
    return impl.decode([97, 0xC3, 98, 97 + seed % 7], TOKENS, errors="ignore")


def decoding_or_error(impl, *arguments):
    """The text, or the name of the error."""
    result = []
    return error_of(lambda: result.append(impl.decode(*arguments))) or result[0]


def an_unknown_id(impl, seed):
    found = {
        f"{ids}": decoding_or_error(impl, ids, TOKENS) for ids in ([97, 999, 98], [-1], [260], [258, 260 + seed % 7])
    }
    return found | {
        f"errors={e}": decoding_or_error(impl, [97, 999], TOKENS, e) for e in ("ignore", "replace", "strict")
    }


WITH_GAPS_TO_DECODE = {100_257: b" end", 7: b"b", 0: b"a", 300: "é".encode()[:1], 301: "é".encode()[1:]}


def a_vocabulary_with_gaps(impl, seed):
    ids = ([0, 7, 100_257, 0], [300, 301], [1], [5, 0], [100_256 + 2 * (seed % 2)])
    return {f"{i}": decoding_or_error(impl, i, WITH_GAPS_TO_DECODE) for i in ids}


def the_byte_0(impl, seed):
    return impl.decode([0, 97, 0, 97 + seed % 7, 0], TOKENS)


def white_space_and_line_ends(impl, seed):
    return {
        repr(text): impl.decode(text.encode(), TOKENS)
        for text in ("  a\t ", "\r\na\rb\n\n", " " * (seed % 7) + "e\u0301")
    }


def several_bytes_in_a_row_that_are_no_text(impl, seed):
    return impl.decode([0x80, 0x80, 97, 0xFF, 0xFE, 0xE6, 0x97, 0xE6, 0x97, 98 + seed % 7], TOKENS)


def other_values_of_errors(impl, seed):
    modes = ("backslashreplace", "surrogateescape", "ignore", "replace")
    return {mode: impl.decode([97, 0xC3, 98 + seed % 7, 0x80], TOKENS, mode) for mode in modes}


def ids_in_other_containers(impl, seed):
    ids = [258, 165, 257, 97 + seed % 7]
    containers = {
        "a map": map(int, ids),
        "a deque": deque(ids),
        "the keys of a dict": dict.fromkeys(ids).keys(),
        "a range": range(97, 103),
        "a NumPy array": np.array(ids),
        "an empty NumPy array": np.array([], dtype=int),
        "an empty iterator": iter(()),
    }
    return {name: impl.decode(container, TOKENS) for name, container in containers.items()}


def thousands_of_ids_to_decode(impl, seed):
    return impl.decode([258, 165, 97 + seed % 7] * 1000, TOKENS)


# ---------------------------------------------------------------- encode_with_special

SPECIAL = {
    "allowed": ["ids", "that encodes an ALLOWED special token as ordinary text"],
    "others": [
        "raise",
        "that silently encodes a special token that is NOT allowed as text",
        "that gives a special token its id although it is NOT allowed",
        "that looks for disallowed special tokens only BETWEEN the allowed ones",
    ],
    "longest": [
        "longest",
        "in which the SHORTEST special token wins",
        "in which the order of the special tokens decides",
    ],
    "escape": ["escaped", "that takes | in a special token for a regular expression's OR"],
    "rest": [
        "kept",
        "that strips white space around a special token",
        "that loses the text after the last special token",
    ],
    "all": ["everything", 'that does not know allowed_special="all"'],
    "as_text": ["as text", "that refuses special tokens even with disallowed_special=()"],
    "unknown": ["raises", "that accepts names in allowed_special that are no special tokens"],
}
SPECIAL_HINTS = {
    SPECIAL["allowed"][1]: "The model was trained on one id there, not on the tokens `<`, `|`, `end`.",
    SPECIAL["others"][1]: "A user may have typed those characters. The default is to raise.",
    SPECIAL["others"][2]: "A user who can type the end-of-text token can end the text.",
    SPECIAL["others"][3]: "If only <|im|><|sep|> is allowed, does `<|im|><|sep|>` hold the disallowed <|im|>?",
    SPECIAL["longest"][1]: "Of <|im|> and <|im|><|sep|>, which one does the text hold?",
    SPECIAL["longest"][2]: "Does a dict's order decide what a text means?",
    SPECIAL["escape"][1]: "What does `<|end|>` mean to a regular expression?",
    SPECIAL["rest"][1]: "Decode the ids: is it the text you began with?",
    SPECIAL["rest"][2]: "How many parts of ordinary text lie around n special tokens?",
    SPECIAL["as_text"][
        1
    ]: "A corpus about tokenizers must be encodable: disallowed_special=() says that nothing is forbidden.",
    SPECIAL["all"][1]: '"all" is short for the set of all special tokens.',
    SPECIAL["unknown"][1]: "A typing error in a name would switch the protection off silently.",
}


# Two at once of which one hides the other: without looking for special tokens, one cannot look for them wrongly.
HIDDEN = [
    *((SPECIAL["allowed"][1], x) for k in ("longest", "escape", "rest", "all") for x in SPECIAL[k][1:]),
    (SPECIAL["allowed"][1], SPECIAL["others"][2]),
    (SPECIAL["allowed"][1], SPECIAL["others"][3]),
    (SPECIAL["others"][1], SPECIAL["as_text"][1]),
    (SPECIAL["longest"][2], SPECIAL["escape"][1]),
]


def wrong_special(allowed, others, longest, escape, rest, all, as_text, unknown):
    def parts_of(text, wanted):
        """[text, special token, text, ..., text]"""
        orders = {"longest": sorted(wanted, key=len, reverse=True), SPECIAL["longest"][1]: sorted(wanted, key=len)}
        wanted = orders.get(longest, wanted)
        parts, at = [], 0
        for match in re.finditer("|".join(wanted if escape != "escaped" else map(re.escape, wanted)), text):
            parts += [text[at : match.start()], match.group()]
            at = match.end()
        return [*parts, text[at:]]

    def encode_with_special(text, encode_ordinary, special_tokens, allowed_special=(), disallowed_special="all"):
        allow = set(special_tokens) if allowed_special == "all" and all == "everything" else set(allowed_special)
        if unknown == "raises" and allow - set(special_tokens):
            raise ValueError("no such special token")
        everything = disallowed_special == "all" or as_text != "as text"
        forbidden = set(special_tokens) - allow if everything else set(disallowed_special)
        wanted = [n for n in special_tokens if n in allow or others == SPECIAL["others"][2] and n in forbidden]
        parts = parts_of(text, wanted) if wanted and allowed == "ids" else [text]
        searched = {"raise": [text], SPECIAL["others"][3]: parts[::2]}.get(others, [])
        if any(name in part for name in forbidden for part in searched):
            raise ValueError("a special token that is not allowed")
        ids = []
        for n, part in enumerate(parts):
            part = part.strip() if rest == SPECIAL["rest"][1] and len(parts) > 1 and not n % 2 else part
            if n % 2:
                ids += [special_tokens.get(part, -1)]
            elif part and not (rest == SPECIAL["rest"][2] and n == len(parts) - 1 and n):
                ids += encode_ordinary(part)
        return ids

    return encode_with_special


def letters(text):
    """An ordinary encoder for the tests: one id per character."""
    return list(map(ord, text))


SPECIAL_TOKENS = {"<|a|>": 5001, "<|a|><|b|>": 5002, "<|end|>": 5003, "<|b|>": 5004}


def special_tokens_allowed(impl, seed):
    text = "one <|end|> two<|end|> tail" + "!" * (seed % 7)
    return {
        "one": impl.encode_with_special(text, letters, SPECIAL_TOKENS, {"<|end|>"}),
        "two, in a tuple": impl.encode_with_special("<|b|><|end|>", letters, SPECIAL_TOKENS, ("<|b|>", "<|end|>")),
        "none in the text": impl.encode_with_special(" a|b ", letters, SPECIAL_TOKENS, {"<|end|>"}),
        "no text": impl.encode_with_special("", letters, SPECIAL_TOKENS, {"<|end|>"}),
        "no special tokens": impl.encode_with_special("<|x|>", letters, {}),
        "all of none": impl.encode_with_special("<|x|>", letters, {}, "all"),
    }


def all_special_tokens_allowed(impl, seed):
    return impl.encode_with_special("one <|end|> two<|b|> tail" + "!" * (seed % 7), letters, SPECIAL_TOKENS, "all")


def long_and_short_special_tokens(impl, seed):
    text = "x<|a|><|b|>y <|b|> z" + "!" * (seed % 7)
    orders = {"short ones first": SPECIAL_TOKENS, "long ones first": dict(reversed(SPECIAL_TOKENS.items()))}
    found = {name: impl.encode_with_special(text, letters, tokens, set(tokens)) for name, tokens in orders.items()}
    pairs = [name for c in "abcdefghijklmnop" for name in (f"<{c}>", f"<{c}>|")]  # no set has all of them in order
    tokens = {name: 5001 + i for i, name in enumerate(pairs)}
    return found | {"sixteen pairs": impl.encode_with_special("".join(pairs[1::2]), letters, tokens, set(pairs))}


def encoding_or_error(impl, *arguments):
    """The ids, or the name of the error."""
    result = []
    return error_of(lambda: result.append(impl.encode_with_special(*arguments))) or result[0]


def a_special_token_not_allowed(impl, seed):
    return encoding_or_error(impl, "one <|end|> two" + "!" * (seed % 7), letters, SPECIAL_TOKENS)


def two_special_tokens_and_one_allowed(impl, seed):
    text = "one <|b|> two <|end|> three" + "!" * (seed % 7)
    return {
        "all others disallowed": encoding_or_error(impl, text, letters, SPECIAL_TOKENS, {"<|b|>"}),
        "one disallowed": encoding_or_error(impl, text, letters, SPECIAL_TOKENS, {"<|b|>"}, {"<|end|>"}),
        "another disallowed": encoding_or_error(impl, text, letters, SPECIAL_TOKENS, {"<|b|>"}, {"<|a|>"}),
    }


def a_disallowed_special_token_inside_an_allowed_one(impl, seed):
    text = "x<|a|><|b|>" + "!" * (seed % 7)
    return encoding_or_error(impl, text, letters, SPECIAL_TOKENS, {"<|a|><|b|>"}, {"<|a|>"})


def special_tokens_as_text(impl, seed):
    text = "one <|end|> two" + "!" * (seed % 7)
    return {f"{sorted(a)}": encoding_or_error(impl, text, letters, SPECIAL_TOKENS, a, ()) for a in ((), {"<|b|>"})}


def an_allowed_name_that_is_none(impl, seed):
    text = "one" + "!" * (seed % 7)
    cases = {
        "alone": (text, letters, SPECIAL_TOKENS, {"<|ned|>"}),
        "beside one that exists": (text, letters, SPECIAL_TOKENS, ("<|end|>", "<|ned|>")),
        "nothing disallowed": (text, letters, SPECIAL_TOKENS, {"<|ned|>"}, ()),
        "no text": ("", letters, SPECIAL_TOKENS, {"<|ned|>"}),
        "no special tokens": (text, letters, {}, {"<|ned|>"}),
    }
    return {name: encoding_or_error(impl, *arguments) for name, arguments in cases.items()}


def the_word_all_inside_a_set(impl, seed):
    text = "one <|end|>" + "!" * (seed % 7)
    tokens = {"all": 5001, "<|end|>": 5002}
    return {
        "allowed, and no such token": encoding_or_error(impl, text, letters, SPECIAL_TOKENS, {"all"}),
        "allowed, a token of that name": encoding_or_error(impl, "all " + text, letters, tokens, {"all"}, ()),
        "disallowed, a token of that name": encoding_or_error(impl, text, letters, tokens, (), {"all"}),
    }


def special_tokens_that_overlap(impl, seed):
    tokens = {"ab": 5001, "bcd": 5002, "d!": 5003}
    return {
        text: impl.encode_with_special(text + "." * (seed % 7), letters, tokens, "all") for text in ("abcd", "bcd!")
    }


def special_tokens_around_and_beside_themselves(impl, seed):
    """Without the allowed one, the first text would hold a disallowed one. It does not hold one as it is."""
    text, end = "<|e<|b|>nd|>", "!" * (seed % 7)
    return {
        "one inside the letters of another": encoding_or_error(impl, text + end, letters, SPECIAL_TOKENS, {"<|b|>"}),
        "one that overlaps itself": impl.encode_with_special("aaa" + end, letters, {"aa": 5001}, "all"),
    }


def a_disallowed_special_token_across_an_allowed_one(impl, seed):
    tokens, text = {"ab": 5001, "bcd": 5002}, "abcd" + "." * (seed % 7)
    sets = {"all others": ({"ab"},), "by name": ({"ab"}, {"bcd"}), "the other way round": ({"bcd"}, {"ab"})}
    return {name: encoding_or_error(impl, text, letters, tokens, *given) for name, given in sets.items()}


def a_longer_special_token_that_is_text(impl, seed):
    text, overlap = "x<|a|><|b|>" + "!" * (seed % 7), {"ab": 5001, "bcd": 5002}
    return {
        "it begins at the same place": impl.encode_with_special(text, letters, SPECIAL_TOKENS, {"<|a|>"}, ()),
        "it begins before": impl.encode_with_special("abcd", letters, overlap, {"bcd"}, ()),
    }


def special_tokens_with_signs_of_regular_expressions(impl, seed):
    texts = {
        "I[INST]N<e.><ex>a+b aab^$<im start><imstart>#x": ["[INST]", "<e.>", "a+b", "^$", "<im start>", "#"],
        "(?i)xX\\n\n a{2}a*?\n\nb<｜end▁of▁text｜>": ["(?i)x", r"\n", "{2}", "*", "?", "\n\n", "<｜end▁of▁text｜>"],
    }
    return {
        repr(text): impl.encode_with_special(
            text + "!" * (seed % 7), letters, {name: 5001 + n for n, name in enumerate(names)}, "all"
        )
        for text, names in texts.items()
    }


def names_in_another_case(impl, seed):
    text = "<|END|><|end|><|End|>" + "!" * (seed % 7)
    return {
        "allowed": impl.encode_with_special(text, letters, SPECIAL_TOKENS, {"<|end|>"}),
        "disallowed": encoding_or_error(impl, "<|END|>", letters, SPECIAL_TOKENS),
    }


def a_special_token_whose_id_is_0(impl, seed):
    tokens = {"<s>": 0, "</s>": 1}
    return {
        "allowed": impl.encode_with_special("<s>a</s><s>" + "!" * (seed % 7), letters, tokens, "all"),
        "disallowed": encoding_or_error(impl, "a<s>", letters, tokens, {"</s>"}),
    }


def sets_in_other_containers(impl, seed):
    text, names = "<|b|>one<|end|>" + "!" * (seed % 7), ["<|b|>", "<|end|>"]
    kinds = {
        "a list": list,
        "a frozen set": frozenset,
        "a dict": dict.fromkeys,
        "keys": lambda n: dict.fromkeys(n).keys(),
    }
    found = {}
    for kind, make in kinds.items():
        allowed, disallowed = make(names), make(["<|a|>", "<|b|>"])
        found |= {
            f"{kind} of allowed ones": encoding_or_error(impl, text, letters, SPECIAL_TOKENS, allowed),
            f"{kind} of disallowed ones": encoding_or_error(impl, text, letters, SPECIAL_TOKENS, (), disallowed),
            f"{kind} for each": encoding_or_error(impl, text[5:], letters, SPECIAL_TOKENS, allowed, disallowed),
        }
    by_name = {"allowed_special": {"<|b|>"}, "disallowed_special": ()}
    return found | {"by name": impl.encode_with_special(text, letters, SPECIAL_TOKENS, **by_name)}


def a_thousand_special_tokens(impl, seed):
    return impl.encode_with_special("a<|b|>" * (1100 + seed % 7), letters, SPECIAL_TOKENS, "all")


def a_special_token_both_allowed_and_disallowed(impl, seed):
    text = "one <|end|>" + "!" * (seed % 7)
    return {
        f"{allowed}": encoding_or_error(impl, text, letters, SPECIAL_TOKENS, allowed, {"<|end|>"})
        for allowed in (("<|end|>",), "all")
    }


def white_space_around_special_tokens(impl, seed):
    texts = ("<|b|> <|end|>", "<|end|>\n" + " " * (seed % 7), "  <|end|>x", "<|b|>\n\n<|b|>\t<|end|>y")
    return {text: impl.encode_with_special(text, letters, SPECIAL_TOKENS, "all") for text in texts}


def what_the_ordinary_encoder_gets(impl, seed):
    """An ordinary encoder that gives one id for each text it gets, its length."""
    text = "one <|b|>  two <|end|> three <|a|>" + "!" * (seed % 7)
    sets = {"one allowed, two as text": ({"<|end|>"}, ()), "all as text": ((), ()), "all allowed": ("all", ())}
    parts = lambda text: [10_000 + len(text)] if text else []  # noqa: E731
    return {name: impl.encode_with_special(text, parts, SPECIAL_TOKENS, *given) for name, given in sets.items()}


def text_of_several_lines(impl, seed):
    """The same encoder: a part of three lines is one part."""
    text = "one\ntwo\r\n\n <|b|>\n three\n" + "!" * (seed % 7)
    parts = lambda text: [10_000 + len(text)] if text else []  # noqa: E731
    return {f"{allowed}": impl.encode_with_special(text, parts, SPECIAL_TOKENS, allowed, ()) for allowed in ("all", ())}


def a_whole_part_that_is_a_special_token_as_text(impl, seed):
    text = "<|b|><|end|><|b|><|end|>x" + "!" * (seed % 7)
    return {
        "beside an allowed one": impl.encode_with_special(text, letters, SPECIAL_TOKENS, {"<|end|>"}, ()),
        "the whole text": impl.encode_with_special("<|b|>", letters, SPECIAL_TOKENS, {"<|end|>"}, {"<|a|>"}),
    }


def two_ordinary_encoders(impl, seed):
    text = "é<|b|>é" + "!" * (seed % 7)
    encoders = {"code points": letters, "bytes": lambda text: list(text.encode())}
    return {name: impl.encode_with_special(text, e, SPECIAL_TOKENS, "all") for name, e in encoders.items()}


PROBES = {
    "count_pairs": [
        a_few_pre_tokens,
        pre_tokens_with_runs,
        one_run,
        pre_tokens_without_pairs,
        ids_of_merged_tokens,
        ids_of_a_large_vocabulary,
        counts_in_the_billions,
        a_thousand_ids_in_one_pre_token,
        a_thousand_pre_tokens,
    ],
    "merge": [
        two_places,
        a_run,
        many_ids,
        ids_whose_digits_look_like_the_pair,
        ids_whose_bytes_look_like_the_pair,
        the_id_0,
        ids_that_mean_something_to_regular_expressions,
        a_pair_of_large_ids,
        thousands_of_ids,
        a_new_list,
    ],
    "pretokenize": [
        plain_words,
        everything_at_once,
        unusual_digits_and_letters,
        white_space_of_every_kind,
        visible_characters_of_every_kind,
        runs_of_white_space_before_every_kind_of_character,
        texts_of_prose_and_of_programs,
        rare_letters_and_clitics,
        a_text_of_thousands_of_pre_tokens,
        with_another_pattern,
        patterns_with_more_of_the_library_in_them,
        with_a_pattern_that_leaves_gaps,
    ],
    "train": [
        letters_and_runs,
        a_text_that_runs_out,
        few_words_often,
        tied_pairs,
        runs_against_pairs,
        many_merges_to_make,
        the_smallest_vocabularies,
        capital_letters,
        a_pre_token_that_occurs_hundreds_of_times,
        white_space_in_runs,
        white_space_at_the_ends_of_the_text,
        characters_of_three_and_four_bytes,
        the_character_0,
        hundreds_of_different_words,
        a_large_vocabulary_before_a_small_one,
        text_under_other_patterns,
    ],
    "encode": [
        a_trained_vocabulary,
        merges_that_compete,
        bytes_in_gpt2s_order,
        characters_never_seen,
        equal_pairs_and_new_ones,
        a_token_that_merging_does_not_reach,
        a_pattern_that_matches_nothing_too,
        tokens_with_ids_below_the_bytes,
        a_long_token_before_a_short_one,
        a_lower_rank_that_a_merge_makes_possible,
        ids_with_gaps_between_them,
        a_whole_pre_token_whose_id_is_0,
        tokens_that_hold_half_a_character,
        long_tokens_and_long_pre_tokens,
        texts_that_are_tokens_and_several_pre_tokens,
        thousands_of_pre_tokens,
        tokens_that_can_be_made_in_two_ways,
        texts_under_other_patterns,
    ],
    "decode": [
        plain_text,
        characters_in_parts,
        half_a_character,
        half_a_character_at_the_end,
        text_with_a_byte_order_mark,
        half_a_character_strictly,
        half_a_character_ignored,
        an_unknown_id,
        a_vocabulary_with_gaps,
        the_byte_0,
        white_space_and_line_ends,
        several_bytes_in_a_row_that_are_no_text,
        other_values_of_errors,
        ids_in_other_containers,
        thousands_of_ids_to_decode,
    ],
    "encode_with_special": [
        special_tokens_allowed,
        all_special_tokens_allowed,
        long_and_short_special_tokens,
        a_special_token_not_allowed,
        two_special_tokens_and_one_allowed,
        a_disallowed_special_token_inside_an_allowed_one,
        special_tokens_as_text,
        an_allowed_name_that_is_none,
        special_tokens_that_overlap,
        a_special_token_both_allowed_and_disallowed,
        white_space_around_special_tokens,
        what_the_ordinary_encoder_gets,
        the_word_all_inside_a_set,
        special_tokens_around_and_beside_themselves,
        a_disallowed_special_token_across_an_allowed_one,
        a_longer_special_token_that_is_text,
        special_tokens_with_signs_of_regular_expressions,
        names_in_another_case,
        a_special_token_whose_id_is_0,
        sets_in_other_containers,
        a_thousand_special_tokens,
        text_of_several_lines,
        a_whole_part_that_is_a_special_token_as_text,
        two_ordinary_encoders,
    ],
}


# ---------------------------------------------------------------- mistakes that are not combined


def right(knobs, build, **changed):
    """The right implementation of a task, or one with a few settings changed."""
    return build(**{name: changed.get(name, settings[0]) for name, settings in knobs.items()})


def counts_without_the_last_pair(pre_tokens):
    counts = Counter()
    for word, count in pre_tokens.items():
        for pair in pairwise(word[:-1]):
            counts[pair] += count
    return dict(counts)


def counts_of_all_couples(pre_tokens):
    counts = Counter()
    for word, count in pre_tokens.items():
        for pair in combinations(word, 2):
            counts[pair] += count
    return dict(counts)


def counts_that_start_at_one(pre_tokens):
    counts = {}
    for word, count in pre_tokens.items():
        for pair in pairwise(word):
            counts[pair] = counts[pair] + count if pair in counts else 1
    return counts


def counts_in_float32(pre_tokens):
    counts = {}
    for word, count in pre_tokens.items():
        for pair in pairwise(word):
            counts[pair] = np.float32(counts.get(pair, 0)) + np.float32(count)
    return {pair: int(count) for pair, count in counts.items()}


def counts_of_repeated_pairs_by_one(pre_tokens):
    counts = Counter()
    for word, count in pre_tokens.items():
        for pair, times in Counter(pairwise(word)).items():
            counts[pair] += count + times - 1
    return dict(counts)


def counts_under_a_key_of_16_bits(pre_tokens):
    packed = Counter()
    for word, count in pre_tokens.items():
        for a, b in pairwise(word):
            packed[a << 16 | b] += count
    return {(key >> 16, key & 0xFFFF): count for key, count in packed.items()}


def merge_that_keeps_the_second_id(ids, pair, new_id):
    following = [*ids, None][1:]
    return [new_id if (a, b) == tuple(pair) else a for a, b in zip(ids, following, strict=True)]


def merge_by_the_first_id(ids, pair, new_id):
    out, i = [], 0
    while i < len(ids):
        found = i + 1 < len(ids) and ids[i] == pair[0]
        out.append(new_id if found else ids[i])
        i += 2 if found else 1
    return out


def merge_that_ends_early(ids, pair, new_id):
    out, i = [], 0
    while i < len(ids):
        found = i + 2 < len(ids) and (ids[i], ids[i + 1]) == tuple(pair)
        out.append(new_id if found else ids[i])
        i += 2 if found else 1
    return out


def merge_that_copies_the_id_after_a_match(ids, pair, new_id):
    out, i = [], 0
    while i < len(ids):
        found = tuple(ids[i : i + 2]) == tuple(pair)
        out += [new_id, *ids[i + 2 : i + 3]] if found else [ids[i]]
        i += 3 if found else 1
    return out


def merge_that_looks_at_the_last_two_ids_again(ids, pair, new_id):
    out, i = [], 0
    while i < len(ids) - 1:
        found = tuple(ids[i : i + 2]) == tuple(pair)
        out.append(new_id if found else ids[i])
        i += 2 if found else 1
    return out if tuple(ids[-2:]) == tuple(pair) else [*out, *ids[-1:]]


def merge_of_bytes(ids, pair, new_id):
    data = b"".join(i.to_bytes(4, "big") for i in ids)
    data = data.replace(b"".join(i.to_bytes(4, "big") for i in pair), new_id.to_bytes(4, "big"))
    return [int.from_bytes(data[i : i + 4], "big") for i in range(0, len(data), 4)]


def merge_by_identity(ids, pair, new_id):
    out, i = [], 0
    while i < len(ids):
        found = i + 1 < len(ids) and ids[i] is pair[0] and ids[i + 1] is pair[1]
        out.append(new_id if found else ids[i])
        i += 2 if found else 1
    return out


def merge_where_a_slice_equals(kind):
    """A slice of a list equals lists only, a slice of a tuple tuples only."""

    def merge(ids, pair, new_id):
        out, i = [], 0
        while i < len(ids):
            found = ids[i : i + 2] == kind(pair)
            out.append(new_id if found else ids[i])
            i += 2 if found else 1
        return out

    return merge


def merge_that_gives_back_its_argument(ids, pair, new_id):
    return right(MERGE, wrong_merge)(ids, pair, new_id) if tuple(pair) in pairwise(ids) else ids


def merge_that_gives_back_a_list(ids, pair, new_id):
    same_object = isinstance(ids, list) and tuple(pair) not in pairwise(ids)
    return ids if same_object else right(MERGE, wrong_merge)(ids, pair, new_id)


def merge_in_the_type_it_got(ids, pair, new_id):
    return type(ids)(right(MERGE, wrong_merge)(ids, pair, new_id))


def split_by(rule):
    def pretokenize(text, pattern=rule):
        found = regex.findall(pattern, text)
        if "".join(found) != text:
            raise ValueError("the pattern must match every character")
        return found

    return pretokenize


def split_that_misses_nothing_at_the_ends(text, pattern=GPT2):
    found = regex.findall(pattern, text)
    if "".join(found).strip() != text.strip():
        raise ValueError("the pattern must match every character")
    return found


def split_that_refuses_no_text(text, pattern=GPT2):
    if not text:
        raise ValueError("there are no pre-tokens")
    return split_by(GPT2)(text, pattern)


def train_with_any_size(text, vocab_size, pattern):
    return right(TRAIN, wrong_train)(text, max(vocab_size, 256), pattern)


def train_with_at_least_one_merge(text, vocab_size, pattern):
    if vocab_size <= 256:
        raise ValueError("vocab_size is too small")
    return right(TRAIN, wrong_train)(text, vocab_size, pattern)


def train_by_gpt2s_pattern(text, vocab_size, pattern):
    return right(TRAIN, wrong_train)(text, vocab_size, GPT2)


def train_on_stripped_text(text, vocab_size, pattern):
    return right(TRAIN, wrong_train)(text.strip(), vocab_size, pattern)


def train_with_ties_by(rank):
    """`rank(pair, tokens)` decides between pairs of one count."""

    def train(text, vocab_size, pattern):
        if vocab_size < 256:
            raise ValueError("vocab_size is below 256")
        words = Counter(tuple(part.encode()) for part in regex.findall(pattern, text))
        merges, tokens = [], [bytes([b]) for b in range(256)]
        while len(tokens) < vocab_size and (counts := right(COUNT, wrong_count_pairs)(words)):
            pair = min(counts, key=lambda p: (-counts[p], rank(p, tokens)))
            words = {tuple(right(MERGE, wrong_merge)(word, pair, len(tokens))): n for word, n in words.items()}
            merges.append(pair)
            tokens.append(tokens[pair[0]] + tokens[pair[1]])
        return merges

    return train


def train_by_lines(text, vocab_size, pattern):
    lines = text.splitlines(keepends=True)
    parts = [part for line in lines for part in regex.findall(pattern, line)]
    return train_on(Counter(tuple(part.encode()) for part in parts), vocab_size)


def train_on_no_text_first(text, vocab_size, pattern):
    return right(TRAIN, wrong_train)(text, vocab_size, pattern) if text else []


def words_of(text, pattern):
    return Counter(tuple(part.encode()) for part in regex.findall(pattern, text))


def merged_words(words, pair, new_id):
    return Counter({tuple(right(MERGE, wrong_merge)(word, pair, new_id)): n for word, n in words.items()})


def train_on(words, vocab_size):
    if vocab_size < 256:
        raise ValueError("vocab_size is below 256")
    merges = []
    while 256 + len(merges) < vocab_size and (counts := right(COUNT, wrong_count_pairs)(words)):
        merges.append(min(counts, key=lambda pair: (-counts[pair], pair)))
        words = merged_words(words, merges[-1], 255 + len(merges))
    return merges


def train_with_a_heap_that_forgets(text, vocab_size, pattern):
    """An entry whose count is out of date is thrown away."""
    if vocab_size < 256:
        raise ValueError("vocab_size is below 256")
    words = words_of(text, pattern)
    counts, merges = right(COUNT, wrong_count_pairs)(words), []
    heap = {(-n, pair) for pair, n in counts.items()}
    while heap and 256 + len(merges) < vocab_size:
        heap.remove(top := min(heap))
        if counts.get(top[1]) == -top[0]:
            merges.append(top[1])
            new_id = 255 + len(merges)
            words = merged_words(words, top[1], new_id)
            counts = right(COUNT, wrong_count_pairs)(words)
            heap |= {(-n, pair) for pair, n in counts.items() if new_id in pair}
    return merges


def train_with_neighbours_taken_off_twice(text, vocab_size, pattern):
    """Counts are kept up to date, each occurrence for itself: in a b a b the pair (b, a) is taken off twice."""
    if vocab_size < 256:
        raise ValueError("vocab_size is below 256")
    words = words_of(text, pattern)
    counts, merges = Counter(right(COUNT, wrong_count_pairs)(words)), []
    while 256 + len(merges) < vocab_size and (counts := +counts):
        pair, new_id = min(counts, key=lambda pair: (-counts[pair], pair)), 256 + len(merges)
        merges.append(pair)
        for word, n in words.items():
            i = 0
            while i < len(word):
                found = word[i : i + 2] == pair
                if found and i:
                    counts.subtract({word[i - 1 : i + 1]: n, (word[i - 1], new_id): -n})
                if found and i + 2 < len(word):
                    counts.subtract({word[i + 1 : i + 3]: n, (new_id, word[i + 2]): -n})
                i += 2 if found else 1
        words = merged_words(words, pair, new_id)
        counts[pair] = 0
    return merges


def train_until_there_is_no_pair(text, vocab_size, pattern):
    merges = right(TRAIN, wrong_train)(text, vocab_size, pattern)
    return merges if len(merges) == vocab_size - 256 else min(())


def encode_by_gpt2s_pattern(text, ranks, pattern):
    return right(ENCODE, wrong_encode)(text, ranks, GPT2)


def encode_with(text, ranks, pattern, known, whole=None, parts_of=None):
    """The right answer to task 5, but for what is asked for: `known` are the tokens that merges may make."""
    ids = []
    for pre_token in filter(None, regex.findall(pattern, text)):
        data = pre_token.encode()
        parts = parts_of(pre_token) if parts_of else [bytes([b]) for b in data]
        is_token = whole(data) if whole else data in ranks
        ids += [ranks[part] for part in ([data] if is_token else merge_parts(parts, known, "rank"))]
    return ids


def encode_with_ids_below_the_number_of_tokens(text, ranks, pattern):
    return encode_with(text, ranks, pattern, {token: i for token, i in ranks.items() if i < len(ranks)})


def encode_whole_pre_tokens_but_id_0(text, ranks, pattern):
    return encode_with(text, ranks, pattern, ranks, whole=ranks.get)


def encode_from_characters_that_are_tokens(text, ranks, pattern):
    def parts_of(pre_token):
        characters = [c.encode() for c in pre_token]
        return [part for c in characters for part in ([c] if c in ranks else [bytes([b]) for b in c])]

    return encode_with(text, ranks, pattern, ranks, parts_of=parts_of)


def encode_all_places_at_once(text, ranks, pattern):
    merge = right(MERGE, wrong_merge)
    ids = []
    for pre_token in filter(None, regex.findall(pattern, text)):
        data = pre_token.encode()
        parts = [data] if data in ranks else [bytes([b]) for b in data]
        while made := [(ranks[a + b], a, b) for a, b in pairwise(parts) if a + b in ranks]:
            _, a, b = min(made)
            parts = merge(parts, (a, b), a + b)
        ids += [ranks[part] for part in parts]
    return ids


def encode_with_one_whole_text(text, ranks, pattern):
    if text.encode() in ranks:
        return [ranks[text.encode()]]
    return right(ENCODE, wrong_encode, whole=ENCODE["whole"][1])(text, ranks, pattern)


def encode_without_joints_of_id_0(text, ranks, pattern):
    return encode_with(text, ranks, pattern, {token: i for token, i in ranks.items() if i})


def encode_by_rising_ranks(text, ranks, pattern):
    """The right answer, but that no rank below the last one is taken."""
    ids = []
    for pre_token in filter(None, regex.findall(pattern, text)):
        data = pre_token.encode()
        parts, low = [data] if data in ranks else [bytes([b]) for b in data], 0
        joints = lambda parts: ((ranks.get(a + b, -1), i) for i, (a, b) in enumerate(pairwise(parts)))  # noqa: E731
        while made := [joint for joint in joints(parts) if joint[0] >= low]:
            low, i = min(made)
            parts[i : i + 2] = [parts[i] + parts[i + 1]]
        ids += [ranks[part] for part in parts]
    return ids


def encode_what_is_left_by_value(text, ranks, pattern):
    by_value = lambda part: part[0] if len(part) == 1 else ranks[part]  # noqa: E731
    ids = []
    for pre_token in filter(None, regex.findall(pattern, text)):
        data = pre_token.encode()
        parts = merge_parts([bytes([b]) for b in data], ranks, "rank")
        ids += [ranks[data]] if data in ranks else map(by_value, parts)
    return ids


def encode_a_whole_text_first(text, ranks, pattern):
    if text.encode() in ranks:
        return [ranks[text.encode()]]
    return right(ENCODE, wrong_encode)(text, ranks, pattern)


def encode_the_shortest_first(text, ranks, pattern):
    ids = []
    for pre_token in filter(None, regex.findall(pattern, text)):
        data = pre_token.encode()
        parts = [data] if data in ranks else [bytes([b]) for b in data]
        while made := [(len(a + b), ranks[a + b], i) for i, (a, b) in enumerate(pairwise(parts)) if a + b in ranks]:
            i = min(made)[2]
            parts[i : i + 2] = [parts[i] + parts[i + 1]]
        ids += [ranks[part] for part in parts]
    return ids


def decode_that_reads_twice(ids, tokens, errors="replace"):
    if any(i not in tokens for i in ids):
        raise ValueError("an id is no token")
    return b"".join(tokens[i] for i in ids).decode("utf-8", errors)


def decode_strictly(ids, tokens, errors="strict"):
    return right(DECODE, wrong_decode)(ids, tokens, errors)


def decode_without_id_0(ids, tokens, errors="replace"):
    return right(DECODE, wrong_decode)(filter(None, ids), tokens, errors)


def decode_that_ignores_unknown_ids_too(ids, tokens, errors="replace"):
    unknown = DECODE["unknown"][1] if errors == "ignore" else "raises"
    return right(DECODE, wrong_decode, unknown=unknown)(ids, tokens, errors)


def decode_that_replaces_unknown_ids_too(ids, tokens, errors="replace"):
    unknown = DECODE["unknown"][2] if errors == "replace" else "raises"
    return right(DECODE, wrong_decode, unknown=unknown)(ids, tokens, errors)


def joined(ids, tokens):
    """The bytes of the ids, which are right, or a ValueError."""
    found = list(ids)
    if unknown := [i for i in found if i not in tokens]:
        raise ValueError(f"id {unknown[0]} is no token")
    return b"".join(tokens[i] for i in found)


def decode_by_steps(ids, tokens, errors="replace"):
    return getincrementaldecoder("utf-8")(errors).decode(joined(ids, tokens))


def decode_as_a_file(ids, tokens, errors="replace"):
    return joined(ids, tokens).decode("utf-8", errors).replace("\r\n", "\n").replace("\r", "\n")


def decode_without_a_byte_order_mark(ids, tokens, errors="replace"):
    return joined(ids, tokens).decode("utf-8-sig", errors)


def decode_by_place(ids, tokens, errors="replace"):
    return joined(ids, dict(enumerate(tokens.values()))).decode("utf-8", errors)


def decode_with_an_error_of_its_own(ids, tokens, errors="replace"):
    data = joined(ids, tokens)
    try:
        return data.decode("utf-8", errors)
    except UnicodeDecodeError as error:
        raise ValueError("the bytes are not UTF-8") from error


def decode_and_strip(ids, tokens, errors="replace"):
    return right(DECODE, wrong_decode)(ids, tokens, errors).strip()


def decode_ids_below_the_number_of_tokens(ids, tokens, errors="replace"):
    known = {i: token for i, token in tokens.items() if i < len(tokens)}
    return right(DECODE, wrong_decode)(ids, known, errors)


def special_in_other_words(
    change_text=None,
    allowed_too=False,
    allowed_wins=False,
    tail=True,
    escape=re.escape,
    longer_hides=False,
    all_inside=False,
    id_0=True,
    whole_parts=False,
):
    """The right answer to task 7, but for what is asked for."""

    def encode_with_special(text, encode_ordinary, special_tokens, allowed_special=(), disallowed_special="all"):
        def ordinary(part):
            part = change_text(part) if change_text else part
            if whole_parts and part in special_tokens:
                return [special_tokens[part]]
            return encode_ordinary(part)

        every = allowed_special == "all" or all_inside and "all" in allowed_special
        allowed = set(special_tokens) if every else set(allowed_special)
        if allowed - set(special_tokens):
            raise ValueError("no such special token")
        others = set(special_tokens) - (set() if allowed_too else allowed)
        disallowed = others if disallowed_special == "all" else set(disallowed_special)
        if any(name in text for name in disallowed - (allowed if allowed_wins else set())):
            raise ValueError("a special token that is not allowed")
        if not allowed:
            return ordinary(text)
        ids, end = [], 0
        searched = set(special_tokens) if longer_hides else allowed
        for match in re.finditer("|".join(map(escape, sorted(searched, key=len, reverse=True))), text):
            if longer_hides and match.group() not in allowed:
                continue
            found = [special_tokens[match.group()]] if match.group() in special_tokens else []
            found = found if id_0 or found != [0] else ordinary(match.group())
            ids += ordinary(text[end : match.start()]) + found
            end = match.end()
        return ids + ordinary(text[end:]) if tail else ids

    return encode_with_special


RIGHT_SPECIAL = special_in_other_words()


def names_of(special_tokens, allowed_special, disallowed_special):
    allowed = set(special_tokens if allowed_special == "all" else allowed_special)
    others = set(special_tokens) - allowed if disallowed_special == "all" else set(disallowed_special)
    return allowed, others


def special_in_one_pass(text, encode_ordinary, special_tokens, allowed_special=(), disallowed_special="all"):
    """One search for allowed and disallowed ones: what lies inside a match is not seen."""
    allowed, others = names_of(special_tokens, allowed_special, disallowed_special)
    names = sorted(allowed | others, key=len, reverse=True)
    found = re.findall("|".join(map(re.escape, names)), text) if names else []
    if others.intersection(found):
        raise ValueError("a special token that is not allowed")
    return RIGHT_SPECIAL(text, encode_ordinary, special_tokens, allowed, ())


def special_longest_first(text, encode_ordinary, special_tokens, allowed_special=(), disallowed_special="all"):
    """The whole text is cut by one name after another."""
    allowed, others = names_of(special_tokens, allowed_special, disallowed_special)
    if any(name in text for name in others) or allowed - set(special_tokens):
        raise ValueError("a special token that is not allowed, or that does not exist")
    parts = [text] if text else []
    for name in sorted(allowed, key=len, reverse=True):
        cut = [part if isinstance(part, int) else re.split(f"({re.escape(name)})", part) for part in parts]
        flat = [x for part in cut for x in (part if isinstance(part, list) else [part])]
        parts = [special_tokens[name] if part == name else part for part in flat if part != ""]
    return [i for part in parts for i in ([part] if isinstance(part, int) else encode_ordinary(part))]


def special_without_allowed_ones_in_pieces(text, encode_ordinary, special_tokens, *given, **named):
    """An empty pattern cuts between all characters."""
    cut = lambda part: [i for c in part for i in encode_ordinary(c)]  # noqa: E731
    allowed = named.get("allowed_special", given[0] if given else ())
    none = not (special_tokens if allowed == "all" else allowed)
    return RIGHT_SPECIAL(text, cut if none else encode_ordinary, special_tokens, *given, **named)


def special_without_white_space_before(text, encode_ordinary, special_tokens, *given, **named):
    """White space alone is kept at the end of the text only."""
    ids = RIGHT_SPECIAL(text, lambda part: [part], special_tokens, *given, **named)
    kept = [i for n, i in enumerate(ids) if isinstance(i, int) or i.strip() or n == len(ids) - 1]
    return [x for i in kept for x in ([i] if isinstance(i, int) else encode_ordinary(i))]


def special_of_no_text_first(text, encode_ordinary, special_tokens, *given, **named):
    return RIGHT_SPECIAL(text, encode_ordinary, special_tokens, *given, **named) if text else []


def rule(old, new):
    return split_by(GPT2.replace(old, new))


# task: [(sentence, hint, implementation)]
SINGLE = {
    "count_pairs": [
        (
            "a count of pairs that leaves out the LAST pair of each pre-token",
            "A pre-token of two ids holds one pair. How many times does your loop run for it?",
            counts_without_the_last_pair,
        ),
        (
            "a count of pairs that pairs EVERY two ids of a pre-token, neighbours or not",
            "Which ids of a pre-token can be merged: any two, or two that stand side by side?",
            counts_of_all_couples,
        ),
        (
            "a count of pairs that counts the first occurrence of a pair as ONE, whatever the frequency",
            "A pair that is seen first in a pre-token that occurs 5 times: what is its count then?",
            counts_that_start_at_one,
        ),
        (
            "a count of pairs that adds up in FLOAT32, which holds no odd number above 16,777,216",
            "A whole number of Python is exact, however large. Which type do your counts have?",
            counts_in_float32,
        ),
        (
            "a count of pairs that counts each further occurrence in one pre-token as ONE, whatever the frequency",
            "A pre-token that occurs 5 times holds a pair twice. How often does the pair occur?",
            counts_of_repeated_pairs_by_one,
        ),
        (
            "a count of pairs that makes one key of two ids, with room for ids below 65,536 only",
            "How large may an id be? A tuple of two ids is a key, too.",
            counts_under_a_key_of_16_bits,
        ),
    ],
    "merge": [
        (
            "a merge that keeps the second id of a match",
            "The new id stands for both ids. Which position is looked at after a match?",
            merge_that_keeps_the_second_id,
        ),
        (
            "a merge that looks at the FIRST id of the pair only",
            "Is every id after `t` an `h`?",
            merge_by_the_first_id,
        ),
        (
            "a merge that misses a pair at the very END",
            "For which last i is there still an id at i + 1?",
            merge_that_ends_early,
        ),
        (
            "a merge that compares a slice of the ids with a LIST, so that it finds nothing in a tuple",
            "The ids may be a tuple. Is `(1, 2) == [1, 2]`?",
            merge_where_a_slice_equals(list),
        ),
        (
            "a merge that compares a slice of the ids with a TUPLE, so that it finds nothing in a list",
            "The ids may be a list. Is `[1, 2] == (1, 2)`?",
            merge_where_a_slice_equals(tuple),
        ),
        (
            "a merge that gives back the ids it was given when the pair does not occur",
            "The result is a new list, also when there is nothing to merge.",
            merge_that_gives_back_its_argument,
        ),
        (
            "a merge that gives back the very LIST it was given when the pair does not occur",
            "The caller may change the result. May the ids that it came from change with it?",
            merge_that_gives_back_a_list,
        ),
        (
            "a merge that gives a tuple for a tuple",
            "Which type does the workbook promise for the result?",
            merge_in_the_type_it_got,
        ),
        (
            "a merge that compares ids with `is`, and finds no pair of large ids",
            "Two equal numbers above 256 may be two objects. Which comparison asks for equal values?",
            merge_by_identity,
        ),
        (
            "a merge that copies the id AFTER a match without looking at it",
            "In `1 2 1 2` the second occurrence follows the first. Which position is looked at after a match?",
            merge_that_copies_the_id_after_a_match,
        ),
        (
            "a merge that loses the last id when the last TWO ids are the pair and do not join",
            "In a run of three the third id stays. What tells you that the last id is still to be copied?",
            merge_that_looks_at_the_last_two_ids_again,
        ),
        (
            "a merge that searches the BYTES of the ids, so that it finds the pair across the borders of two ids",
            "A match in a row of bytes may begin in the middle of an id. What must be compared?",
            merge_of_bytes,
        ),
    ],
    "pretokenize": [
        (
            "GPT-2's split in which SEVERAL spaces may lead a word",
            "A word takes at most one space with it. Which sign means at most one?",
            rule(" ?", " *"),
        ),
        (
            "GPT-2's split that counts the marks of category M as letters",
            "Alternative 2 lists one category. Is a vowel sign of Hindi in it?",
            split_by(r"'(?:[sdmt]|ll|ve|re)| ?[\p{L}\p{M}]+| ?\p{N}+| ?[^\s\p{L}\p{M}\p{N}]+|\s+(?!\S)|\s+"),
        ),
        (
            "GPT-2's split with at most THREE digits in a run, as GPT-4 does",
            "Alternative 3 sets no limit. GPT-4's pattern changed that.",
            rule(r"\p{N}+|", r"\p{N}{1,3}|"),
        ),
        (
            "GPT-2's split that takes the apostrophe ’ for '",
            "Which of the two apostrophes does the rule list?",
            rule("'(?:", "['’](?:"),
        ),
        (
            "GPT-2's split in which a space may lead a CLITIC",
            "How does alternative 1 begin: with a space that may be there, or with the apostrophe?",
            rule("'(?:", " ?'(?:"),
        ),
        (
            r"GPT-2's split in which a run of spaces leaves its last one to letters and digits only (\s+(?!\w))",
            r"A visible character is more than a letter or a digit. Is `!` a \w, and which escape holds it?",
            rule(r"\s+(?!\S)", r"\s+(?!\w)"),
        ),
        (
            "GPT-2's split in which a run of spaces leaves its last one to LETTERS only",
            "What stands before the number in two spaces and a number? Every visible character takes the last space.",
            rule(r"\s+(?!\S)", r"\s+(?!\p{L})"),
        ),
        (
            "GPT-2's split that knows no white space but ASCII's",
            "Is a no-break space white space? Which escape means every kind of it?",
            split_by(
                GPT2.replace(r"[^\s", r"[^ \t\n\r\f\v")
                .replace(r"\S", r"[^ \t\n\r\f\v]")
                .replace(r"\s", r"[ \t\n\r\f\v]")
            ),
        ),
        (
            "GPT-2's split that does not miss white space at the ENDS of the text",
            "A tokenizer that loses the last line end cannot be undone. What do you compare with the text?",
            split_that_misses_nothing_at_the_ends,
        ),
        (
            "GPT-2's split in which only a run of SPACES leaves its last one to the character after it",
            "Alternative 5 speaks of white space. Are line ends and tabs white space?",
            rule(r"\s+(?!\S)", r" +(?!\S)"),
        ),
        (
            "GPT-2's split that takes [^\\W\\d_] for the letters, and all that is left for the punctuation",
            "Of which category is Ⅷ, and is ि a letter? \\p{L} holds letters only.",
            split_by(r"'(?:[sdmt]|ll|ve|re)| ?[^\W\d_]+| ?\p{N}+| ?(?:(?![^\W\d_])[^\s\p{N}])+|\s+(?!\S)|\s+"),
        ),
        (
            "GPT-2's split that refuses a text without characters",
            "How many pre-tokens does no text have? Joined, they are the text.",
            split_that_refuses_no_text,
        ),
    ],
    "train": [
        (
            "training that accepts a vocab_size below 256",
            "There is no room for the bytes. Which error does the docstring promise?",
            train_with_any_size,
        ),
        (
            "training that refuses vocab_size=256",
            "256 has room for the bytes and for no merge: how long is the list then?",
            train_with_at_least_one_merge,
        ),
        (
            "training that IGNORES the pattern it is given and splits by GPT-2's",
            "What should a pattern that matches everything do to the borders?",
            train_by_gpt2s_pattern,
        ),
        (
            "training that throws away the pre-tokens of white space",
            "A program is indented by many spaces. May they have a token?",
            wrong_train(*(settings[0] for settings in TRAIN.values()), kept=str.strip),
        ),
        (
            "training that looks for the best pair where no pair is left",
            "What is the result when the words are tokens, and the vocabulary is not full?",
            train_until_there_is_no_pair,
        ),
        (
            "training that strips white space off the ends of the text",
            "A file ends with a line end. Is it a part of the text?",
            train_on_stripped_text,
        ),
        (
            "training with ties broken by the BYTES of the two tokens",
            "(a, b) are two ids. Which one is smaller, 98 or 256, whatever bytes they stand for?",
            train_with_ties_by(lambda pair, tokens: (tokens[pair[0]], tokens[pair[1]])),
        ),
        (
            "training with ties broken by the SECOND id of the pair first",
            "Which of two pairs does Python call the smaller: (1, 5) or (2, 3)?",
            train_with_ties_by(lambda pair, tokens: pair[::-1]),
        ),
        (
            "training that cuts the text into LINES before it splits it by the pattern",
            "A run of line ends may be one pre-token. Who says where the text is split?",
            train_by_lines,
        ),
        (
            "training that gives nothing for no text before it looks at vocab_size",
            "Which sizes are refused, whatever the text is?",
            train_on_no_text_first,
        ),
        (
            "training that throws away an entry of its heap when the entry is OUT OF DATE",
            "The count of a pair fell, and the pair is still there. Where does it go with its current count?",
            train_with_a_heap_that_forgets,
        ),
        (
            "training that takes the pair between two occurrences off TWICE",
            "In `a b a b` two merges destroy (b, a), which stands there once. How often do you take it off?",
            train_with_neighbours_taken_off_twice,
        ),
    ],
    "encode": [
        (
            "an encoder that looks for the whole TEXT among the tokens, and not for each pre-token",
            "The rule is about a pre-token. Where does the look-up stand: before the split or after it?",
            encode_with_one_whole_text,
        ),
        (
            "an encoder that numbers the bytes that no merge takes by their VALUE",
            "In GPT-2's vocabulary, which id has the byte 33? Where do the ids of single bytes come from?",
            encode_what_is_left_by_value,
        ),
        (
            "an encoder that looks for the whole TEXT among the tokens before it splits it",
            "A text may be a token and still be two pre-tokens. Can a token lie across two?",
            encode_a_whole_text_first,
        ),
        (
            "an encoder that makes the SHORTEST token first",
            "Does a token's length say when it was learned?",
            encode_the_shortest_first,
        ),
        (
            "an encoder that IGNORES the pattern it is given and splits by GPT-2's",
            "Another model has another pattern. Who gives it to your encoder?",
            encode_by_gpt2s_pattern,
        ),
        (
            "an encoder that merges ALL places of a pair before it looks again",
            "After one merge, its new neighbours may make a token of a lower rank. Look again each time.",
            encode_all_places_at_once,
        ),
        (
            "an encoder that takes ids as high as the NUMBER of tokens for no tokens",
            "The ids of a vocabulary may have gaps. Which value is above every id?",
            encode_with_ids_below_the_number_of_tokens,
        ),
        (
            "an encoder that takes a pre-token whose id is 0 for no token",
            "0 is an id like any other. What is `bool(0)`?",
            encode_whole_pre_tokens_but_id_0,
        ),
        (
            "an encoder that starts from the CHARACTERS that are tokens, and not from single bytes",
            "Which parts are there before the first merge? A character may be a token that merging does not reach.",
            encode_from_characters_that_are_tokens,
        ),
        (
            "an encoder that takes a JOINT token whose id is 0 for no token",
            "0 is an id like any other. What is `bool(0)`?",
            encode_without_joints_of_id_0,
        ),
        (
            "an encoder that never goes back to a LOWER rank",
            "A merge has made new neighbours. May their joint token have a lower rank than the last merge?",
            encode_by_rising_ranks,
        ),
    ],
    "decode": [
        (
            "a decoder that reads the ids TWICE, so that an iterator is empty the second time",
            "An iterator can be read only once: what is left of it after the check?",
            decode_that_reads_twice,
        ),
        (
            "a decoder that is strict when nothing is said about errors",
            "What is the default of `errors` in the stub?",
            decode_strictly,
        ),
        (
            "a decoder that leaves out the id 0",
            "0 is an id like any other. What is `bool(0)`?",
            decode_without_id_0,
        ),
        (
            'a decoder that skips unknown ids when errors is "ignore"',
            "`errors` is about bytes that are no text. Is an unknown id that kind of fault?",
            decode_that_ignores_unknown_ids_too,
        ),
        (
            "a decoder that strips white space off the ends of the text",
            "A program begins with spaces and ends with a line end. Are they tokens like others?",
            decode_and_strip,
        ),
        (
            "a decoder that takes ids as high as the NUMBER of tokens for unknown",
            "The ids of a vocabulary may have gaps. Who knows which ids there are?",
            decode_ids_below_the_number_of_tokens,
        ),
        (
            'a decoder that turns unknown ids into U+FFFD when errors is "replace"',
            "`errors` is about bytes that are no text. Is an unknown id that kind of fault?",
            decode_that_replaces_unknown_ids_too,
        ),
        (
            "a decoder that loses half a character at the END",
            "A decoder that works in steps must be told where the end is. Is yours?",
            decode_by_steps,
        ),
        (
            "a decoder that makes every line end a \\n, as a text file does",
            "Do the bytes 13 and 10 come back as they were?",
            decode_as_a_file,
        ),
        (
            "a decoder that drops a byte order mark (utf-8-sig)",
            "Which characters do the bytes ef bb bf stand for, and are they a part of the text?",
            decode_without_a_byte_order_mark,
        ),
        (
            "a decoder that takes an id for a PLACE in the dict",
            "The ids of a vocabulary may have gaps and any order. Which bytes does the dict hold for this id?",
            decode_by_place,
        ),
        (
            "a decoder whose error for bytes that are no text is a plain ValueError",
            "`bytes.decode` raises an error that says which bytes they are. Does your decoder let it through?",
            decode_with_an_error_of_its_own,
        ),
    ],
    "encode_with_special": [
        (
            "an encoder that strips white space off ALL ordinary text",
            "Decode the ids: is it the text you began with?",
            special_in_other_words(change_text=str.strip),
        ),
        (
            "an encoder that leaves out ordinary text of white space alone",
            "What is between the two special tokens of `<|b|> <|end|>`?",
            special_in_other_words(change_text=lambda part: part if part.strip() else ""),
        ),
        (
            "an encoder that keeps only what stands before the last special token",
            "What becomes of a text that holds no special token at all? How many parts lie around n of them?",
            special_in_other_words(tail=False),
        ),
        (
            'an encoder whose disallowed_special="all" holds the ALLOWED special tokens too',
            'For `disallowed_special`, "all" means every special token that is not allowed.',
            special_in_other_words(allowed_too=True),
        ),
        (
            "an encoder in which allowed_special wins over disallowed_special",
            "A special token in both sets is disallowed: to raise is the safe side.",
            special_in_other_words(allowed_wins=True),
        ),
        (
            "an encoder that takes | in a special token for a regular expression's OR, and skips the empty matches",
            "What does `<|end|>` mean to a regular expression?",
            special_in_other_words(escape=str),
        ),
        (
            "an encoder that lets a longer special token that is NOT allowed hide a shorter one that is",
            "Of those that match at one place, which may count: all special tokens, or the allowed ones?",
            special_in_other_words(longer_hides=True),
        ),
        (
            'an encoder that takes "all" INSIDE a set for the word "all"',
            'A set holds names. Is "all" in it the name of a special token?',
            special_in_other_words(all_inside=True),
        ),
        (
            "an encoder that takes a special token whose id is 0 for ordinary text",
            "0 is an id like any other. What is `bool(0)`?",
            special_in_other_words(id_0=False),
        ),
        (
            "an encoder that gives a special token that is NOT allowed its id where it is a whole part of the text",
            "After a split, how do you know which parts are special tokens that are allowed: by name, or by place?",
            special_in_other_words(whole_parts=True),
        ),
        (
            "an encoder that looks for allowed and disallowed ones in ONE pass, so that one hides another",
            "If only <|im|><|sep|> is allowed, does `<|im|><|sep|>` hold the disallowed <|im|>?",
            special_in_one_pass,
        ),
        (
            "an encoder that cuts the WHOLE text by the longest special token before it looks for a shorter one",
            "The text is read from the left. In `abcd`, which begins first: `ab` or `bcd`?",
            special_longest_first,
        ),
        (
            "an encoder that cuts between all characters where NO special token is allowed",
            "What does an empty pattern match? Without allowed ones, the text is one piece.",
            special_without_allowed_ones_in_pieces,
        ),
        (
            "an encoder that leaves out white space alone BEFORE a special token",
            "What is between the two special tokens of `<|b|> <|end|>`?",
            special_without_white_space_before,
        ),
        (
            "an encoder that gives nothing for no text before it looks at the names",
            "Which names are refused, whatever the text is?",
            special_of_no_text_first,
        ),
    ],
}


def of(task):
    yield from combined(task)
    for sentence, hint, implementation in SINGLE[task]:
        yield Mistake(task, sentence, hint, 1, implementation)


def combined(task):
    if task == "count_pairs":
        hidden = [(COUNT["times"][2], x) for x in (COUNT["overlap"][1], COUNT["overlap"][3])]
        yield from combine(task, "a count of pairs", COUNT, wrong_count_pairs, COUNT_HINTS, without=hidden)
    elif task == "merge":
        yield from combine(task, "a merge", MERGE, wrong_merge, MERGE_HINTS)
    elif task == "pretokenize":
        hidden = [(SPLIT["space"][2], SPLIT["ahead"][1]), (SPLIT["letters"][2], SPLIT["digits"][1])]
        yield from combine(task, "GPT-2's split", SPLIT, wrong_pretokenize, SPLIT_HINTS, without=hidden)
    elif task == "train":
        hidden = [(TRAIN["times"][1], TRAIN["border"][1])]
        hidden += [(TRAIN["recount"][1], x) for x in (TRAIN["stop"][1], TRAIN["first"][1])]
        yield from combine(task, "training", TRAIN, wrong_train, TRAIN_HINTS, without=hidden)
    elif task == "encode":
        hidden = [(ENCODE["order"][1], ENCODE["whole"][1])]
        yield from combine(task, "an encoder", ENCODE, wrong_encode, ENCODE_HINTS, without=hidden)
    elif task == "decode":
        hidden = [(DECODE["code"][1], x) for x in (DECODE["join"][1], *DECODE["errors"][1:])]
        yield from combine(task, "a decoder", DECODE, wrong_decode, DECODE_HINTS, without=hidden)
    else:
        yield from combine(task, "an encoder", SPECIAL, wrong_special, SPECIAL_HINTS, without=HIDDEN)
