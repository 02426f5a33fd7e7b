"""The classic mistakes of a byte-pair tokenizer as running code, and the inputs on which they are recognised.

Mistakes that combine are built from knobs: every knob has its right setting first, and whatever differs from it is
one mistake. Two at once then have a sentence of their own, made of the two.
"""

import random
import re
from collections import Counter
from itertools import pairwise, product

import regex
from byte_pair_smith import BYTE_ORDER, GPT2, GPT2_ORDER, NO_SPLIT, Vocabulary, train_fast
from grader import Mistake

TASKS = ["count_pairs", "merge", "pretokenize", "train", "encode", "decode", "encode_with_special"]


def combine(task, noun, knobs, build, hints, most=2, without=()):
    """One Mistake for each setting of the knobs with one to `most` of them wrong."""
    for setting in product(*knobs.values()):
        wrong = [s for s, right in zip(setting, (k[0] for k in knobs.values()), strict=True) if s != right]
        if 1 <= len(wrong) <= most and not any(set(pair) <= set(wrong) for pair in without):
            yield Mistake(
                task,
                f"{noun} {' AND '.join(wrong)}",
                " ".join(hints[w] for w in wrong),
                len(wrong),
                build(**dict(zip(knobs, setting, strict=True))),
            )


# ---------------------------------------------------------------- count_pairs

COUNT = {
    "overlap": [
        "all",
        "that skips overlapping pairs, so that aaa holds (a, a) once",
        "that steps over two ids at a time",
    ],
    "times": ["times", "that counts each distinct pre-token ONCE, whatever its frequency"],
    "border": ["within", "that also pairs the end of one pre-token with the start of the next"],
    "order": ["ordered", "that adds up (a, b) and (b, a)"],
}
COUNT_HINTS = {
    COUNT["overlap"][
        1
    ]: "The libraries count every two neighbours. How many pairs of neighbours does a pre-token of three ids have?",
    COUNT["overlap"][
        2
    ]: "A pre-token of n ids has n - 1 pairs of neighbours, and each id but the ends is in two of them.",
    COUNT["times"][1]: "If ` the` occurs 9,000 times in the text, how often does its first pair occur?",
    COUNT["border"][1]: "The pre-tokens of the dict are not neighbours in the text. Can a merge join two of them?",
    COUNT["order"][1]: "Does merging `th` do anything for a text full of `ht`?",
}


def wrong_count_pairs(overlap, times, border, order):
    def count_pairs(words):
        counts, last = {}, None
        for word, count in words.items():
            if border != "within" and last is not None and word:
                counts[last, word[0]] = counts.get((last, word[0]), 0) + 1
            i = 0
            while i + 1 < len(word):
                pair = (word[i], word[i + 1])
                if order != "ordered":
                    pair = (min(pair), max(pair))
                counts[pair] = counts.get(pair, 0) + (count if times == "times" else 1)
                same = overlap == COUNT["overlap"][1] and i + 2 < len(word) and word[i] == word[i + 1] == word[i + 2]
                i += 2 if same or overlap == COUNT["overlap"][2] else 1
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


def a_few_words(impl, seed):
    return impl.count_pairs({(97, 98, 99): 5, (98, 97, 99, 100): 2 + seed % 7})


def words_with_runs(impl, seed):
    return impl.count_pairs(random_words(seed))


def one_run(impl, seed):
    return impl.count_pairs({(97,) * (5 + seed % 7): 2})


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
    return [impl.merge([4] * n, (4, 4), 256 + seed % 7) for n in range(1, 8)]


def many_ids(impl, seed):
    return [impl.merge(random_ids(seed), pair, 256) for pair in ((1, 2), (2, 1), (1, 1))]


# ---------------------------------------------------------------- pretokenize

