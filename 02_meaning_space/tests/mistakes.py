"""The classic mistakes of word2vec as running code, and the inputs on which they are recognised.

Each knob has its right setting first. Whatever differs from it is one mistake. Two at once have their own sentence.
"""

import math

import numpy as np
from grader import combine, error_of
from meaning_space import loss_and_gradients

TASKS = ["pairs", "keep_probability", "NegativeSampler", "loss_and_gradients", "sgd_step", "analogy", "pca"]
INPLACE = {"sgd_step"}
PARTS = {"NegativeSampler": ["__init__", "sample"]}
GATE_SEEDS = 3


def refused(calls):
    """{situation: the exception's type} of calls, for errors that the workbook promises. NumPy may warn before."""
    with np.errstate(all="ignore"):
        return {situation: error_of(call) for situation, call in calls.items()}


# ---------------------------------------------------------------- pairs

LEFT, RIGHT = "that look to the LEFT only", "that look to the RIGHT only"
ITSELF, SHORT = "that include the word ITSELF", "whose windows stop ONE WORD SHORT on the right"
SWAPPED = "with the context in the first column and the center in the second"
WRAPS = "whose windows WRAP AROUND from the first word to the last"
WIDEST, CONTEXTS_WIDTH = "that give every word the WIDEST window", "that use the CONTEXT's width for the center's"
FROM_ONE = "that leave out the FIRST word of the sentence as a center"
SAME_WORD = "that leave out every context that is the SAME WORD as the center"
BY_DISTANCE = "in the order of their DISTANCE, not of the context's position"
POSITIONS = "of POSITIONS, where the ids of the words are asked for"
FLOATS = "of ids that have passed through FLOATS, which hold 53 bits of an int64"
BY_IDS, LEFT_NEAREST = (
    "SORTED by their ids, not by positions",
    "with the contexts on the left in the order of their DISTANCE",
)
ONCE = "each of them ONCE, where the same pair can come twice"
OVERFLOWN = "whose windows END BEFORE THEY BEGIN where i + w + 1 is above all int64"
INT32 = "of widths that have passed through an INT32, which ends at 2**31 - 1"
PAIRS = {
    "side": ["both", LEFT, RIGHT],
    "itself": ["left out", ITSELF, SAME_WORD],
    "end": ["included", SHORT, OVERFLOWN],
    "order": ["center first", SWAPPED, BY_DISTANCE, LEFT_NEAREST, BY_IDS],
    "edge": ["stops", WRAPS],
    "width": ["its own", WIDEST, CONTEXTS_WIDTH, INT32],
    "start": ["zero", FROM_ONE],
    "what": ["ids", POSITIONS, FLOATS, ONCE],
}
PAIRS_HINTS = {
    SAME_WORD: "A sentence may hold a word twice. Does the formula compare words, or positions?",
    BY_DISTANCE: "Which context comes first: the nearest one, or the one that stands first in the sentence?",
    FLOATS: "How many bits has the fraction of a float64? An array of other numbers is made of which dtype?",
    BY_IDS: "Which pair comes first: that of the first center in the sentence, or that of the smallest id?",
    LEFT_NEAREST: "Which context comes first: the nearest one, or the one that stands first in the sentence?",
    ONCE: "A word may stand twice near another: how many examples to learn from are these?",
    INT32: "What is np.array([2**32]).astype(np.int32)?",
    OVERFLOWN: "What is np.int64(2**63 - 1) + 1, and what does int(w) change?",
    POSITIONS: "The word at position 0 of the worked example has the id 10. Which of the two is in the first pair?",
    LEFT: "Which contexts does the first word of the sentence have?",
    RIGHT: "Which contexts does the last word of the sentence have?",
    ITSELF: "What does a word learn from standing next to itself?",
    SHORT: "How many numbers does range(i - w, i + w) hold, and how many positions does a window of width w have?",
    SWAPPED: "Whose window is it? With a width for every word, the two columns are not the same pairs backwards.",
    WRAPS: "What does Python make of ids[-1]?",
    WIDEST: "Each word comes with a width of its own: near words count more often than far ones.",
    CONTEXTS_WIDTH: "Whose window is it, that of the word in the middle or that of the word at its edge?",
    FROM_ONE: "At which position does a sentence begin?",
}


def wrong_pairs(side, itself, end, order, edge, width, start, what):
    def pairs(ids, widths):
        refuse_widths(ids, widths)
        found, n = [], len(ids)
        words = np.arange(n) if what == POSITIONS else ids
        own = widths.astype(np.int32 if width == INT32 else np.int64).tolist()
        widest = max(own, default=0)
        for i in range(1 if start == FROM_ONE else 0, n):
            positions = range(-n if edge == WRAPS else 0, n)
            for j in in_order(positions, i, order):
                w = widest if width == WIDEST else own[j if width == CONTEXTS_WIDTH else i]
                low, high = (i if side == RIGHT else i - w), (i if side == LEFT else i + w - (end == SHORT))
                high = -1 if end == OVERFLOWN and high >= 2**63 - 1 else high
                if low <= j <= high and (j != i or itself == ITSELF) and (ids[j] != ids[i] or itself != SAME_WORD):
                    found.append((words[j], words[i]) if order == SWAPPED else (words[i], words[j]))
        found = sorted(found) if order == BY_IDS else list(dict.fromkeys(found)) if what == ONCE else found
        return np.array(found, dtype=float if what == FLOATS else np.int64).reshape(-1, 2).astype(np.int64)

    return pairs


def in_order(positions, i, order):
    """The positions of contexts, in the order of a mistake."""
    if order == LEFT_NEAREST:
        return sorted(positions, key=lambda j: (j >= i, abs(j - i)))
    return sorted(positions, key=lambda j: abs(j - i)) if order == BY_DISTANCE else positions


def refuse_widths(ids, widths):
    if widths.shape != ids.shape or (len(widths) and widths.min() < 1):
        raise ValueError("widths")


def the_workbooks_sentence(impl, seed):
    return impl.pairs(np.array([10, 11, 12]), np.array([1, 2, 1]))


def a_sentence(impl, seed):
    rng = np.random.default_rng(seed)
    return impl.pairs(np.arange(11), np.append(rng.integers(1, 4, 10), [5])[rng.permutation(11)])


def repeated_words(impl, seed):
    return impl.pairs(np.array([3, 1, 3, 3, 2]), np.array([1, 2, 1, 3, 1]))


def a_window_wider_than_the_sentence(impl, seed):
    return impl.pairs(np.array([5, 6, 7]), np.array([9, 9, 9]))


def a_single_word(impl, seed):
    return impl.pairs(np.array([4]), np.array([2]))


def no_word_at_all(impl, seed):
    return impl.pairs(np.array([], dtype=np.int64), np.array([], dtype=np.int64))


def widths_that_are_refused(impl, seed):
    ids = np.array([1, 2, 3])
    widths = {"zero": [1, 0, 1], "negative": [1, 1, -1], "too few": [1, 1], "a column": [[1], [1], [1]], "one": [1] * 3}
    widths |= {"the lowest int64": [1, -(2**63), 1]}
    widths |= {"zero first": [0, 1, 1], "-5": [1, -5, 1], "too many": [1] * 4, "a row": [[1, 1, 1]], "a number": 1}
    calls = {name: lambda w=w: impl.pairs(ids, np.array(w)) for name, w in widths.items()}
    for name, w in {"zero, for a word alone": [0], "a column, for a word alone": [[2]], "a number alone": 2}.items():
        calls[name] = lambda w=w: impl.pairs(np.array([4]), np.array(w))
    nothing, one = np.array([], dtype=np.int64), np.array([1])
    calls["no width, for a word alone"] = lambda: impl.pairs(one, nothing)
    calls["a width, for no word"] = lambda: impl.pairs(nothing, one)
    return refused(calls)


def ids_above_two_to_the_31st(impl, seed):
    return impl.pairs(np.array([2**31 + 5, 7, 2**53 + 1]), np.array([2, 1, 1]))


def windows_as_wide_as_an_int64_can_say(impl, seed):
    widths = np.array([2**63 - 1, 1, 2**63 - 2, 1, 2**63 - 1])
    return impl.pairs(np.array([8, 3, 5, 3, 1]), widths[np.random.default_rng(seed).permutation(5)])


def windows_wider_than_an_int32_can_say(impl, seed):
    return impl.pairs(np.array([8, 3, 5, 3, 1]), np.array([2**32, 1, 2**32 + 1, 2**31, 2**40]))


def a_sentence_of_three_hundred_words(impl, seed):
    """Four windows are wide: two of them cover the whole sentence. One is wider than an int16 can say."""
    ids, widths = np.random.default_rng(seed).integers(0, 1000, 300), np.ones(300, dtype=np.int64)
    widths[[0, 60, 150, 299]] = 299, 30, 140, 2**16
    return impl.pairs(ids, widths)


def ids_and_widths_that_are_slices(impl, seed):
    """Every second place of longer arrays; the widths backwards."""
    return impl.pairs(np.arange(20, 40)[::2], np.random.default_rng(seed).integers(1, 4, 20)[::-2])


# ---------------------------------------------------------------- keep_probability

NO_ROOT, WORD2VEC_C = "WITHOUT the square root", "by the formula of word2vec.c, not the paper's"
DISCARD = "that is the probability of DISCARDING the word"
COUNTS, TYPES = "with COUNTS where shares of the text are meant", "with counts divided by the number of DIFFERENT words"
UPSIDE, UNCAPPED = "with the fraction UPSIDE DOWN", "that rises ABOVE ONE for rare words"
MOST = "with counts divided by the count of the MOST FREQUENT word"
SCALED = "brought below one by a division by the GREATEST value"
FALLING = "that takes counts in FALLING order for granted: behind the first word that stays, all stay"
FIXED = "that uses the usual threshold 0.001 WHATEVER threshold it is given"
KEEP = {
    "root": ["root", NO_ROOT, WORD2VEC_C],
    "what": ["keep", DISCARD],
    "share": ["share", COUNTS, TYPES, MOST],
    "fraction": ["t over f", UPSIDE],
    "cap": ["at one", UNCAPPED, SCALED, FALLING],
    "given": ["used", FIXED],
}
KEEP_HINTS = {
    MOST: "What do the shares of all words add up to?",
    SCALED: "Which words shall stay for certain: the rarest one alone, or all with a share of at most the threshold?",
    FALLING: "Put the rarest word first: which probabilities have the words behind it?",
    FIXED: "Call it with two thresholds: does the result change?",
    NO_ROOT: "One word is four times as frequent as another. How much more frequent shall it be afterwards?",
    WORD2VEC_C: "The authors' program computes (1 + sqrt(f / t)) t / f. What does equation 5 of the paper say?",
    DISCARD: "Which words shall stay in the text for certain, the frequent or the rare ones?",
    COUNTS: "The threshold is a share of the text. Can a share be compared with a number of occurrences?",
    TYPES: "What do the shares of all words add up to?",
    UPSIDE: "Which words does it keep?",
    UNCAPPED: "What is the greatest value that a probability can have?",
}


