"""Right solutions in other styles. Each is graded, and must be RIGHT."""

import re
from collections import Counter, defaultdict
from functools import reduce

import numpy as np
import regex

# ---------------------------------------------------------------- count_pairs


def count_pairs_with_a_counter(pre_tokens):
    counts = Counter()
    for ids, n in pre_tokens.items():
        counts.update({pair: n * k for pair, k in Counter(zip(ids, ids[1:], strict=False)).items()})
    return counts


def count_pairs_with_an_index(pre_tokens):
    counts = defaultdict(int)
    for ids in pre_tokens:
        for i in range(1, len(ids)):
            counts[ids[i - 1], ids[i]] += pre_tokens[ids]
    return dict(counts)


# ---------------------------------------------------------------- merge


def merge_from_the_back_of_a_stack(ids, pair, new_id):
    done = []
    for i in ids:
        if done and done[-1] == pair[0] and i == pair[1]:
            done[-1] = new_id
        else:
            done.append(i)
    # A new id equal to the pair's first half would join again; ids made by training are always new.
    return done


def merge_on_a_copy(ids, pair, new_id):
    out, i = list(ids), 0
    while i < len(out) - 1:
        if out[i] == pair[0] and out[i + 1] == pair[1]:
            out[i : i + 2] = [new_id]
        i += 1
    return out


def merge_recursively_by_parts(ids, pair, new_id):
    found = np.array([a == pair[0] and b == pair[1] for a, b in zip(ids, ids[1:], strict=False)], dtype=bool)
    places = []
    for i in np.flatnonzero(found).tolist():
        if not places or i > places[-1] + 1:
            places.append(i)
    starts = set(places)
    return [new_id if i in starts else x for i, x in enumerate(ids) if i - 1 not in starts]


# ---------------------------------------------------------------- pretokenize

RULES = ["'s", "'t", "'re", "'ve", "'m", "'ll", "'d", r" ?\p{L}+", r" ?\p{N}+", r" ?[^\s\p{L}\p{N}]+"]
RULES += [r"\s+(?!\S)", r"\s+"]


def pretokenize_with_finditer(text, pattern="|".join(RULES)):  # noqa: B008
    pre_tokens, at = [], 0
    for match in regex.finditer(pattern, text):
        if match.start() != at:
            raise ValueError(f"nothing matches {text[at : match.start()]!r}")
        pre_tokens.append(match.group())
        at = match.end()
    if at != len(text):
        raise ValueError(f"nothing matches {text[at:]!r}")
    return pre_tokens


def pretokenize_with_possessive_runs(text, pattern=None):
    rule = r"'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"
    found = regex.findall(pattern or rule, text)
    if "".join(found) != text:
        raise ValueError("the pattern must match all of the text")
    return found


# ---------------------------------------------------------------- train


def train_on_lists(text, vocab_size, pattern):
    assert_size(vocab_size)
    words = [list(p.encode()) for p in regex.findall(pattern, text)]
    merges = []
    for new_id in range(256, vocab_size):
        counts = Counter(pair for word in words for pair in zip(word, word[1:], strict=False))
        if not counts:
            return merges
        most = max(counts.values())
        pair = sorted(p for p in counts if counts[p] == most)[0]
        words = [merge_on_a_copy(word, pair, new_id) for word in words]
        merges.append(pair)
    return merges


def train_with_differences(text, vocab_size, pattern):
    """Counts are corrected, not counted again."""
    assert_size(vocab_size)
    words = Counter(tuple(p.encode("utf-8")) for p in regex.findall(pattern, text))
    counts = count_pairs_with_a_counter(words)
    merges = []
    while len(merges) + 256 < vocab_size:
        counts = +counts
        if len(counts) == 0:
            break
        pair = max(counts, key=lambda p: (counts[p], -p[0], -p[1]))
        changed = Counter()
        for word, n in words.items():
            new = tuple(merge_from_the_back_of_a_stack(word, pair, 256 + len(merges)))
            if new != word:
                counts.subtract(count_pairs_with_a_counter({word: n}))
                counts.update(count_pairs_with_a_counter({new: n}))
            changed[new] += n
        words = changed
        merges.append(list(pair))
    return merges


def assert_size(vocab_size):
    if vocab_size - 256 < 0:
        raise ValueError("there are 256 bytes")


# ---------------------------------------------------------------- encode


