"""Mutants that no promised behaviour tells from the reference, each with its reason. At most 5 % of all."""

A_COPY = "a new list cannot be told from its copy"
A_SENTENCE = "the check makes a sentence of later errors"
NEVER_ABOVE = "the left side is never above the right one"
SORTED = "sorted([name for name in special_tokens if name in allowed], key=len, reverse=True)"
SORTED_BY_NAME = "sorted([name for name in special_tokens if name in allowed], reverse=True)"
STATEMENT = "longest_first = sorted([name for name in special_tokens if name in ..."

EQUIVALENT: dict[str, dict[str, str]] = {
    "count_pairs": {"return counts -> return _copied(counts), in: def count_pairs(pre_tokens):": A_COPY},
    "merge": {
        "i < len(ids) -> i != len(ids), in: while i < len(ids):": "i goes on by two only where two ids are left",
        "i + 1 < len(ids) -> i + 1 != len(ids), in: if i + 1 < len(ids) and (ids[i], ids[i + 1]) == pair:": NEVER_ABOVE,
        "return merged -> return _copied(merged), in: def merge(ids, pair, new_id):": A_COPY,
    },
    "pretokenize": {
        "check_text(text) -> pass, in: def pretokenize(text, pattern=GPT2):": A_SENTENCE,
        "check_text(text) -> text": A_SENTENCE,
        "text -> pattern, in: check_text(text)": A_SENTENCE,
        "pattern -> text, in: check_nothing_lost(pre_tokens, text, pattern)": "the pattern is in the error's text only",
        "return pre_tokens -> return _copied(pre_tokens), in: def pretokenize(text, pattern=GPT2):": A_COPY,
    },
    "train": {
        "len(merges) < vocab_size - 256 -> len(merges) != vocab_size - 256, "
        "in: while len(merges) < vocab_size - 256:": NEVER_ABOVE,
        "return merges -> return _copied(merges), in: def train(text, vocab_size, pattern=GPT2):": A_COPY,
    },
    "encode": {
        "lowest == math.inf -> lowest >= math.inf, in: if lowest == math.inf:": "nothing is above infinity",
        "return ids -> return _copied(ids), in: def encode(text, ranks, pattern=GPT2):": A_COPY,
    },
    "decode": {"whole_numbers(ids) -> ids, in: for i in whole_numbers(ids):": "ids are promised to be int"},
    "encode_with_special": {
        f"{SORTED} -> {SORTED_BY_NAME}, in: {STATEMENT}": (
            "of two names that match at one place, the longer one comes later in the alphabet"
        ),
        f"special_tokens -> allowed, in: {STATEMENT}": (
            "the order before sorting matters only for names of one length, which never match at one place"
        ),
    },
}