def wrong_keep(root, what, share, fraction, cap, given):
    def keep_probability(counts, threshold=1e-3):
        if not threshold > 0 or counts.min() < 1:
            raise ValueError("threshold or counts")
        threshold = threshold if given == "used" else 1e-3
        f = counts / {"share": counts.sum(), COUNTS: 1.0, TYPES: len(counts), MOST: counts.max()}[share]
        r = threshold / f if fraction == "t over f" else f / threshold
        p = {"root": np.sqrt(r), NO_ROOT: r, WORD2VEC_C: np.sqrt(r) + r}[root]
        behind = np.where(np.maximum.accumulate(p >= 1), 1.0, p)
        p = {"at one": np.minimum(1.0, p), UNCAPPED: p, SCALED: p / max(1.0, p.max()), FALLING: behind}[cap]
        return p if what == "keep" else 1 - p

    return keep_probability


def the_workbooks_counts(impl, seed):
    return impl.keep_probability(np.array([64, 32, 4]), 0.04)


def frequent_and_rare_words(impl, seed):
    return impl.keep_probability(np.random.default_rng(seed).integers(1, 3000, 13), 0.06)


def the_usual_threshold(impl, seed):
    return impl.keep_probability(np.array([60_000, 9_000, 800, 31, 5, 1]))


def thresholds_of_every_size(impl, seed):
    counts = np.random.default_rng(seed).integers(1, 3000, 7)
    sizes = (1e-6, 0.9, 1.0, 1.5, 40.0, 1e300, math.inf, 1, 2)
    return {f"threshold {t}": impl.keep_probability(counts, t) for t in sizes}


def very_small_thresholds(impl, seed):
    """Last divided by the root of the threshold: these are below what a tolerance would notice."""
    far_apart = np.array([10**12, 10**9, 4, 1])
    rare = {f"threshold {t}": impl.keep_probability(far_apart, t) for t in (1e-8, 1e-10, 1e-12)}
    counts = np.random.default_rng(seed).integers(1, 3000, 7)
    sizes = (1e-7, 1e-11, 1e-12)
    return rare | {f"threshold {t}, over its root": impl.keep_probability(counts, t) / math.sqrt(t) for t in sizes}


def a_vocabulary_of_one_word(impl, seed):
    return impl.keep_probability(np.array([7]), 0.25)


def counts_above_two_to_the_31st(impl, seed):
    return {
        "trillions": impl.keep_probability(np.array([3 * 10**12, 7 * 10**10, 5 * 10**9, 5 * 10**9, 7]), 0.001),
        "a sum just below 2^53": impl.keep_probability(np.array([2**51, 2**52, 2**50, 3]), 0.001),
    }


def the_same_counts_in_another_order(impl, seed):
    return {str(c): impl.keep_probability(np.array(c), 0.04) for c in ([64, 32, 4], [4, 32, 64], [32, 64, 4])}


def words_of_the_same_count(impl, seed):
    return impl.keep_probability(np.array([5, 90, 5, 1, 90, 90, 1]), 0.01)


def counts_that_are_a_slice(impl, seed):
    return impl.keep_probability(np.random.default_rng(seed).integers(1, 3000, 12)[::-2], 0.06)


def the_threshold_given_by_its_name(impl, seed):
    return impl.keep_probability(np.random.default_rng(seed).integers(1, 3000, 6), threshold=0.02)


def counts_and_thresholds_that_are_refused(impl, seed):
    calls = {f"threshold {t}": ([3, 1], t) for t in (0.0, -1.0, 1e-9)}
    refused_counts = [3, 0], [-2, 5], [3, 0, 2], [5, -(2**63), 2], [3, 1]
    calls |= {f"counts {counts}": (counts, 1e-3) for counts in refused_counts}
    calls |= {"a count of zero, threshold 2": ([3, 0, 2], 2.0), "one word with the count zero": ([0], 0.25)}
    return refused({name: lambda c=c, t=t: impl.keep_probability(np.array(c), t) for name, (c, t) in calls.items()})


# ---------------------------------------------------------------- NegativeSampler

UNIGRAM, FLAT = "that draws from the unigram distribution WITHOUT the 3/4 power", "that draws every word EQUALLY often"
WITH_TARGET, NEXT = "whose negatives may be the TARGET itself", "that puts the NEXT word in the target's place"
LONG = "on a line that is NOT SHORTENED by the target's share"
TOO_LOW = "whose words after the target are ONE TOO LOW, counted without the target"
SHIFTED_WORD = "that counts the WORDS after the target one up, where the point shall move"
AT_GAP = "that returns the TARGET for a point exactly where its interval began"
OVER_END = "that returns the TARGET when rounding carries the point over the end of the line"
PAST_END = "that returns V, which is no word, when rounding carries the point over the end of the line"
FIRST_TARGET = "that takes the target of the FIRST row out in every row"
SIDE = "that gives a point on a border to the word BEFORE it"
BEFORE_IT, UNDIVIDED = "that returns the word BEFORE the one drawn", "whose probabilities do NOT add up to one"
SAMPLER = {
    "power": ["3/4", UNIGRAM, FLAT],
    "target": [
        "taken out",
        WITH_TARGET,
        NEXT,
        LONG,
        TOO_LOW,
        SHIFTED_WORD,
        AT_GAP,
        SIDE,
        OVER_END,
        PAST_END,
        FIRST_TARGET,
    ],
    "place": ["its own", BEFORE_IT],
    "sum": ["one", UNDIVIDED],
}
SAMPLER_HINTS = {
    SHIFTED_WORD: "The words after the gap are shorter or longer than the target. By how much does a point move up?",
    AT_GAP: "The target's interval includes its lower end. To which side of the gap does that point belong?",
    OVER_END: "The largest uniform number below 1, and the last word as the target: in whose interval is the point?",
    PAST_END: "The largest uniform number below 1: in which word's interval is the point?",
    FIRST_TARGET: "Every row has a target of its own. Which axis of the uniform numbers are the rows?",
    SIDE: "An interval includes its lower end. Which `side` of np.searchsorted does that mean?",
    UNIGRAM: "How often is 'the' drawn, and how often did the authors find that it should be?",
    FLAT: "A word that occurs a thousand times as often: is it no more likely to be a negative?",
    WITH_TARGET: "What does the loss ask for when a word is both the context and a negative of one pair?",
    NEXT: "How likely is the word after the target, compared with what it should be?",
    LONG: "How long is the line once the target's interval is gone, and how far do your points reach?",
    TOO_LOW: "In a list from which the target was deleted, at which position does the word after it stand?",
    BEFORE_IT: "A uniform number below probability[0] belongs to which word?",
    UNDIVIDED: "Uniform numbers lie between 0 and 1. How far does your running sum go?",
}


def wrong_sampler(power, target, place, sum):
    exponent = {"3/4": None, UNIGRAM: 1.0, FLAT: 0.0}[power]

    class NegativeSampler:
        def __init__(self, counts, power=0.75):
            if len(counts) < 2 or counts.min() < 1:
                raise ValueError("counts")
            weight = counts.astype(float) ** (power if exponent is None else exponent)
            self.probability = weight / weight.sum() if sum == "one" else weight

        def sample(self, targets, uniforms):
            last = len(self.probability) - 1
            if ((targets < 0) | (targets > last)).any() or not ((uniforms >= 0) & (uniforms < 1)).all():
                raise ValueError("targets or uniforms")
            words = np.empty(uniforms.shape, dtype=np.int64)
            if target == FIRST_TARGET:
                return self.words(targets[0], uniforms)
            for t in np.unique(targets):
                words[targets == t] = self.words(t, uniforms[targets == t])
            return words - (place == BEFORE_IT)

        def words(self, t, u):
            p, last = self.probability, len(self.probability) - 1
            others = np.delete(np.arange(last + 1), t)
            if target in (WITH_TARGET, NEXT):
                word = np.minimum(np.searchsorted(np.cumsum(p), u, side="right"), last)
                return np.where(word == t, (word + 1) % (last + 1), word) if target == NEXT else word
            if target in (SHIFTED_WORD, AT_GAP, SIDE, OVER_END, PAST_END):
                return self.along_the_whole_line(t, u)
            length = p.sum() - p[t] if target != LONG else p.sum()
            point = u * (length if sum == "one" else 1.0)
            i = np.minimum(np.searchsorted(np.cumsum(p[others]), point, side="right"), last - 1)
            return i if target == TOO_LOW else others[i]

        def along_the_whole_line(self, t, u):
            p, last = self.probability, len(self.probability) - 1
            end = np.cumsum(p)
            point, start = u * (1 - p[t]), np.append(0.0, end)[t]
            if target == SHIFTED_WORD:
                word = np.minimum(np.searchsorted(end, point, side="right"), last)
                return np.where(word >= t, np.minimum(word + 1, last), word)
            moves = point > start if target == AT_GAP else point >= start
            side = "left" if target == SIDE else "right"
            word = np.searchsorted(end, np.where(moves, point + p[t], point), side=side)
            most = {OVER_END: last, PAST_END: last + 1}.get(target, last - 1 if t == last else last)
            return np.minimum(word, most)

    return NegativeSampler


def sampled(impl, seed, counts, *power):
    rng = np.random.default_rng(seed)
    all_counts = counts.copy()
    sampler = impl.NegativeSampler(counts, *power)
    targets, uniforms = rng.integers(0, len(counts), 60), rng.random((60, 7))
    before = targets.copy(), uniforms.copy(), all_counts
    words = sampler.sample(targets, uniforms)
    first = np.copy(words)
    arguments = targets, uniforms, counts
    unchanged = all(np.array_equal(now, then) for now, then in zip(arguments, before, strict=True))
    sampler.sample((targets + 1) % len(counts), 1 - 2**-20 - uniforms * 0.9)
    kept = bool(np.array_equal(words, first))
    again = sampler.sample(targets, uniforms)
    return {
        "its arguments are unchanged": unchanged,
        "the probability": sampler.probability,
        "the words stay what they are when others are sampled": kept,
        "the same numbers stand for the same words again": bool(np.array_equal(first, again)),
        "the words": words,
    }