SPLIT = {
    "space": ["leading", "with the space at the END of the word before it", "that throws white space away"],
    "letters": ["all", "that knows no letters but A to Z"],
    "ahead": ["ahead", "in which a run of spaces takes the space of the next word"],
    "clitics": ["lower", "that does not keep 's and 're together", "that keeps 'S and 'RE together too, as GPT-4 does"],
    "digits": ["apart", "with letters and digits in one run"],
    "pattern": ["given", "that IGNORES the pattern it is given", "that silently loses what the pattern does not match"],
}
SPLIT_HINTS = {
    SPLIT["space"][
        1
    ]: "GPT-2's vocabulary is full of tokens like ` the`, not `the `: where does the optional space stand?",
    SPLIT["space"][2]: "Join the pre-tokens: is it still the text? A Python program would not run any more.",
    SPLIT["letters"][
        1
    ]: "How many pre-tokens is `Äpfel`, and what is the category of `Ä`? The library `regex` knows \\p{L}.",
    SPLIT["ahead"][
        1
    ]: "For two spaces and a word GPT-2 gives one space alone and one with the word: what does (?!\\S) see?",
    SPLIT["clitics"][1]: "How many pre-tokens is `don't` in GPT-2? The apostrophe goes with what follows it.",
    SPLIT["clitics"][2]: "GPT-2's rule lists the clitics in lower case only. GPT-4's pattern changed that.",
    SPLIT["digits"][1]: "Is `gpt2` one pre-token or two?",
    SPLIT["pattern"][1]: "What should a pattern that matches everything give?",
    SPLIT["pattern"][
        2
    ]: "A tokenizer that loses characters cannot be undone: compare the joined pre-tokens with the text.",
}


def wrong_pretokenize(space, letters, ahead, clitics, digits, pattern):
    L = r"\p{L}" if letters == "all" else "A-Za-z"
    run = "%s+" if space != SPLIT["space"][1] else "%s+ ?"
    lead = "" if space == SPLIT["space"][1] else " ?"
    words = [f"[{L}]", r"\p{N}"] if digits == "apart" else [rf"[{L}\p{{N}}]"]
    branches = [lead + run % w for w in [*words, rf"[^\s{L}\p{{N}}]"]]
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


def with_another_pattern(impl, seed):
    return [impl.pretokenize("ab 12  c", p) for p in (NO_SPLIT, r"\S+|\s+", r"(?s:.)")]


def with_a_pattern_that_leaves_gaps(impl, seed):
    return impl.pretokenize("one 1", r"[a-z]+")


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
    TRAIN["first"][1]: "The last byte is number 255.",
}


def wrong_train(ties, times, border, overlap, unit, size, stop, first):
    key = {"smallest": lambda c: lambda p: (-c[p], p), TRAIN["ties"][2]: lambda c: lambda p: (-c[p], -p[0], -p[1])}
    key = key.get(ties, lambda c: lambda p: -c[p])
    base = 256 if first == "256" else 257
    extra = dict(zip(TRAIN["size"], (0, 1, -1, 256), strict=True))[size]
    merge = wrong_merge("left", "kept", "ordered")

    def train(text, vocab_size, pattern):
        if vocab_size < 256:
            raise ValueError("vocab_size is below 256")
        pre_tokens = [text] if border != "within" else regex.findall(pattern, text)
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


# ---------------------------------------------------------------- encode