def encode_by_ids(text, ranks, pattern):
    """On ids: the pair of ids is looked up by its bytes."""
    bytes_of = {i: token for token, i in ranks.items()}
    out = []
    for p in regex.findall(pattern, text):
        data = p.encode()
        if data in ranks:
            out.append(ranks[data])
            continue
        ids = [ranks[data[i : i + 1]] for i in range(len(data))]
        while True:
            best = None
            for i in range(len(ids) - 1):
                made = ranks.get(bytes_of[ids[i]] + bytes_of[ids[i + 1]])
                if made is not None and (best is None or made < best[0]):
                    best = made, i
            if best is None:
                break
            ids[best[1] : best[1] + 2] = [best[0]]
        out.extend(ids)
    return out


def encode_with_boundaries(text, ranks, pattern):
    """On places between bytes: a merge removes the place between two tokens."""

    def ids_of(data):
        cuts = list(range(len(data) + 1))
        while data not in ranks:
            widths = enumerate(zip(cuts, cuts[2:], strict=False))
            spans = [(ranks.get(data[a:c], 10**9), n) for n, (a, c) in widths]
            lowest, n = min(spans, default=(10**9, 0))
            if lowest >= 10**9:
                return [ranks[data[a:b]] for a, b in zip(cuts, cuts[1:], strict=False)]
            del cuts[n + 1]
            if len(cuts) == 2:
                break
        return [ranks[data]]

    return reduce(lambda ids, p: ids + ids_of(p.encode()), regex.findall(pattern, text), [])


# ---------------------------------------------------------------- decode


def decode_with_a_bytearray(ids, tokens, errors="replace"):
    data = bytearray()
    for i in ids:
        try:
            data += tokens[i]
        except KeyError as error:
            raise ValueError(f"{i} is not in the vocabulary") from error
    return str(data, "utf-8", errors)


def decode_after_a_check(ids, tokens, *, errors="replace"):
    ids = list(ids)
    if unknown := set(ids) - tokens.keys():
        raise ValueError(f"unknown: {unknown}")
    return b"".join(map(tokens.__getitem__, ids)).decode(errors=errors)


def decode_positionally(ids, tokens, errors="replace"):
    return decode_after_a_check(ids, tokens, errors=errors)


# ---------------------------------------------------------------- encode_with_special


def special_with_split(text, encode_ordinary, special_tokens, allowed_special=(), disallowed_special="all"):
    allowed = list(special_tokens) if allowed_special == "all" else list(allowed_special)
    forbidden = [t for t in special_tokens if t not in allowed] if disallowed_special == "all" else disallowed_special
    if not set(allowed) <= set(special_tokens):
        raise ValueError("allowed_special names something else")
    if any(t in text for t in forbidden):
        raise ValueError("the text holds a special token")
    if not (allowed and text):
        return encode_ordinary(text) if text else []
    pattern = "(" + "|".join(re.escape(t) for t in sorted(allowed, key=lambda t: (-len(t), t))) + ")"
    ids = []
    for n, part in enumerate(re.split(pattern, text)):
        if part:
            ids += [special_tokens[part]] if n % 2 else encode_ordinary(part)
    return ids


def special_character_by_character(text, encode_ordinary, special_tokens, allowed_special=(), disallowed_special="all"):
    allowed = set(special_tokens if allowed_special == "all" else allowed_special)
    for name in allowed:
        if name not in special_tokens:
            raise ValueError(name)
    forbidden = set(special_tokens) - allowed if disallowed_special == "all" else set(disallowed_special)
    for name in forbidden:
        if text.find(name) >= 0:
            raise ValueError(name)
    ids, ordinary, i = [], "", 0
    while i < len(text):
        here = max((t for t in allowed if text.startswith(t, i)), key=len, default=None)
        if here is None:
            ordinary += text[i]
            i += 1
        else:
            ids += (encode_ordinary(ordinary) if ordinary else []) + [special_tokens[here]]
            ordinary, i = "", i + len(here)
    return ids + encode_ordinary(ordinary) if ordinary else ids


STYLES = {
    "count_pairs": {"a Counter of Counters": count_pairs_with_a_counter, "indices": count_pairs_with_an_index},
    "merge": {
        "a stack": merge_from_the_back_of_a_stack,
        "slices of a copy": merge_on_a_copy,
        "places found first": merge_recursively_by_parts,
    },
    "pretokenize": {"finditer": pretokenize_with_finditer, "possessive runs": pretokenize_with_possessive_runs},
    "train": {"lists, unweighted": train_on_lists, "counts corrected": train_with_differences},
    "encode": {"ids": encode_by_ids, "boundaries": encode_with_boundaries},
    "decode": {"a bytearray": decode_with_a_bytearray, "a check first": decode_positionally},
    "encode_with_special": {"re.split": special_with_split, "character by character": special_character_by_character},
}