def the_workbooks_vocabulary(impl, seed):
    sampler = impl.NegativeSampler(np.array([81, 16, 1]))
    return {
        "the probability": sampler.probability,
        "target 0, uniform 0.8": sampler.sample(np.array([0]), np.array([[0.8]])),
    }


def a_natural_vocabulary(impl, seed):
    return sampled(impl, seed, np.array([1000, 400, 170, 90, 41, 17, 9, 5, 3, 1]))


def another_power(impl, seed):
    return sampled(impl, seed + 1, np.array([70, 30, 11, 5]), 0.5)


def counts_in_no_order(impl, seed):
    return sampled(impl, seed + 2, np.array([9, 80, 1, 30, 30, 2]))


def powers_given_by_name(impl, seed):
    """0 draws all words alike; above 1, frequent words are drawn still more often; below 0, rare ones are."""
    targets, uniforms = np.array([1, 3, 0]), np.random.default_rng(seed).random((3, 9))
    found = {}
    for p in (2.0, -0.5, 0.0, 4.0, -4.0):
        sampler = impl.NegativeSampler(np.array([30, 7, 7, 2]), power=p)
        found[f"power {p}, the probability"] = sampler.probability
        found[f"power {p}, the words"] = sampler.sample(targets, uniforms)
    return found


def two_samplers_at_once(impl, seed):
    first = impl.NegativeSampler(np.array([50, 20, 10, 5]))
    second = impl.NegativeSampler(np.array([3, 3, 2, 40]), 1.0)
    targets, uniforms = np.array([0, 3, 2, 1]), np.random.default_rng(seed).random((4, 9))
    return {
        "the first one's words": first.sample(targets, uniforms),
        "the second one's words": second.sample(targets, uniforms),
        "the first one's probability": first.probability,
        "the second one's probability": second.probability,
    }


def samplers_of_the_same_counts_in_another_order(impl, seed):
    """As many words, the same sum and the same power; then another power."""
    targets, uniforms, found = np.array([1, 0, 2]), np.random.default_rng(seed).random((3, 9)), {}
    for counts, power in (([81, 16, 1], 0.75), ([1, 16, 81], 0.75), ([81, 16, 1], 0.5)):
        sampler = impl.NegativeSampler(np.array(counts), power)
        found[f"{counts} to the power {power}, the probability"] = sampler.probability
        found[f"{counts} to the power {power}, the words"] = sampler.sample(targets, uniforms)
    return found


def words_far_more_frequent_than_others(impl, seed):
    """Counts above 2^31. Without one of the frequent words, the rare ones have 3e-7 or 4e-9 of the line."""
    sampler = impl.NegativeSampler(np.array([10**12, 3 * 10**9, 5, 1]))
    points = 1 - np.array([[1.0, 1e-2, 2e-7, 1e-8], [1.0, 1e-2, 2e-9, 1e-10]])
    return {"the probability": sampler.probability, "the words": sampler.sample(np.array([0, 1]), points)}


def counts_with_a_sum_just_below_two_to_the_63rd(impl, seed):
    sampler = impl.NegativeSampler(np.array([2**51, 2**52, 2**50, 3]), 1.0)
    targets, uniforms = np.array([1, 0, 3]), np.random.default_rng(seed).random((3, 9))
    return {"the probability": sampler.probability, "the words": sampler.sample(targets, uniforms)}


def targets_and_uniforms_that_are_parts_of_tables(impl, seed):
    """The targets are the second column of pairs, the uniform numbers a transposed table."""
    rng = np.random.default_rng(seed + 3)
    pairs, uniforms = rng.integers(0, 6, (20, 2)), rng.random((5, 20)).T
    return impl.NegativeSampler(np.array([60, 31, 30, 9, 4, 1])).sample(pairs[:, 1], uniforms)


def a_sampler_that_has_refused_something(impl, seed):
    sampler, uniforms = impl.NegativeSampler(np.array([60, 31, 9, 4])), np.random.default_rng(seed).random((3, 9))
    calls = {
        "target": lambda: sampler.sample(np.array([1, 4, 0]), uniforms),
        "uniform": lambda: sampler.sample(np.array([1, 3, 0]), uniforms + 1),
    }
    return {"refused": refused(calls), "the words": sampler.sample(np.array([1, 3, 0]), uniforms)}


def the_first_and_the_last_word_as_targets(impl, seed):
    grid = np.tile(np.linspace(0, 0.999, 41), (3, 1))
    return impl.NegativeSampler(np.array([50, 20, 10, 10, 5])).sample(np.array([0, 4, 2]), grid)


def two_words(impl, seed):
    return impl.NegativeSampler(np.array([9, 1])).sample(np.array([0, 1, 1]), np.array([[0.0, 0.99]] * 3))


def a_point_on_an_edge(impl, seed):
    """All shares are eighths: the points 3/8 and 2/8 lie exactly where one word ends and the next begins."""
    where = {"before the gap": ([3, 3, 2], 2), "behind the gap": ([2, 3, 3], 0), "where the gap begins": ([2, 4, 2], 1)}
    points = np.array([[0.5, 0.0, 0.9]])
    return {
        name: impl.NegativeSampler(np.array(c), 1.0).sample(np.array([t]), points) for name, (c, t) in where.items()
    }


def points_beside_the_edges(impl, seed):
    """Without word 7 the line is 28/36 long. Words end at 1, 3, 6, 10, 15 and 21 of these 28 parts."""
    edges = np.array([1, 3, 6, 10, 15, 21]) / 28
    sampler = impl.NegativeSampler(np.arange(1, 9), 1.0)
    return {
        "just below": sampler.sample(np.array([7]), edges[None] - 1e-10),
        "just above": sampler.sample(np.array([7]), edges[None] + 1e-10),
    }


def no_targets_or_no_uniforms(impl, seed):
    sampler = impl.NegativeSampler(np.array([9, 1]))
    return {
        "no targets": sampler.sample(np.array([], dtype=np.int64), np.zeros((0, 3))),
        "no uniforms": sampler.sample(np.array([1, 0]), np.zeros((2, 0))),
    }