ENCODE = {
    "order": [
        "rank",
        "that takes the LONGEST token from the left",
        "that merges the FIRST pair it can, not the lowest rank",
        "that merges the HIGHEST rank first",
        "that makes one merge per pre-token and stops",
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
    ENCODE["unit"][1]: "What does your encoder do with a character that no training text held?",
    ENCODE["ids"][1]: "In GPT-2's vocabulary, which id has the byte 33, the exclamation mark?",
    ENCODE["whole"][1]: "Llama 3's vocabulary holds tokens that merging does not reach: how does a text get their ids?",
    ENCODE["border"][1]: "Training never saw two pre-tokens together: can a token lie across two?",
}


def longest_from_left(parts, ranks):
    out = []
    while parts:
        n = next((n for n in range(len(parts), 1, -1) if b"".join(parts[:n]) in ranks), 1)
        out.append(b"".join(parts[:n]))
        parts = parts[n:]
    return out


def merge_parts(parts, ranks, order):
    while True:
        made = [(ranks[a + b], i) for i, (a, b) in enumerate(pairwise(parts)) if a + b in ranks]
        if not made:
            return parts
        pick = {ENCODE["order"][2]: lambda m: m[1], ENCODE["order"][3]: lambda m: (-m[0], m[1])}.get(order, lambda m: m)
        at = min(made, key=pick)[1]
        parts = parts[:at] + [parts[at] + parts[at + 1]] + parts[at + 2 :]
        if order == ENCODE["order"][4]:
            return parts


def wrong_encode(order, unit, ids, border, whole):
    def encode(text, ranks, pattern):
        out = []
        for pre_token in [text] if border != "within" and text else regex.findall(pattern, text):
            if whole == "token" and pre_token.encode() in ranks:
                out.append(ranks[pre_token.encode()])
                continue
            parts = [bytes([b]) for b in pre_token.encode()] if unit == "bytes" else [c.encode() for c in pre_token]
            if order == ENCODE["order"][1]:
                parts = longest_from_left(parts, ranks)
            else:
                parts = merge_parts(parts, ranks, order)
            out += [p[0] if ids != "ranks" and len(p) == 1 else ranks[p] for p in parts]
        return out

    return encode


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
OUT_OF_REACH = {bytes([b]): b for b in range(256)} | {b":.": 256, b".:": 257, b".:.:": 258}
TRAP_TEXT = "abcdex-abcd-bcd-abcab-cdab xyxyx-yxyx abc e e a"


def merges_that_compete(impl, seed):
    return impl.encode(TRAP_TEXT + " abc" * (seed % 7), TRAP, GPT2)


def a_trained_vocabulary(impl, seed):
    ranks, text = toy(seed)
    return impl.encode(text[:120], ranks, GPT2)


def bytes_in_gpt2s_order(impl, seed):
    ranks, text = toy(seed, GPT2_ORDER)
    return impl.encode(text[:60] + "!x", ranks, GPT2)


def a_token_that_merging_does_not_reach(impl, seed):
    return impl.encode(".:.:", OUT_OF_REACH, NO_SPLIT) + impl.encode(
        "a.:.: .: " + ".:" * (seed % 7), OUT_OF_REACH, GPT2
    )


def characters_never_seen(impl, seed):
    ranks, _ = toy(seed)
    return impl.encode("héé ओम 🙂 ab cé", ranks, GPT2)


# ---------------------------------------------------------------- decode

DECODE = {
    "join": ["joined", "token by token, so that a character spread over two tokens is lost"],
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


def wrong_decode(join, errors, unknown):
    def decode(ids, tokens, mode="replace"):
        mode = {"honoured": mode, DECODE["errors"][1]: "replace"}.get(errors, "ignore")
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
        return (
            b"".join(known).decode("utf-8", mode)
            if join == "joined"
            else "".join(t.decode("utf-8", mode) for t in known)
        )

    return lambda ids, tokens, errors="replace": decode(ids, tokens, errors)


TOKENS = {i: bytes([i]) for i in range(256)} | {256: "é".encode(), 257: b" the", 258: "日".encode()[:2], 259: b"x\xe6"}


def plain_text(impl, seed):
    return impl.decode([*b"on", 257, *b" rock", 48 + seed % 7], TOKENS)


def characters_in_parts(impl, seed):
    return impl.decode([258, 165, 32, *"🙂".encode(), 256, 97 + seed % 7], TOKENS)


def half_a_character(impl, seed):
    return impl.decode([97, 258, 98, 0x80, 99, 97 + seed % 7], TOKENS)


def half_a_character_strictly(impl, seed):
    return impl.decode([97, 0xC3, 98], TOKENS, "strict")


def half_a_character_ignored(impl, seed):
    return impl.decode([97, 0xC3, 98, 97 + seed % 7], TOKENS, "ignore")


def an_unknown_id(impl, seed):
    return impl.decode([97, 999, 98], TOKENS)


# ---------------------------------------------------------------- encode_with_special

SPECIAL = {
    "allowed": ["ids", "that encodes an ALLOWED special token as ordinary text"],
    "others": [
        "raise",
        "that silently encodes a special token that is NOT allowed as text",
        "that gives a special token its id although it is NOT allowed",
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
    "as_text": ["as text", "that refuses special tokens even with disallowed_special=()"],
    "unknown": ["raises", "that accepts names in allowed_special that are no special tokens"],
}
SPECIAL_HINTS = {
    SPECIAL["allowed"][1]: "The model was trained on one id there, not on the tokens `<`, `|`, `end`.",
    SPECIAL["others"][1]: "A user may have typed those characters. The default is to raise.",
    SPECIAL["others"][2]: "A user who can type the end-of-text token can end the text.",
    SPECIAL["longest"][1]: "Of <|im|> and <|im|><|sep|>, which one does the text hold?",
    SPECIAL["longest"][2]: "Does a dict's order decide what a text means?",
    SPECIAL["escape"][1]: "What does `<|end|>` mean to a regular expression?",
    SPECIAL["rest"][1]: "Decode the ids: is it the text you began with?",
    SPECIAL["rest"][2]: "How many parts of ordinary text lie around n special tokens?",
    SPECIAL["as_text"][
        1
    ]: "A corpus about tokenizers must be encodable: disallowed_special=() says that nothing is forbidden.",
    SPECIAL["unknown"][1]: "A typing error in a name would switch the protection off silently.",
}


# Two at once of which one hides the other: who never looks for special tokens cannot look for them wrongly.
HIDDEN = [
    *((SPECIAL["allowed"][1], x) for k in ("longest", "escape", "rest") for x in SPECIAL[k][1:]),
    (SPECIAL["allowed"][1], SPECIAL["others"][2]),
    (SPECIAL["others"][1], SPECIAL["as_text"][1]),
    (SPECIAL["longest"][2], SPECIAL["escape"][1]),
]


def wrong_special(allowed, others, longest, escape, rest, as_text, unknown):
    def encode_with_special(text, encode_ordinary, special, allow, forbid):
        allow = set(special) if allow == "all" else allow
        if unknown == "raises" and set(allow) - set(special):
            raise ValueError("no such special token")
        forbidden = set(special) - set(allow) if forbid == "all" or as_text != "as text" else set(forbid)
        if others == "raise" and any(name in text for name in forbidden):
            raise ValueError("a special token that is not allowed")
        wanted = [n for n in special if n in allow or others == SPECIAL["others"][2] and n in forbidden]
        if not wanted or allowed != "ids":
            return encode_ordinary(text)
        wanted = {"longest": sorted(wanted, key=len, reverse=True), SPECIAL["longest"][1]: sorted(wanted, key=len)}.get(
            longest, wanted
        )
        ids, at = [], 0
        for match in re.finditer("|".join(wanted if escape != "escaped" else map(re.escape, wanted)), text):
            ids += encode_ordinary(
                text[at : match.start()].strip() if rest == SPECIAL["rest"][1] else text[at : match.start()]
            )
            ids += [special.get(match.group(), -1)]
            at = match.end()
        if rest == SPECIAL["rest"][2] and at:
            return ids
        return ids + encode_ordinary(text[at:].strip() if rest == SPECIAL["rest"][1] else text[at:])

    def with_defaults(text, encode_ordinary, special_tokens, allowed_special=(), disallowed_special="all"):
        return encode_with_special(text, encode_ordinary, special_tokens, allowed_special, disallowed_special)

    return with_defaults


def letters(text):
    """An ordinary encoder for the tests: one id per character."""
    return list(map(ord, text))


SPECIAL_TOKENS = {"<|a|>": 5001, "<|a|><|b|>": 5002, "<|end|>": 5003, "<|b|>": 5004}


def special_tokens_allowed(impl, seed):
    return impl.encode_with_special(
        "one <|end|> two<|end|> tail" + "!" * (seed % 7), letters, SPECIAL_TOKENS, {"<|end|>"}
    )


def long_and_short_special_tokens(impl, seed):
    text = "x<|a|><|b|>y <|b|> z" + "!" * (seed % 7)
    return [
        impl.encode_with_special(text, letters, tokens, set(SPECIAL_TOKENS))
        for tokens in (SPECIAL_TOKENS, dict(reversed(SPECIAL_TOKENS.items())))
    ]


def a_special_token_not_allowed(impl, seed):
    return impl.encode_with_special("one <|end|> two" + "!" * (seed % 7), letters, SPECIAL_TOKENS)


def two_special_tokens_and_one_allowed(impl, seed):
    return impl.encode_with_special(
        "one <|b|> two <|end|> three" + "!" * (seed % 7), letters, SPECIAL_TOKENS, {"<|b|>"}
    )


def special_tokens_as_text(impl, seed):
    return [
        impl.encode_with_special("one <|end|> two", letters, SPECIAL_TOKENS, allow, ()) for allow in ((), {"<|b|>"})
    ]


def an_allowed_name_that_is_none(impl, seed):
    return impl.encode_with_special("one", letters, SPECIAL_TOKENS, {"<|ned|>"})


PROBES = {
    "count_pairs": [a_few_words, words_with_runs, one_run],
    "merge": [two_places, a_run, many_ids],
    "pretokenize": [plain_words, everything_at_once, with_another_pattern, with_a_pattern_that_leaves_gaps],
    "train": [
        letters_and_runs,
        a_text_that_runs_out,
        few_words_often,
        tied_pairs,
        runs_against_pairs,
        many_merges_to_make,
    ],
    "encode": [
        a_trained_vocabulary,
        merges_that_compete,
        bytes_in_gpt2s_order,
        characters_never_seen,
        a_token_that_merging_does_not_reach,
    ],
    "decode": [
        plain_text,
        characters_in_parts,
        half_a_character,
        half_a_character_strictly,
        half_a_character_ignored,
        an_unknown_id,
    ],
    "encode_with_special": [
        special_tokens_allowed,
        long_and_short_special_tokens,
        a_special_token_not_allowed,
        two_special_tokens_and_one_allowed,
        special_tokens_as_text,
        an_allowed_name_that_is_none,
    ],
}


def of(task):
    if task == "count_pairs":
        yield from combine(task, "a count of pairs", COUNT, wrong_count_pairs, COUNT_HINTS)
    elif task == "merge":
        yield from combine(task, "a merge", MERGE, wrong_merge, MERGE_HINTS)
    elif task == "pretokenize":
        yield from combine(
            task,
            "GPT-2's split",
            SPLIT,
            wrong_pretokenize,
            SPLIT_HINTS,
            without=[(SPLIT["space"][2], SPLIT["ahead"][1])],
        )
    elif task == "train":
        yield from combine(
            task, "training", TRAIN, wrong_train, TRAIN_HINTS, without=[(TRAIN["times"][1], TRAIN["border"][1])]
        )
    elif task == "encode":
        yield from combine(task, "an encoder", ENCODE, wrong_encode, ENCODE_HINTS)
    elif task == "decode":
        yield from combine(task, "a decoder", DECODE, wrong_decode, DECODE_HINTS)
    else:
        yield from combine(task, "an encoder", SPECIAL, wrong_special, SPECIAL_HINTS, without=HIDDEN)