def uniforms_next_to_the_edges(impl, seed):
    """Each target's interval, hit from both sides as closely as floats can; the last number below one."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 1000, 97)
    targets = np.arange(97)
    probability = counts**0.75 / (counts**0.75).sum()
    start = np.cumsum(probability) - probability
    edge = np.clip(start / (1 - probability), 0, np.nextafter(1, 0))
    below = np.nextafter(edge, 0)
    above = np.minimum(np.nextafter(edge, 1), np.nextafter(1, 0))
    uniforms = np.stack([np.nextafter(below, 0), below, edge, above, np.full(97, np.nextafter(1, 0))], axis=1)
    words = impl.NegativeSampler(counts).sample(targets, uniforms)
    return {
        "inside the vocabulary": bool(((words >= 0) & (words < 97)).all()),
        "never the target": bool((words != targets[:, None]).all()),
    }


def the_largest_uniform_number_and_the_last_word(impl, seed):
    """Without the last word the line ends where its interval began; rounding carries the point over that end."""
    largest, words, never = np.array([[np.nextafter(1, 0)]]), {}, True
    for counts in ([14, 46, 43], [14, 10, 49, 40], [32, 29, 31, 21, 54], [9, 1]):
        last = len(counts) - 1
        word = impl.NegativeSampler(np.array(counts)).sample(np.array([last]), largest)
        words[f"of {len(counts)} words"] = word
        never = never and not (word == last).any()
    return {"never the target": bool(never), **words}


def counts_targets_and_uniforms_that_are_refused(impl, seed):
    counts = {"one word": [7], "no word": [], "a count of zero": [3, 0], "two counts of one": [1, 1]}
    counts |= {"a negative count": [5, -2, 4], "a count of zero first": [0, 3, 2], "the lowest int64": [4, -(2**63), 9]}
    calls = {name: lambda c=c: impl.NegativeSampler(np.array(c, dtype=np.int64)) for name, c in counts.items()}
    samples = {"target -1": (-1, 0.5), "target V": (3, 0.5), "the last target": (2, 0.5), "uniform 1": (0, 1.0)}
    samples |= {"target 2^63 - 1": (2**63 - 1, 0.5), "target -2^63": (-(2**63), 0.5)}
    samples |= {
        "uniform below 0": (0, -0.1),
        "uniform just below 0": (0, -1e-12),
        "uniform just below 1": (0, 1 - 1e-12),
        "uniform 0": (0, 0.0),
        "uniform 2": (0, 2.0),
    }
    for name, (t, u) in samples.items():
        both = np.array([1, t]), np.array([[0.5, 0.5], [0.5, u]])
        calls[name] = lambda args=both: impl.NegativeSampler(np.array([5, 3, 2])).sample(*args)
        first = both[0][::-1], both[1][::-1, ::-1]
        calls[f"{name}, in the first row"] = lambda args=first: impl.NegativeSampler(np.array([5, 3, 2])).sample(*args)
    for name, t in {"target -1": -1, "target V": 3, "the last target": 2}.items():
        both = np.array([1, t]), np.zeros((2, 0))
        calls[f"{name}, no uniforms"] = lambda args=both: impl.NegativeSampler(np.array([5, 3, 2])).sample(*args)
    return refused(calls)


# ---------------------------------------------------------------- loss_and_gradients

LABELS, ALL_ONES = "with positive and negative labels SWAPPED", "that treats the negatives as POSITIVE too"
TWICE = "with the sigmoid taken TWICE"
ONLY_CONTEXT = "whose center gradient leaves out the NEGATIVES"
ONLY_NEGATIVES = "whose center gradient leaves out the CONTEXT"
AVERAGED = "with the negatives AVERAGED, not summed"
EXCHANGED = "with the gradients of center and context EXCHANGED"
UPHILL = "with gradients that point the wrong way (y - sigmoid)"
NO_LABEL = "whose gradients forget to SUBTRACT the label 1 of the context"
OVERFLOWS = "as log(1 / (1 + exp(-x))), which OVERFLOWS for large scores"
LOG_ZERO = "with log(1 - sigmoid(x)), which is the logarithm of ZERO from a score of 37 on"
LOG_TINY = "with 1e-10 added inside the logarithm, so that a term of it NEVER passes 23"
CLIPPED = "of scores that are CLIPPED to the range from -30 to 30"
BY_BATCH = "whose gradients are divided by the number of PAIRS"
INFONCE = "as a SOFTMAX over the context and the negatives (InfoNCE)"
LOSS = {
    "labels": ["right", LABELS, ALL_ONES],
    "sigmoid_": ["once", TWICE],
    "center_part": ["all", ONLY_CONTEXT, ONLY_NEGATIVES],
    "sum": ["sum", AVERAGED],
    "places": ["right", EXCHANGED],
    "sign": ["down", UPHILL, BY_BATCH],
    "minus_one": ["there", NO_LABEL],
    "log": ["stable", OVERFLOWS, LOG_ZERO, LOG_TINY, CLIPPED],
    "kind": ["logistic", INFONCE],
}
LOSS_HINTS = {
    LABELS: "Which score shall grow: that of the context, or that of the negatives?",
    ALL_ONES: "If every score is to grow, which vectors give the least loss? (All of them the same.)",
    TWICE: "A function that takes logits applies the sigmoid itself. What is sigmoid(sigmoid(0))?",
    ONLY_CONTEXT: "Which terms of the loss contain the center's vector?",
    ONLY_NEGATIVES: "Which terms of the loss contain the center's vector?",
    AVERAGED: "The loss is a sum over K negatives. What happens to their weight when K grows?",
    EXCHANGED: "The score is a product: its derivative by one factor is the other factor.",
    UPHILL: "Add a small multiple of your gradient to the vectors: does the loss rise or fall?",
    NO_LABEL: "The derivative by a score is sigmoid(score) minus the label. Which label has the context?",
    OVERFLOWS: "What is exp(-x) for x = -1000, and what is log(1 + exp(y)) close to for large y?",
    LOG_ZERO: "sigmoid(40) is 1 in float64. Which other form has 1 - sigmoid(x)?",
    LOG_TINY: "The score of the context is -50: what is the loss, and what is yours?",
    CLIPPED: "The score of the context is -50: what is the loss, and what is yours?",
    BY_BATCH: "How does the gradient of one pair change when another pair stands beside it?",
    INFONCE: "Here each word is judged alone, by a sigmoid. In a softmax the negatives compete with the context.",
}


def sigmoid(x):
    return np.exp(-np.logaddexp(0, -x))


def log_term(s, log):
    """-log sigmoid(s), in the way of a mistake."""
    with np.errstate(over="ignore", divide="ignore"):
        if log == OVERFLOWS:
            return -np.log(1 / (1 + np.exp(-s)))
        if log == LOG_ZERO:
            return -np.log(1 - sigmoid(-s))
        if log == LOG_TINY:
            return -np.log(sigmoid(s) + 1e-10)
        return np.logaddexp(0, -s)


def infonce(center, context, negatives):
    candidates = np.concatenate([context[:, None], negatives], axis=1)
    scores = np.einsum("bd,bkd->bk", center, candidates)
    log_p = scores - np.logaddexp.reduce(scores, axis=1, keepdims=True)
    d = np.exp(log_p)
    d[:, 0] -= 1
    return -log_p[:, 0], np.einsum("bk,bkd->bd", d, candidates), d[:, :1] * center, d[:, 1:, None] * center[:, None]


def wrong_loss(labels, sigmoid_, center_part, sum, places, sign, minus_one, log, kind):
    positive, negative = {"right": (1, 0), LABELS: (0, 1), ALL_ONES: (1, 1)}[labels]
    inner = {"once": lambda score: np.clip(score, -30, 30) if log == CLIPPED else score, TWICE: sigmoid}[sigmoid_]

    def term(score, label):
        s = inner(score)
        forgotten = minus_one == NO_LABEL and label == 1
        gradient = sigmoid(s) - (0 if forgotten else label)
        return log_term(s if label else -s, log), gradient * {"down": 1, UPHILL: -1, BY_BATCH: 1 / len(score)}[sign]

    def loss_and_gradients(center, context, negatives):
        if context.shape != center.shape or negatives.shape[::2] != center.shape:
            raise ValueError("shapes")
        if kind == INFONCE:
            return infonce(center, context, negatives)
        loss, g = term((center * context).sum(-1), positive)
        noise, h = term(np.einsum("bd,bkd->bk", center, negatives), negative)
        weight = 1 / max(1, negatives.shape[1]) if sum == AVERAGED else 1.0
        h = h * weight
        d_center = (center_part != ONLY_NEGATIVES) * g[:, None] * context
        d_center = d_center + (center_part != ONLY_CONTEXT) * np.einsum("bk,bkd->bd", h, negatives)
        d_context = g[:, None] * center
        if places == EXCHANGED:
            d_center, d_context = d_context, d_center
        return loss + weight * noise.sum(1), d_center, d_context, h[:, :, None] * center[:, None]

    return loss_and_gradients


def vectors(seed, B=5, K=3, D=7, scale=1.0, dtype=np.float64):
    rng = np.random.default_rng(seed)
    return [(scale * rng.standard_normal(shape)).astype(dtype) for shape in ((B, D), (B, D), (B, K, D))]


def named(result):
    """The four parts in words, where there are four."""
    if not isinstance(result, (tuple, list)) or len(result) != 4:
        return result
    names = ("the loss", "the center's gradient", "the context's gradient", "the negatives' gradient")
    return dict(zip(names, result, strict=True))


def the_workbooks_vectors(impl, seed):
    u = np.array([[0.0, 3.0]])
    return named(impl.loss_and_gradients(np.array([[1.0, 0.0]]), u, u[:, None]))


def ordinary_vectors(impl, seed):
    return named(impl.loss_and_gradients(*vectors(seed)))


def a_single_negative(impl, seed):
    return named(impl.loss_and_gradients(*vectors(seed + 1, K=1)))


def no_negatives(impl, seed):
    dtypes = {"float64": np.float64, "float32": np.float32}
    return {name: named(impl.loss_and_gradients(*vectors(seed + 4, K=0, dtype=d))) for name, d in dtypes.items()}


def long_axes(impl, seed):
    sizes = {"300 negatives": (2, 300, 3), "300 pairs": (300, 2, 3), "130 numbers": (2, 3, 130)}
    return {name: named(impl.loss_and_gradients(*vectors(seed + 8, *size))) for name, size in sizes.items()}


def equal_vectors(impl, seed):
    """The same negative twice, a negative that is the context, a context that is the center."""
    center, context, negatives = vectors(seed + 10)
    negatives[:, 1], negatives[2, 2], context[3] = negatives[:, 0], context[2], center[3]
    return named(impl.loss_and_gradients(center, context, negatives))


def vectors_of_one_number(impl, seed):
    return {
        "five pairs": named(impl.loss_and_gradients(*vectors(seed + 7, D=1))),
        "one pair, one negative": named(impl.loss_and_gradients(*vectors(seed + 7, B=1, K=1, D=1))),
    }


def vectors_in_slices_and_negatives_that_all_pairs_share(impl, seed):
    center, context, negatives = vectors(seed + 9)
    both = np.stack([center, context], axis=1)
    transposed = np.ascontiguousarray(negatives.T).T
    shared = np.broadcast_to(negatives[:1], negatives.shape)
    return {
        "slices": named(impl.loss_and_gradients(both[:, 0], both[:, 1], transposed)),
        "shared negatives": named(impl.loss_and_gradients(both[:, 0], both[:, 1], shared)),
    }


def float32_vectors_with_scores_of_a_thousand(impl, seed):
    center, context = np.array([[2, 0], [2, 1]]), np.array([[-500, 1], [500, 3]])
    negatives = np.array([[[500, 3], [-500, 2]], [[-500, 1], [500, 1]]])
    return named(impl.loss_and_gradients(*(x.astype(np.float32) for x in (center, context, negatives))))


def scores_of_1e300(impl, seed):
    center, context = np.array([[1e150, 0.0]]), np.array([[-1e150, 1.0]])
    return named(impl.loss_and_gradients(center, context, np.array([[[1e150, 3.0], [-1e150, 2.0]]])))


def very_large_scores(impl, seed):
    return named(impl.loss_and_gradients(*vectors(seed + 2, scale=40.0)))


def vectors_in_float32(impl, seed):
    return named(impl.loss_and_gradients(*vectors(seed + 6, dtype=np.float32)))


def scores_of_a_hundred(impl, seed):
    center, context = np.array([[2.0, 0.0]]), np.array([[-50.0, 1.0]])
    return named(impl.loss_and_gradients(center, context, np.array([[[50.0, 3.0], [-50.0, 2.0]]])))


def vectors_of_zeros(impl, seed):
    return named(impl.loss_and_gradients(*vectors(seed + 3, scale=0.0)))


def parts_of_other_shapes(impl, seed):
    center, context, negatives = vectors(seed + 5)
    calls = {
        "one context for all": (center, context[:1], negatives),
        "five contexts for one center": (center[:1], context, negatives[:1]),
        "negatives of five pairs for one": (center[:1], context[:1], negatives),
        "negatives of one pair for all": (center, context, negatives[:1]),
        "negatives of another dimension": (center, context, negatives[:, :, :1]),
        "contexts of another dimension": (center, context[:, :1], negatives),
        "a context without its axis of pairs": (center, context[0], negatives),
        "contexts with their axes exchanged": (center, context.T, negatives),
        "no negatives, of one pair for all": (center, context, negatives[:1, :0]),
        "no negatives, of another dimension": (center, context, negatives[:, :0, :1]),
        "negatives without their axis": (center, context, negatives[:, 0]),
        "shapes that fit": (center, context, negatives),
    }
    return refused({name: lambda args=args: impl.loss_and_gradients(*args) for name, args in calls.items()})


# ---------------------------------------------------------------- sgd_step

CENTERS, NOT_NEGATIVES = "that writes to the CENTERS only", "that never moves the vectors of the NEGATIVES"
MIXED = "with the matrices of centers and contexts MIXED UP"
LAST = "that keeps only the LAST gradient of a word that occurs twice"
BEFORE = "that moves the centers BEFORE the contexts' gradients are taken"
UP, MEAN = "that climbs UP the loss", "with gradients divided by the SIZE of the batch"
NO_RATE = "that FORGETS the learning rate"
SUMMED, COPIES = "that returns the SUM of the losses", "that changes COPIES and leaves the matrices as they were"
AFTER = "that returns the loss AFTER the step"
NOT_CENTERS = "that leaves the matrix of the CENTERS as it was"
LAST_NEGATIVE = "that keeps only the LAST gradient of a word that is a negative twice"
ONE_BY_ONE = "that takes one pair AFTER the other, each at the vectors that the pair before it left"
OWN_CONTEXT = "that leaves out a negative that is the CONTEXT of its own pair"
OWN_CONTEXT_LOSS = "that leaves out a negative that is the CONTEXT of its own pair, in the loss too"
ALL_CONTEXTS_FIRST = "that moves contexts and negatives BEFORE the centers' gradients are taken"
SINGLE = "that returns a FLOAT32 for float32 matrices"
CONTEXTS_FIRST = "that moves the contexts BEFORE the negatives' gradients are taken"
STEP = {
    "write": ["all", CENTERS, NOT_NEGATIVES, COPIES, NOT_CENTERS],
    "matrices": ["right", MIXED],
    "repeated": ["added", LAST, LAST_NEGATIVE],
    "order": ["together", BEFORE, ONE_BY_ONE, CONTEXTS_FIRST, ALL_CONTEXTS_FIRST],
    "sign": ["down", UP],
    "size": ["sum", MEAN, NO_RATE],
    "loss": ["mean", SUMMED, AFTER, SINGLE],
    "negatives_": ["all", OWN_CONTEXT, OWN_CONTEXT_LOSS],
}
STEP_HINTS = {
    NOT_CENTERS: "The caller keeps its matrices: does `a = a - b` change what the caller holds?",
    LAST_NEGATIVE: "Two pairs can have the same negative, and one pair can have it twice. How many gradients arrive?",
    ONE_BY_ONE: "At which vectors are the gradients of all pairs of a batch taken?",
    OWN_CONTEXT: "Does the summed loss have a term for this negative? The sampler would not draw it.",
    OWN_CONTEXT_LOSS: "Which negatives count here, and whose work is it to leave the context out?",
    ALL_CONTEXTS_FIRST: "The center's gradient holds the vectors of context and negatives: the old ones, or the new?",
    SINGLE: "Is a np.float32 a float of Python? What does float() make of it?",
    CONTEXTS_FIRST: "One pair's context can be another pair's negative. At which vectors are all gradients taken?",
    CENTERS: "The loss has two sets of parameters. What happens to the output vectors, which begin at zero?",
    NOT_NEGATIVES: "The negatives' output vectors are parameters too. What pushes them away?",
    COPIES: "The caller keeps its matrices: does `a = a - b` change what the caller holds?",
    MIXED: "Every word has two vectors. Which one does it use in the middle of a window, which one near the middle?",
    LAST: "NumPy's a[i] -= g with a repeated index: how many of the gradients arrive?",
    BEFORE: "At which vectors is the gradient of one function of all parameters taken?",
    UP: "Does the loss of the same pairs fall after the step?",
    MEAN: "Every pair takes its own full step in this algorithm. How does a pair's step change with the batch here?",
    NO_RATE: "How long is the step when lr is half as large?",
    SUMMED: "What shall the number be when the batch is twice as large?",
    AFTER: "At which vectors is the loss measured: those that came in, or those that go out?",
}


def wrong_step(write, matrices, repeated, order, sign, size, loss, negatives_):
    def sgd_step(centers, contexts, pairs, negatives, lr):
        if len(pairs) != len(negatives):
            raise ValueError("negatives")
        if order == ONE_BY_ONE:
            share = lr / len(pairs) if size == MEAN else lr
            each = [step(centers, contexts, pairs[[b]], negatives[[b]], share) for b in range(len(pairs))]
            return float(np.sum(each) if loss == SUMMED else np.mean(each))
        return step(centers, contexts, pairs, negatives, lr)

    def step(centers, contexts, pairs, negatives, lr):
        if write == COPIES:
            centers, contexts = centers.copy(), contexts.copy()
        if write == NOT_CENTERS:
            centers = centers.copy()
        i, o = pairs.T if matrices == "right" else pairs[:, ::-1].T
        factor = {"sum": lr, MEAN: lr / len(pairs), NO_RATE: 1.0}[size] * (1 if sign == "down" else -1)

        def add(matrix, index, gradient):
            if repeated == LAST or repeated == LAST_NEGATIVE and gradient.ndim == 3:
                matrix[index] -= factor * gradient
            else:
                np.add.at(matrix, index, -factor * gradient)

        v, u, u_negative = centers[i], contexts[o], contexts[negatives]
        value, d_center, d_context, d_negatives = loss_and_gradients(v, u, u_negative)
        if order == BEFORE:
            moved = centers.copy()
            add(moved, i, d_center)
            _, _, d_context, d_negatives = loss_and_gradients(moved[i], u, u_negative)
        if negatives_ == OWN_CONTEXT:
            d_negatives = d_negatives * (negatives != pairs[:, 1:])[:, :, None]
        if negatives_ == OWN_CONTEXT_LOSS:
            own, scores = negatives == pairs[:, 1:], np.einsum("bd,bkd->bk", v, u_negative)
            d_center = d_center - np.einsum("bk,bkd->bd", own * sigmoid(scores), u_negative)
            d_negatives = d_negatives * ~own[:, :, None]
            value = value - (own * np.logaddexp(0, scores)).sum(1)
        if order == ALL_CONTEXTS_FIRST:
            moved, scores = contexts.copy(), np.einsum("bd,bkd->bk", v, u_negative)
            add(moved, o, d_context)
            add(moved, negatives, d_negatives)
            d_center = -sigmoid(-(v * u).sum(1))[:, None] * moved[o]
            d_center = d_center + np.einsum("bk,bkd->bd", sigmoid(scores), moved[negatives])
        if order == CONTEXTS_FIRST:
            add(contexts, o, d_context)
            _, d_center, _, d_negatives = loss_and_gradients(v, u, contexts[negatives])
        add(centers, i, d_center)
        if write != CENTERS and order != CONTEXTS_FIRST:
            add(contexts, o, d_context)
        if write not in (CENTERS, NOT_NEGATIVES):
            add(contexts, negatives, d_negatives)
        if loss == AFTER:
            value = loss_and_gradients(centers[i], contexts[o], contexts[negatives])[0]
        if loss == SINGLE:
            return value.mean()
        return float(value.sum() if loss == SUMMED else value.mean())

    return sgd_step


def stepped(impl, pairs, negatives, seed, lr=0.3, dtype=np.float64, V=9, D=5, scale=1.0):
    w, c = (scale * np.random.default_rng(seed).standard_normal((2, V, D))).astype(dtype)
    pairs, negatives = np.array(pairs), np.array(negatives)
    before = pairs.copy(), negatives.copy()
    loss = impl.sgd_step(w, c, pairs, negatives, lr)
    unchanged = bool(np.array_equal(pairs, before[0]) and np.array_equal(negatives, before[1]))
    found = {"the loss": loss, "the centers": w, "the contexts": c, "pairs and negatives are unchanged": unchanged}
    return found | {"the loss is a float": isinstance(loss, float)}


def different_words(impl, seed):
    return stepped(impl, [[0, 1], [2, 3]], [[4, 5], [6, 7]], seed)


def the_same_step_of_other_matrices_with_the_same_numbers(impl, seed):
    """Of a shape that no other probe has: a step that keeps something between its calls has nothing yet."""
    first, second = (stepped(impl, [[0, 1], [2, 3]], [[4, 5], [6, 7]], seed, V=10, D=6) for _ in range(2))
    alike = [bool(np.allclose(first[name], second[name])) for name in ("the centers", "the contexts", "the loss")]
    return {"the second step is the first one again, with nothing kept between them": all(alike)}


def words_that_occur_twice(impl, seed):
    return stepped(impl, [[0, 1], [0, 2], [3, 1]], [[5, 5], [6, 5], [2, 7]], seed + 1)


def one_pair(impl, seed):
    return stepped(impl, [[4, 8]], [[3, 1, 2]], seed + 2)


def one_pair_with_one_negative(impl, seed):
    return stepped(impl, [[4, 8]], [[3]], seed + 14)


def a_negative_that_is_its_pairs_context(impl, seed):
    return stepped(impl, [[0, 1], [2, 3]], [[4, 1], [6, 7]], seed + 4)


def float32_vectors(impl, seed):
    return stepped(impl, [[0, 1], [0, 2], [3, 1]], [[5, 5], [6, 5], [2, 7]], seed + 3, dtype=np.float32)


def the_workbooks_two_pairs(impl, seed):
    """Two pairs with the same center. All scores are 0, so that the centers' gradients are (u_n - u_o) / 2."""
    contexts = np.array([[0.0, 0.0], [0.0, 0.0], [2.0, 0.0], [0.0, 4.0]])
    centers = np.zeros((4, 2))
    impl.sgd_step(centers, contexts, np.array([[0, 1], [0, 1]]), np.array([[2], [3]]), 0.1)
    return centers


def the_same_pair_twice(impl, seed):
    return stepped(impl, [[0, 1], [0, 1], [2, 1]], [[4, 5], [4, 5], [4, 5]], seed + 5)


def a_word_that_is_its_own_context(impl, seed):
    return stepped(impl, [[3, 3], [3, 2]], [[3, 5], [6, 3]], seed + 6)


def pairs_without_negatives(impl, seed):
    w, c = np.random.default_rng(seed + 7).standard_normal((2, 9, 5))
    loss = impl.sgd_step(w, c, np.array([[0, 1], [2, 3]]), np.zeros((2, 0), dtype=np.int64), 0.3)
    return {"the loss": loss, "the centers": w, "the contexts": c}


def vectors_with_scores_in_the_thousands(impl, seed):
    return stepped(impl, [[0, 1], [2, 3], [0, 3]], [[4, 5], [6, 7], [8, 5]], seed + 8, scale=40.0)


def three_hundred_words_of_one_number(impl, seed):
    rng = np.random.default_rng(seed + 9)
    return stepped(impl, rng.integers(0, 300, (20, 2)), rng.integers(0, 300, (20, 4)), seed + 9, V=300, D=1)


def three_hundred_pairs_of_long_vectors(impl, seed):
    """The rate is small: a word's gradients from three hundred pairs add up."""
    rng = np.random.default_rng(seed + 13)
    return stepped(impl, rng.integers(0, 40, (300, 2)), rng.integers(0, 40, (300, 2)), seed + 13, 0.01, V=40, D=130)


def rates_given_by_name(impl, seed):
    moved = {}
    for lr in (0.0, 1.0, 2.5):
        w, c = np.random.default_rng(seed + 10).standard_normal((2, 9, 5))
        loss = impl.sgd_step(w, c, np.array([[0, 1], [2, 3]]), np.array([[4, 5], [6, 7]]), lr=lr)
        moved[f"lr {lr}"] = {"the loss": loss, "the centers": w, "the contexts": c}
    return moved


def three_steps_of_the_same_matrices(impl, seed):
    w, c = np.random.default_rng(seed + 11).standard_normal((2, 9, 5))
    pairs, negatives = np.array([[0, 1], [2, 3], [4, 5]]), np.array([[4, 5], [6, 7], [8, 1]])
    losses = [impl.sgd_step(w, c, pairs[:b], negatives[:b], lr) for b, lr in ((3, 0.3), (3, 0.1), (2, 0.3))]
    return {"the losses": losses, "the centers": w, "the contexts": c}


def matrices_and_ids_that_are_parts_of_larger_ones(impl, seed):
    """The centers are every second column of a matrix, the contexts a transposed one, the ids columns of one table."""
    rng = np.random.default_rng(seed + 12)
    w, c, ids = rng.standard_normal((9, 11)), rng.standard_normal((10, 9)), rng.integers(0, 9, (6, 5))
    loss = impl.sgd_step(w[:, 1::2], c[::2].T, ids[:, 1:3], ids[:, 3:], 0.3)
    return {"the loss": loss, "the matrix that holds the centers": w, "the matrix that holds the contexts": c}


def numbers_of_rows_that_are_refused(impl, seed):
    found = {}
    for n, rows, K in ((2, 1, 2), (2, 3, 2), (2, 0, 2), (1, 2, 2), (1, 0, 2), (2, 1, 0), (2, 3, 0)):
        w, c = np.random.default_rng(seed).standard_normal((2, 9, 5))
        before, pairs = (w.copy(), c.copy()), np.array([[0, 1], [2, 3]])[:n]
        negatives = np.array([[4, 5]] * 3)[:rows, :K]
        kind = error_of(lambda w=w, c=c, p=pairs, n=negatives: impl.sgd_step(w, c, p, n, 0.1))
        unchanged = bool(np.array_equal(w, before[0]) and np.array_equal(c, before[1]))
        found[f"{'negatives' if K else 'no negatives'} for {rows}, where pairs are {n}"] = {
            "the error": kind,
            "the matrices are unchanged": unchanged,
        }
    return found


# ---------------------------------------------------------------- analogy

RAW, HALF = "WITHOUT bringing the vectors to length one", "that normalizes the candidates but not the THREE WORDS"
QUERY_LEFT, ONLY_C = (
    "with the three words of the question left among the CANDIDATES",
    "that leaves out c but not a and b",
)
CANDIDATES = "that normalizes the three words but not the CANDIDATES"
DISTANCE = "by the DISTANCE to candidates that keep their own length"
ZERO, MINUS_ONE = "that gives the three words the score ZERO", "that gives the three words the score -1"
DELETED = "with ids counted AFTER the three words were deleted"
EXCHANGED_AB, NO_C = "with a and b EXCHANGED", "that forgets to add c"
SAME_DIRECTION = "that leaves out every word with the DIRECTION of a word of the question"
BY_ID = "with the best words in the order of their IDS"
MULTIPLIED = "by 3CosMul, a PRODUCT of cosines, not their sum"
WORST = "that returns the WORST words first"
ANALOGY = {
    "length": ["one", RAW, HALF, CANDIDATES, DISTANCE],
    "asked": ["left out", QUERY_LEFT, ONLY_C, DELETED, ZERO, MINUS_ONE, SAME_DIRECTION],
    "sum": ["b-a+c", EXCHANGED_AB, NO_C, MULTIPLIED],
    "order": ["best first", WORST, BY_ID],
}
ANALOGY_HINTS = {
    CANDIDATES: "A dot product with a longer candidate is larger. Shall a long vector win?",
    DISTANCE: "The formula has a cosine. Does the length of a candidate change its cosine?",
    ZERO: "A cosine can be below zero. Which score is below every other?",
    MINUS_ONE: "b - a + c is not of length one: how low can the dot product of a candidate with it be?",
    RAW: "Frequent words have longer vectors. What does a dot product reward besides the direction?",
    HALF: "A long vector among the three outweighs the others in the sum. Shall it?",
    QUERY_LEFT: "Which word is nearest to b - a + c when b and a are near each other?",
    ONLY_C: "Can b be the answer to the question that it is part of?",
    DELETED: "Which word has id 5 in a list from which three earlier ones were deleted?",
    EXCHANGED_AB: "man is to king as woman is to ...: from which word does the step start, and where does it end?",
    NO_C: "b - a is a step. From where is it taken?",
    SAME_DIRECTION: "The formula leaves out three words. Does it leave out vectors?",
    BY_ID: "The first of the answers is the best one. Which one is yours?",
    MULTIPLIED: "The task asks for the cosine with b - a + c: one cosine with a sum of vectors.",
    WORST: "argsort sorts upwards. Where does the greatest score end up?",
}


def wrong_analogy(length, asked, sum, order):
    def analogy(vectors, a, b, c, topn=1):
        most = np.abs(vectors).max(axis=1, keepdims=True)
        inside = all(0 <= word < len(vectors) for word in (a, b, c))
        if not inside or not 1 <= topn <= len(vectors) - len({a, b, c}) or not ((most > 0) & (most < np.inf)).all():
            raise ValueError("a, b, c, topn or vectors")
        unit = vectors / most
        unit = unit / np.linalg.norm(unit, axis=1, keepdims=True)
        with np.errstate(over="ignore", invalid="ignore"):
            return ranked(vectors, unit, a, b, c, topn)

    def ranked(vectors, unit, a, b, c, topn):
        x = vectors if length in (RAW, HALF) else unit
        if sum == MULTIPLIED:
            to_a, to_b, to_c = ((x[word] @ unit.T + 1) / 2 for word in (a, b, c))
            score = to_b * to_c / (to_a + 1e-3)
        else:
            y = {"b-a+c": x[b] - x[a] + x[c], EXCHANGED_AB: x[a] - x[b] + x[c], NO_C: x[b] - x[a]}[sum]
            score = (vectors if length in (RAW, CANDIDATES) else unit) @ y
            score = -np.linalg.norm(vectors - y, axis=1) if length == DISTANCE else score
        if asked == DELETED:
            score = np.delete(score, [a, b, c])
        else:
            lowest = {ZERO: 0.0, MINUS_ONE: -1.0}.get(asked, -np.inf)
            if asked == SAME_DIRECTION:
                score[np.isclose(unit @ unit[[a, b, c]].T, 1).any(axis=1)] = lowest
            score[{QUERY_LEFT: [], ONLY_C: [c]}.get(asked, [a, b, c])] = lowest
        best = np.argsort(score if order == WORST else -score)[:topn]
        return np.sort(best) if order == BY_ID else best

    return analogy


def words_of_all_lengths(seed, V=40, D=6):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((V, D)) * rng.uniform(0.2, 5, (V, 1))


def the_workbooks_four_words(impl, seed):
    return impl.analogy(np.array([[1.0, 0], [1, 3], [-1, 0], [-1, 3]]), 0, 1, 2)


def a_whole_ranking(impl, seed):
    return impl.analogy(words_of_all_lengths(seed), 3, 11, 7, 37)


def a_whole_ranking_of_two_thousand(impl, seed):
    return impl.analogy(words_of_all_lengths(seed + 4, V=2000), 3, 11, 7, 1997)


def vectors_from_very_short_to_very_long(impl, seed):
    """One candidate points away from b - a + c, which is longer than one: its score is below -1."""
    v = words_of_all_lengths(seed + 5)
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    v[3] = -v[7]
    v[20] = -(v[11] - v[3] + v[7])
    lengths = 10 ** np.random.default_rng(seed).permutation(np.linspace(-11.9, 11.9, 40))
    return impl.analogy(v * lengths[:, None], 3, 11, 7, 37)


def float32_vectors_from_very_short_to_very_long(impl, seed):
    v = np.array([[1.0, 0], [1, 3], [-1, 0], [-1, 3], [2, 1], [-3, 1], [-2, 1], [0, 1]])
    v = v * np.array([[1.0], [1e-11], [1e11], [1e11], [1e5], [1e-11], [1e11], [1e-11]])
    return impl.analogy(v.astype(np.float32), 0, 1, 2, 5)


def vectors_whose_numbers_add_up_to_zero(impl, seed):
    v = words_of_all_lengths(seed + 10, V=12)
    v[[4, 9]] = [[1, -1, 2, -2, 0.5, -0.5], [0, 3, 0, -3, 0, 0]]
    return impl.analogy(v, 1, 4, 7, 9)


def vectors_that_are_a_slice(impl, seed):
    return impl.analogy(words_of_all_lengths(seed + 6, D=130).T.copy().T[::2], 3, 11, 7, 17)


def topn_given_by_its_name(impl, seed):
    return impl.analogy(words_of_all_lengths(seed + 7), 3, 11, 7, topn=4)


def questions_of_equal_words(impl, seed):
    v = words_of_all_lengths(seed + 8, V=12)
    questions = {"a = b": (4, 4, 7, 10), "b = c": (4, 7, 7, 10), "a = b = c": (5, 5, 5, 11)}
    return {name: impl.analogy(v, *q) for name, q in questions.items()}


def a_point_that_is_zero(impl, seed):
    """At length one, b + c is a: b - a + c is zero, all words are equally good, and any order of them is right."""
    v = np.array([[2.0, 0, 0, 0], [1, 1, 1, 1], [1, -1, -1, -1], [0, 1, 0, 0], [0, 0, 3, 1], [-1, 0, 0, 2]])
    return np.sort(impl.analogy(v, 0, 1, 2, 3))


def as_few_words_as_there_can_be(impl, seed):
    v = np.array([[1.0, 0], [1, 3], [-1, 0]])
    return {
        "two words": impl.analogy(v[:2], 0, 0, 0),
        "three words": impl.analogy(v, 0, 1, 1),
        "three words of one number": impl.analogy(np.array([[2.0], [-1.0], [-3.0]]), 0, 1, 1),
        "four words of one number": impl.analogy(np.array([[2.0], [-1.0], [-3.0], [5.0]]), 0, 1, 1, 2),
    }


def words_with_the_directions_of_the_questions_words(impl, seed):
    """Words 20, 21 and 22 point the way of a, b and c, and 21 is as long as b. They may be the answer."""
    v = words_of_all_lengths(seed + 9)
    v[[20, 21, 22]] = v[[3, 11, 7]] * np.array([[2.0], [1.0], [4.0]])
    return impl.analogy(v, 3, 11, 7, 34)


def the_best_word(impl, seed):
    return impl.analogy(words_of_all_lengths(seed + 1), 0, 1, 2)


def a_question_with_a_word_twice(impl, seed):
    return impl.analogy(words_of_all_lengths(seed + 2), 5, 9, 5, 38)


def the_first_and_the_last_word_in_the_question(impl, seed):
    return impl.analogy(words_of_all_lengths(seed + 3), 39, 0, 20, 5)


def questions_that_are_refused(impl, seed):
    v = words_of_all_lengths(seed, V=9)
    questions = {"a = -1": (-1, 1, 2), "b = V": (0, 9, 2), "c = V": (0, 1, 9), "topn = 0": (0, 1, 2, 0)}
    questions |= {"a = V": (9, 1, 2), "b = -1": (0, -1, 2), "c = -1": (0, 1, -1), "topn = -1": (0, 1, 2, -1)}
    questions |= {
        "topn = V - 2": (0, 1, 2, 7),
        "topn = V - 3": (0, 1, 2, 6),
        "a word twice, topn = V - 1": (0, 1, 1, 8),
        "b = c, topn = V - 2": (0, 1, 1, 7),
    }
    questions |= {"a = 10^20": (10**20, 1, 2), "c = -10^20": (0, 1, -(10**20)), "topn = 10^20": (0, 1, 2, 10**20)}
    calls = {name: lambda q=q: impl.analogy(v, *q) for name, q in questions.items()}
    for name, value in {
        "zero": 0.0,
        "NaN": np.nan,
        "infinity": np.inf,
        "minus infinity": -np.inf,
    }.items():
        damaged = v.copy()
        damaged[5] = value
        calls[name] = lambda d=damaged: impl.analogy(d, 0, 1, 2)
        for word, row in {"a": 0, "c": 2, "the last word": 8}.items():
            damaged = v.copy()
            damaged[row] = value
            calls[f"{name}, of {word}"] = lambda d=damaged: impl.analogy(d, 0, 1, 2)
        damaged = v.copy()
        damaged[5, 2] = value
        calls[f"{name}, in one place"] = lambda d=damaged: impl.analogy(d, 0, 1, 2)
    return refused(calls)


# ---------------------------------------------------------------- pca

UNCENTERED, ROWS_CENTERED = "WITHOUT centering", "that centers each POINT, not each dimension"
SHIFTED = "with coordinates of points that were NOT centered"
ASCENDING = "with components in ASCENDING order"
BY_N, SINGULAR = "with the variance divided by N", "with SINGULAR VALUES where variances are meant"
UNDIVIDED_PCA = "with the squared singular values NOT divided by N - 1"
CONFUSED = "of the TRANSPOSED points, rows for columns"
COLUMNS = "as COLUMNS of the second result, where rows are asked for"
OTHER_AXIS = "read off the matrix of components along the WRONG AXIS, rows for columns"
FULL_AXIS = "read off the FULL matrix of components along the wrong axis, columns of V^T for rows"
STANDARD = "of STANDARDIZED dimensions"
FLIPPED = "whose coordinates do not have the SIGNS of their components"
EIGH_ROWS = "read off the matrix of np.linalg.eigh in ROWS, where its columns are the components"
UNSORTED = "in the order in which np.linalg.eig returns them, NOT sorted"
PCA = {
    "center": ["columns", UNCENTERED, ROWS_CENTERED, SHIFTED],
    "order": ["falling", ASCENDING, UNSORTED],
    "variance": ["N - 1", BY_N, SINGULAR, UNDIVIDED_PCA],
    "axes": ["right", CONFUSED, OTHER_AXIS, FULL_AXIS, COLUMNS, EIGH_ROWS],
    "scale": ["as it is", STANDARD],
    "sign": ["alike", FLIPPED],
}
PCA_HINTS = {
    UNCENTERED: "Move all points by the same vector: shall the components change?",
    ROWS_CENTERED: "The mean of the points is a point. How many numbers has it?",
    SHIFTED: "Where do the coordinates of the points have their mean?",
    ASCENDING: "eigh returns the smallest eigenvalue first. Which component is the principal one?",
    BY_N: "The unbiased estimate of a variance from N points divides by what?",
    SINGULAR: "Along a component, the sum of squared coordinates is which power of the singular value?",
    UNDIVIDED_PCA: "A variance is a mean of squares. Does yours grow with the number of points?",
    CONFUSED: "How long is a component: as many numbers as there are points, or as there are dimensions?",
    COLUMNS: "Which shape has the second result: (k, D) or (D, k)?",
    OTHER_AXIS: "Multiply the covariance by your component: do you get a multiple of it?",
    EIGH_ROWS: "Multiply the covariance by your component: do you get a multiple of it?",
    FULL_AXIS: "Multiply the covariance by your component: do you get a multiple of it?",
    FLIPPED: "Multiply the centered points by your components: do you get your coordinates, sign by sign?",
    UNSORTED: "np.linalg.eig promises no order of its eigenvalues. Which component is the principal one?",
    STANDARD: "Dividing each dimension by its deviation is a choice of its own: the task keeps the units.",
}


def wrong_pca(center, order, variance, axes, scale, sign):
    def pca(x, k):
        if len(x) < 2 or not 1 <= k <= min(x.shape):
            raise ValueError("x or k")
        z = x if center == UNCENTERED else x - (x.mean(1, keepdims=True) if center == ROWS_CENTERED else x.mean(0))
        z = z / x.std(axis=0) if scale == STANDARD else z
        z = z.T if axes == CONFUSED else z
        _, s, components = np.linalg.svd(z, full_matrices=axes == FULL_AXIS)
        if order == UNSORTED:
            value, columns = np.linalg.eig(z.T @ z / (len(x) - 1))
            s, components = np.sqrt(np.maximum(value.real, 0) * (len(x) - 1)), columns.real.T
        if axes == EIGH_ROWS:
            components = np.linalg.eigh(z.T @ z / (len(x) - 1))[1][::-1]
        if order == ASCENDING:
            s, components = s[::-1], components[::-1]
        components = (components.T if axes in (OTHER_AXIS, FULL_AXIS) else components)[:k]
        n = len(x)
        value = {"N - 1": s**2 / (n - 1), BY_N: s**2 / n, SINGULAR: s, UNDIVIDED_PCA: s**2}[variance][:k]
        coordinates = (x if center == SHIFTED else z) @ components.T
        if sign == FLIPPED:  # the largest entry of each component is made positive, that of the coordinates is not
            components = components * np.sign(components[np.arange(k), np.abs(components).argmax(1)])[:, None]
        return coordinates, components.T if axes == COLUMNS else components, value

    return pca


def signed(result, turned=True):
    """The three parts in words, each component with its (first) largest entry positive: its sign is free.

    `turned`: components of the same variance may be turned in their plane. Of those only what does not depend on it is
    compared.
    """
    if not isinstance(result, (tuple, list)) or len(result) != 3:
        return result
    coordinates, components, variance = result
    if all(isinstance(part, np.ndarray) and part.ndim == 2 for part in (coordinates, components)):
        if len(components) == coordinates.shape[1]:
            large = (np.abs(row) > 0.99 * np.abs(row).max(initial=0) for row in components)
            sign = np.array([1.0 if row[at][0] > 0 else -1.0 for row, at in zip(components, large, strict=True)])
            coordinates, components = coordinates * sign, components * sign[:, None]
            if turned and np.size(variance) > 1 and np.allclose(variance, np.max(variance), rtol=1e-9):
                coordinates, components = coordinates @ components, components.T @ components
    return {"the coordinates": coordinates, "the components": components, "the variance": variance}


def are_eigenvectors(x, components):
    if np.ndim(components) != 2 or np.shape(components)[1] != x.shape[1]:
        return False
    covariance = np.cov(x, rowvar=False)
    images = components @ covariance
    multiples = np.sum(images * components, axis=1, keepdims=True) * components
    return bool(np.allclose(images, multiples, rtol=0, atol=1e-6 * np.abs(covariance).max()))


def cloud(seed, N, D):
    """Points with well separated variances, along directions that are not the axes, far from the origin."""
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(rng.standard_normal((D, D)))[0]
    return rng.standard_normal((N, D)) * 2.0 ** -np.arange(D) @ rotation * 3 + rng.uniform(1, 4, D)


def the_workbooks_five_points(impl, seed):
    return signed(impl.pca(np.array([[1.0, 1], [3, 1], [5, 1], [3, 2], [3, 0]]), 2))


def dimensions_of_rising_variance(impl, seed):
    """Points along the axes: the covariance is diagonal, its eigenvalues stand in rising order."""
    return signed(impl.pca(np.concatenate([np.diag([1.0, 2.0, 5.0]), -np.diag([1.0, 2.0, 5.0])]), 3))


def three_of_five_components(impl, seed):
    x = cloud(seed, 30, 5)
    result = impl.pca(x, 3)
    found = signed(result)
    if not isinstance(found, dict):
        return found
    return {"the covariance times a component is a multiple of it": are_eigenvectors(x, result[1])} | found


def all_of_four_components(impl, seed):
    return signed(impl.pca(cloud(seed + 2, 29, 4), 4))


def fewer_points_than_dimensions(impl, seed):
    return signed(impl.pca(cloud(seed + 1, 4, 7), 2))


def as_many_components_as_points(impl, seed):
    """Three centered points lie in a plane: the third variance is 0. Its component is free, but of length one."""
    _, components, variance = impl.pca(np.array([[1.0, 0, 0, 2], [0, 3, 0, 1], [4, 0, 1, 0]]), 3)
    lengths = np.linalg.norm(components, axis=1)
    return {"the lengths of the components": lengths, "the variance": variance}


def orthonormal(result):
    """What does not depend on which components are taken where the variance is 0."""
    if not isinstance(result, (tuple, list)) or len(result) != 3:
        return result
    coordinates, components, variance = result
    return {
        "the products of the components": components @ components.T,
        "the points, counted from their mean": coordinates @ components,
        "the variance": variance,
    }


def points_on_a_line(impl, seed):
    """The second and the third variance are 0: any two directions at right angles to the line, and to each other."""
    line = np.array([[0.0], [1.0], [2.0], [5.0]]) * np.array([1.0, 2.0, -2.0]) + 3
    return orthonormal(impl.pca(line, 3))


def points_that_are_all_the_same(impl, seed):
    return orthonormal(impl.pca(np.array([[1.0, 2, 3]] * 4), 3))


def points_of_one_number(impl, seed):
    return signed(impl.pca(np.array([[1.0], [4.0], [2.0], [9.0]]), 1))


def as_many_points_as_dimensions(impl, seed):
    return signed(impl.pca(cloud(seed + 5, 5, 5), 5))


def more_than_a_hundred_points_and_dimensions(impl, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((150, 120)) * 0.01
    x[:, [7, 90, 119]] += rng.standard_normal((150, 3)) * np.array([9.0, 4.0, 2.0])
    return signed(impl.pca(x, 3))


def points_that_are_a_slice(impl, seed):
    return signed(impl.pca(cloud(seed + 6, 30, 4).T.copy().T[::2], 2))


def in_units(result, scale):
    """The coordinates in units of the scale, the variance in those of its square."""
    if not isinstance(result, (tuple, list)) or len(result) != 3:
        return result
    return signed((result[0] / scale, result[1], result[2] / scale**2), turned=False)


def points_that_lie_very_close_together(impl, seed):
    """The last of the variances is 1e-4 of the first."""
    return in_units(impl.pca(cloud(seed + 7, 20, 8) * 1e-8, 8), 1e-8)


def points_that_lie_very_far_apart(impl, seed):
    return in_units(impl.pca(cloud(seed + 7, 20, 3) * 1e7, 2), 1e7)


def nearly_equal_variances(impl, seed):
    """Points along three axes that are turned; the second variance is 0.97 of the first."""
    axes = np.array([[2.0, -1, 2], [2, 2, -1], [-1, 2, 2]]) / 3
    half = np.diag([1, np.sqrt(0.97), 0.1]) @ axes
    return signed(impl.pca(np.concatenate([half, -half]), 2))


def two_points(impl, seed):
    return signed(impl.pca(cloud(seed + 3, 2, 3), 1))


def far_from_the_origin(impl, seed):
    coordinates, components, variance = impl.pca(cloud(seed + 4, 30, 4) + 1e7, 2)
    return {"the variance": variance}


def numbers_of_components_that_are_refused(impl, seed):
    x = cloud(seed, 11, 4)
    calls = {"k = 0": (x, 0), "k = D + 1": (x, 5), "k = N + 1": (x[:3], 4), "k = -1": (x, -1), "k = 10^20": (x, 10**20)}
    calls |= {"one point": (x[:1], 1), "no point": (x[:0], 1), "one point, k = 0": (x[:1], 0)}
    calls |= {"k = D": (x, 4), "k = N": (x[:3], 3)}  # last: their signs are free, and the first other call is shown
    return refused({name: lambda args=args: impl.pca(*args) for name, args in calls.items()})


# ---------------------------------------------------------------- all of them

PROBES = {
    "pairs": [
        the_workbooks_sentence,
        a_sentence,
        repeated_words,
        a_window_wider_than_the_sentence,
        a_single_word,
        no_word_at_all,
        widths_that_are_refused,
        ids_above_two_to_the_31st,
        windows_wider_than_an_int32_can_say,
        windows_as_wide_as_an_int64_can_say,
        a_sentence_of_three_hundred_words,
        ids_and_widths_that_are_slices,
    ],
    "keep_probability": [
        the_workbooks_counts,
        frequent_and_rare_words,
        the_usual_threshold,
        thresholds_of_every_size,
        words_of_the_same_count,
        counts_above_two_to_the_31st,
        very_small_thresholds,
        a_vocabulary_of_one_word,
        the_same_counts_in_another_order,
        counts_that_are_a_slice,
        the_threshold_given_by_its_name,
        counts_and_thresholds_that_are_refused,
    ],
    "NegativeSampler": [
        the_workbooks_vocabulary,
        a_natural_vocabulary,
        another_power,
        counts_in_no_order,
        powers_given_by_name,
        two_samplers_at_once,
        samplers_of_the_same_counts_in_another_order,
        words_far_more_frequent_than_others,
        counts_with_a_sum_just_below_two_to_the_63rd,
        targets_and_uniforms_that_are_parts_of_tables,
        a_sampler_that_has_refused_something,
        the_first_and_the_last_word_as_targets,
        two_words,
        a_point_on_an_edge,
        points_beside_the_edges,
        no_targets_or_no_uniforms,
        uniforms_next_to_the_edges,
        the_largest_uniform_number_and_the_last_word,
        counts_targets_and_uniforms_that_are_refused,
    ],
    "loss_and_gradients": [
        the_workbooks_vectors,
        ordinary_vectors,
        a_single_negative,
        no_negatives,
        equal_vectors,
        vectors_of_one_number,
        vectors_in_slices_and_negatives_that_all_pairs_share,
        vectors_in_float32,
        scores_of_a_hundred,
        long_axes,
        float32_vectors_with_scores_of_a_thousand,
        very_large_scores,
        scores_of_1e300,
        vectors_of_zeros,
        parts_of_other_shapes,
    ],
    "sgd_step": [
        the_same_step_of_other_matrices_with_the_same_numbers,
        different_words,
        words_that_occur_twice,
        one_pair,
        one_pair_with_one_negative,
        the_workbooks_two_pairs,
        a_negative_that_is_its_pairs_context,
        float32_vectors,
        the_same_pair_twice,
        a_word_that_is_its_own_context,
        pairs_without_negatives,
        vectors_with_scores_in_the_thousands,
        three_hundred_words_of_one_number,
        three_hundred_pairs_of_long_vectors,
        rates_given_by_name,
        three_steps_of_the_same_matrices,
        matrices_and_ids_that_are_parts_of_larger_ones,
        numbers_of_rows_that_are_refused,
    ],
    "analogy": [
        the_workbooks_four_words,
        a_whole_ranking,
        a_whole_ranking_of_two_thousand,
        vectors_from_very_short_to_very_long,
        float32_vectors_from_very_short_to_very_long,
        vectors_whose_numbers_add_up_to_zero,
        vectors_that_are_a_slice,
        topn_given_by_its_name,
        questions_of_equal_words,
        words_with_the_directions_of_the_questions_words,
        a_point_that_is_zero,
        as_few_words_as_there_can_be,
        the_best_word,
        a_question_with_a_word_twice,
        the_first_and_the_last_word_in_the_question,
        questions_that_are_refused,
    ],
    "pca": [
        the_workbooks_five_points,
        dimensions_of_rising_variance,
        three_of_five_components,
        all_of_four_components,
        fewer_points_than_dimensions,
        as_many_components_as_points,
        nearly_equal_variances,
        two_points,
        points_on_a_line,
        points_that_are_all_the_same,
        points_of_one_number,
        as_many_points_as_dimensions,
        more_than_a_hundred_points_and_dimensions,
        points_that_are_a_slice,
        points_that_lie_very_close_together,
        points_that_lie_very_far_apart,
        far_from_the_origin,
        numbers_of_components_that_are_refused,
    ],
}


def alone(knobs, *mistakes):
    """Pairs of these mistakes with every wrong setting of the other knobs: each is looked for alone."""
    others = [(m, choices) for m in mistakes for choices in knobs.values() if m not in choices]
    return [(m, wrong) for m, choices in others for wrong in choices[1:]]


def of(task):
    """Every known mistake of a task, one or two at a time. Pairs of which one hides the other are left out."""
    noun, knobs, build, hints, without = {
        "pairs": (
            "pairs",
            PAIRS,
            wrong_pairs,
            PAIRS_HINTS,
            [
                (LEFT, SHORT),
                (LEFT, FROM_ONE),
                (RIGHT, WRAPS),
                *alone(PAIRS, SAME_WORD, BY_DISTANCE, POSITIONS, FLOATS, BY_IDS, LEFT_NEAREST, ONCE, OVERFLOWN, INT32),
            ],
        ),
        "keep_probability": (
            "a probability",
            KEEP,
            wrong_keep,
            KEEP_HINTS,
            [(share, wrong) for share in (COUNTS, TYPES) for wrong in (UNCAPPED, UPSIDE)]
            + alone(KEEP, SCALED, FALLING, FIXED),
        ),
        "NegativeSampler": (
            "a sampler",
            SAMPLER,
            wrong_sampler,
            SAMPLER_HINTS,
            alone(SAMPLER, UNDIVIDED, LONG, TOO_LOW, SHIFTED_WORD, AT_GAP, SIDE, OVER_END, PAST_END, FIRST_TARGET),
        ),
        "loss_and_gradients": (
            "a loss",
            LOSS,
            wrong_loss,
            LOSS_HINTS,
            [
                (TWICE, OVERFLOWS),
                (TWICE, LOG_ZERO),
                (LABELS, LOG_ZERO),
                *alone(LOSS, INFONCE, LOG_TINY, CLIPPED, BY_BATCH),
            ],
        ),
        "sgd_step": (
            "a step",
            STEP,
            wrong_step,
            STEP_HINTS,
            [(COPIES, w) for w in (BEFORE, LAST, UP, MEAN, NO_RATE, AFTER)]
            + [
                (CENTERS, BEFORE),
                *alone(
                    STEP,
                    NOT_CENTERS,
                    LAST_NEGATIVE,
                    ONE_BY_ONE,
                    OWN_CONTEXT,
                    OWN_CONTEXT_LOSS,
                    CONTEXTS_FIRST,
                    ALL_CONTEXTS_FIRST,
                    SINGLE,
                ),
            ],
        ),
        "analogy": (
            "an answer",
            ANALOGY,
            wrong_analogy,
            ANALOGY_HINTS,
            [(ONLY_C, NO_C), (MULTIPLIED, RAW), (MULTIPLIED, HALF)]
            + alone(ANALOGY, CANDIDATES, DISTANCE, ZERO, MINUS_ONE, SAME_DIRECTION, BY_ID),
        ),
        "pca": (
            "components",
            PCA,
            wrong_pca,
            PCA_HINTS,
            [(CONFUSED, SHIFTED), (UNCENTERED, SHIFTED), *alone(PCA, COLUMNS, FULL_AXIS, UNSORTED, FLIPPED, EIGH_ROWS)],
        ),
    }[task]
    yield from combine(task, noun, knobs, build, hints, without=without)
