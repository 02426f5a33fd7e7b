"""The classic mistakes of word2vec as running code, and the inputs on which they are recognised.

Mistakes that combine are built from knobs: every knob has its right setting first, and whatever differs from it is
one mistake. Two at once then have a sentence of their own, made of the two.
"""

from itertools import product

import numpy as np
from grader import Mistake
from meaning_space import loss_and_gradients

TASKS = ["pairs", "keep_probability", "NegativeSampler", "loss_and_gradients", "sgd_step", "analogy", "pca"]
INPLACE = {"sgd_step"}


def combine(task, noun, knobs, hints, build, without=()):
    """One Mistake for each setting of the knobs with one or two of them wrong, but for pairs that hide each other."""
    for setting in product(*knobs.values()):
        wrong = [s for s, choices in zip(setting, knobs.values(), strict=True) if s != choices[0]]
        if 1 <= len(wrong) <= 2 and not any(set(pair) <= set(wrong) for pair in without):
            yield Mistake(
                task,
                f"{noun} {' AND '.join(wrong)}",
                " ".join(hints[w] for w in wrong),
                len(wrong),
                build(**dict(zip(knobs, setting, strict=True))),
            )


# ---------------------------------------------------------------- pairs

LEFT, RIGHT = "that look to the LEFT only", "that look to the RIGHT only"
ITSELF, SHORT = "that include the word ITSELF", "whose windows stop ONE WORD SHORT on the right"
SWAPPED = "with the context in the first column and the centre in the second"
WRAPS = "whose windows WRAP AROUND from the first word to the last"
WIDEST, THEIRS = "that give every word the WIDEST window", "that use the CONTEXT's width for the centre's"
PAIRS = {
    "side": ["both", LEFT, RIGHT],
    "itself": ["left out", ITSELF],
    "end": ["included", SHORT],
    "order": ["centre first", SWAPPED],
    "edge": ["stops", WRAPS],
    "width": ["its own", WIDEST, THEIRS],
}
PAIRS_HINTS = {
    LEFT: "Which contexts does the first word of the sentence have?",
    RIGHT: "Which contexts does the last word of the sentence have?",
    ITSELF: "What does a word learn from being told that it stands next to itself?",
    SHORT: "How many numbers does range(i - w, i + w) hold, and how many places does a window of width w have?",
    SWAPPED: "Whose window is it? With a width for every word, the two columns are not the same pairs backwards.",
    WRAPS: "What does Python make of ids[-1]?",
    WIDEST: "Each word comes with a width of its own: near words are to count more often than far ones.",
    THEIRS: "Whose window is it, the one's in the middle or the one's at its edge?",
}


def wrong_pairs(side, itself, end, order, edge, width):
    def pairs(ids, widths):
        found, n = [], len(ids)
        for i in range(n):
            for j in range(-n if edge == WRAPS else 0, n):
                w = {"its own": widths[i], WIDEST: widths.max(), THEIRS: widths[j]}[width]
                low, high = (i if side == RIGHT else i - w), (i if side == LEFT else i + w - (end == SHORT))
                if low <= j <= high and (j != i or itself == ITSELF):
                    found.append((ids[i], ids[j]) if order == "centre first" else (ids[j], ids[i]))
        return np.array(found, dtype=np.int64).reshape(-1, 2)

    return pairs


def a_sentence(impl, seed):
    rng = np.random.default_rng(seed)
    return impl.pairs(np.arange(11), np.append(rng.integers(1, 4, 10), [5])[rng.permutation(11)])


def repeated_words(impl, seed):
    return impl.pairs(np.array([3, 1, 3, 3, 2]), np.array([1, 2, 1, 3, 1]))


def a_window_wider_than_the_sentence(impl, seed):
    return impl.pairs(np.array([5, 6, 7]), np.array([9, 9, 9]))


def a_single_word(impl, seed):
    return impl.pairs(np.array([4]), np.array([2]))


# ---------------------------------------------------------------- keep_probability

NO_ROOT, IN_C = "WITHOUT the square root", "by the formula of word2vec.c, not the paper's"
DISCARD = "that is the probability of DISCARDING the word"
COUNTS, TYPES = "with COUNTS where shares of the text are meant", "with counts divided by the number of DIFFERENT words"
UPSIDE, UNCAPPED = "with the fraction UPSIDE DOWN", "that rises ABOVE ONE for rare words"
KEEP = {
    "root": ["root", NO_ROOT, IN_C],
    "what": ["keep", DISCARD],
    "share": ["share", COUNTS, TYPES],
    "fraction": ["t over f", UPSIDE],
    "cap": ["at one", UNCAPPED],
}
KEEP_HINTS = {
    NO_ROOT: "A word four times as frequent as another: how much more frequent shall it be afterwards?",
    IN_C: "The program of the paper's authors computes (1 + sqrt(f / t)) t / f. What does equation 5 of the paper say?",
    DISCARD: "Which words shall stay in the text for certain, the frequent or the rare ones?",
    COUNTS: "The threshold is a share of the text. Can a share be compared with a number of occurrences?",
    TYPES: "What do the shares of all words add up to?",
    UPSIDE: "Which words does it keep?",
    UNCAPPED: "What is the greatest value a probability can have?",
}


def wrong_keep(root, what, share, fraction, cap):
    def keep_probability(counts, threshold=1e-3):
        f = counts / {"share": counts.sum(), COUNTS: 1.0, TYPES: len(counts)}[share]
        r = threshold / f if fraction == "t over f" else f / threshold
        p = {"root": np.sqrt(r), NO_ROOT: r, IN_C: np.sqrt(r) + r}[root]
        p = np.minimum(1.0, p) if cap == "at one" else p
        return p if what == "keep" else 1 - p

    return keep_probability


def frequent_and_rare_words(impl, seed):
    return impl.keep_probability(np.random.default_rng(seed).integers(1, 3000, 13), 0.06)


def the_usual_threshold(impl, seed):
    return impl.keep_probability(np.array([60_000, 9_000, 800, 31, 5, 1]))


def a_word_exactly_at_the_threshold(impl, seed):
    return impl.keep_probability(np.array([90, 9, 1]), 0.09)


# ---------------------------------------------------------------- NegativeSampler

UNIGRAM, FLAT = "that draws from the unigram distribution WITHOUT the 3/4 power", "that draws every word EQUALLY often"
WITH_TARGET, NEXT = "whose negatives may be the TARGET itself", "that puts the NEXT word in the target's place"
LOW, UNDIVIDED = "that returns the word BEFORE the one drawn", "whose probabilities do NOT add up to one"
SAMPLER = {
    "power": ["3/4", UNIGRAM, FLAT],
    "target": ["taken out", WITH_TARGET, NEXT],
    "place": ["its own", LOW],
    "sum": ["one", UNDIVIDED],
}
SAMPLER_HINTS = {
    UNIGRAM: "How often is 'the' drawn, and how often did the authors find that it should be?",
    FLAT: "Is a word that occurs a thousand times as often no more likely to be noise?",
    WITH_TARGET: "What does the loss ask for when a word is both the context and the noise of one pair?",
    NEXT: "How likely is the word after the target, compared with what it should be?",
    LOW: "A uniform number below probability[0] belongs to which word?",
    UNDIVIDED: "Uniform numbers lie between 0 and 1. How far does your running sum go?",
}


def wrong_sampler(power, target, place, sum):
    exponent = {"3/4": None, UNIGRAM: 1.0, FLAT: 0.0}[power]

    class NegativeSampler:
        def __init__(self, counts, power=0.75):
            weight = counts.astype(float) ** (power if exponent is None else exponent)
            self.probability = weight / weight.sum() if sum == "one" else weight
            self.upper = np.cumsum(self.probability)

        def draw(self, targets, uniforms):
            t, last = targets[:, None], len(self.upper) - 1
            if target == "taken out":
                p = self.probability[t]
                point = uniforms * (self.upper[-1] - p if sum == "one" else 1.0)
                below = (point < self.upper[t] - p) | (t == last)
                word = np.searchsorted(self.upper, np.where(below, point, point + p), side="right")
                word = np.where(below, np.minimum(word, t - 1), np.clip(word, t + 1, last))
            else:
                word = np.minimum(np.searchsorted(self.upper, uniforms, side="right"), last)
                word = np.where((word == t) & (target == NEXT), (word + 1) % (last + 1), word)
            return word if place == "its own" else word - 1

    return NegativeSampler


def draws(impl, seed, counts, power=None):
    rng = np.random.default_rng(seed)
    sampler = impl.NegativeSampler(counts) if power is None else impl.NegativeSampler(counts, power)
    targets = rng.integers(0, len(counts), 60)
    return [sampler.probability, sampler.draw(targets, rng.random((60, 7)))]


def a_natural_vocabulary(impl, seed):
    return draws(impl, seed, np.array([1000, 400, 170, 90, 41, 17, 9, 5, 3, 1]))


def another_power(impl, seed):
    return draws(impl, seed + 1, np.array([70, 30, 11, 5]), 0.5)


def the_first_and_the_last_word_as_targets(impl, seed):
    grid = np.tile(np.linspace(0, 0.999, 41), (3, 1))
    return impl.NegativeSampler(np.array([50, 20, 10, 10, 5])).draw(np.array([0, 4, 2]), grid)


# ---------------------------------------------------------------- loss_and_gradients

LABELS, ALL_ONES = "with positive and negative labels SWAPPED", "that treats the noise words as POSITIVE too"
TWICE = "with the sigmoid taken TWICE"
ONLY_CONTEXT = "whose centre gradient leaves out the NEGATIVES"
ONLY_NOISE = "whose centre gradient leaves out the CONTEXT"
AVERAGED = "with the negatives AVERAGED, not summed"
EXCHANGED = "with the gradients of centre and context EXCHANGED"
UPHILL = "with gradients that point the wrong way (y - sigmoid)"
OVERFLOWS = "as log(1 / (1 + exp(-x))), which OVERFLOWS for large scores"
LOSS = {
    "labels": ["right", LABELS, ALL_ONES],
    "sigmoid": ["once", TWICE],
    "centre": ["all", ONLY_CONTEXT, ONLY_NOISE],
    "sum": ["sum", AVERAGED],
    "places": ["right", EXCHANGED],
    "sign": ["down", UPHILL],
    "log": ["stable", OVERFLOWS],
}
LOSS_HINTS = {
    LABELS: "Which score shall grow: that of the word that was there, or that of the noise?",
    ALL_ONES: "If every score is to grow, what vectors give the least loss? (All of them the same.)",
    TWICE: "A function that takes logits applies the sigmoid itself. What is sigmoid(sigmoid(0))?",
    ONLY_CONTEXT: "Which terms of the loss contain the centre's vector?",
    ONLY_NOISE: "Which terms of the loss contain the centre's vector?",
    AVERAGED: "The loss is a sum over K noise words: what happens to their weight when K grows?",
    EXCHANGED: "The score is a product: its derivative by one factor is the other factor.",
    UPHILL: "Add a small multiple of your gradient to the vectors: does the loss rise or fall?",
    OVERFLOWS: "What is exp(-x) for x = -1000, and what is log(1 + exp(y)) close to for large y?",
}


def sigmoid(x):
    return np.exp(-np.logaddexp(0, -x))


def wrong_loss(labels, centre="all", sum="sum", places="right", sign="down", log="stable", **knobs):
    twice = knobs["sigmoid"] == TWICE
    positive, negative = {"right": (1, 0), LABELS: (0, 1), ALL_ONES: (1, 1)}[labels]

    def term(score, label):
        s = sigmoid(score) if twice else score
        s = s if label else -s
        with np.errstate(over="ignore", divide="ignore"):
            value = np.logaddexp(0, -s) if log == "stable" else -np.log(1 / (1 + np.exp(-s)))
        return value, (sigmoid(sigmoid(score) if twice else score) - label) * (1 if sign == "down" else -1)

    def loss_and_gradients(centre_, context, negatives):
        loss, g = term((centre_ * context).sum(-1), positive)
        noise, h = term(np.einsum("bd,bkd->bk", centre_, negatives), negative)
        weight = 1 / negatives.shape[1] if sum == AVERAGED else 1.0
        h = h * weight
        d_centre = (centre != ONLY_NOISE) * g[:, None] * context
        d_centre = d_centre + (centre != ONLY_CONTEXT) * np.einsum("bk,bkd->bd", h, negatives)
        d_context = g[:, None] * centre_
        if places == EXCHANGED:
            d_centre, d_context = d_context, d_centre
        return loss + weight * noise.sum(1), d_centre, d_context, h[:, :, None] * centre_[:, None]

    return lambda centre, context, negatives: loss_and_gradients(centre, context, negatives)


def vectors(seed, B=5, K=3, D=7, scale=1.0):
    rng = np.random.default_rng(seed)
    return [scale * rng.standard_normal(shape) for shape in ((B, D), (B, D), (B, K, D))]


def ordinary_vectors(impl, seed):
    return list(impl.loss_and_gradients(*vectors(seed)))


def a_single_noise_word(impl, seed):
    return list(impl.loss_and_gradients(*vectors(seed + 1, K=1)))


def very_large_scores(impl, seed):
    return list(impl.loss_and_gradients(*vectors(seed + 2, scale=40.0)))


def vectors_of_zeros(impl, seed):
    return list(impl.loss_and_gradients(*vectors(seed + 3, scale=0.0)))


# ---------------------------------------------------------------- sgd_step

CENTRES, NOT_NOISE = "that writes to the CENTRES only", "that never moves the vectors of the NOISE words"
MIXED = "with the matrices of centres and contexts MIXED UP"
LAST = "that keeps only the LAST gradient of a word that occurs twice"
BEFORE = "that moves the centres BEFORE the contexts' gradients are taken"
UP, MEAN = "that climbs UP the loss", "with gradients divided by the SIZE of the batch"
SUMMED, COPIES = "that returns the SUM of the losses", "that changes COPIES and leaves the matrices as they were"
STEP = {
    "write": ["all", CENTRES, NOT_NOISE, COPIES],
    "matrices": ["right", MIXED],
    "repeated": ["added", LAST],
    "order": ["together", BEFORE],
    "sign": ["down", UP],
    "size": ["sum", MEAN],
    "loss": ["mean", SUMMED],
}
STEP_HINTS = {
    CENTRES: "The loss has two sets of parameters. What happens to the output vectors, which begin at zero?",
    NOT_NOISE: "The noise words' output vectors are parameters too. What pushes them away?",
    COPIES: "The caller keeps its matrices: does `a = a - b` change what the caller holds?",
    MIXED: "Every word has two vectors. Which one does it use in the middle of a window, which one beside it?",
    LAST: "NumPy's a[i] -= g with a repeated index: how many of the gradients arrive?",
    BEFORE: "At which vectors is a gradient of one function of all parameters taken?",
    UP: "Does the loss of the same pairs fall after the step?",
    MEAN: "Every pair takes its own full step in this algorithm. How does a pair's step change with the batch here?",
    SUMMED: "What shall the number be when the batch is twice as large?",
}


def wrong_step(write, matrices, repeated, order, sign, size, loss):
    def sgd_step(centres, contexts, pairs, negatives, rate):
        if write == COPIES:
            centres, contexts = centres.copy(), contexts.copy()
        i, o = pairs.T if matrices == "right" else pairs[:, ::-1].T
        factor = (rate if sign == "down" else -rate) / (1 if size == "sum" else len(pairs))

        def add(matrix, index, gradient):
            if repeated == LAST:
                matrix[index] -= factor * gradient
            else:
                np.add.at(matrix, index, -factor * gradient)

        value, d_centre, d_context, d_noise = loss_and_gradients(centres[i], contexts[o], contexts[negatives])
        add(centres, i, d_centre)
        if order == BEFORE:
            _, _, d_context, d_noise = loss_and_gradients(centres[i], contexts[o], contexts[negatives])
        if write != CENTRES:
            add(contexts, o, d_context)
        if write not in (CENTRES, NOT_NOISE):
            add(contexts, negatives, d_noise)
        return float(value.mean() if loss == "mean" else value.sum())

    return sgd_step


def stepped(impl, pairs, negatives, seed, rate=0.3):
    w, c = np.random.default_rng(seed).standard_normal((2, 9, 5))
    return [impl.sgd_step(w, c, np.array(pairs), np.array(negatives), rate), w, c]


def different_words(impl, seed):
    return stepped(impl, [[0, 1], [2, 3]], [[4, 5], [6, 7]], seed)


def words_that_occur_twice(impl, seed):
    return stepped(impl, [[0, 1], [0, 2], [3, 1]], [[5, 5], [6, 5], [2, 7]], seed + 1)


def one_pair(impl, seed):
    return stepped(impl, [[4, 8]], [[0, 1, 2]], seed + 2)


# ---------------------------------------------------------------- analogy

RAW, HALF = "WITHOUT bringing the vectors to length one", "that normalises the candidates but not the THREE WORDS"
QUERY_LEFT, ONLY_C = "with the three query words left among the CANDIDATES", "that leaves out c but not a and b"
EXCHANGED_AB, NO_C = "with a and b EXCHANGED", "that forgets to add c"
WORST = "that returns the WORST words first"
ANALOGY = {
    "length": ["one", RAW, HALF],
    "asked": ["left out", QUERY_LEFT, ONLY_C],
    "sum": ["b-a+c", EXCHANGED_AB, NO_C],
    "order": ["best first", WORST],
}
ANALOGY_HINTS = {
    RAW: "Frequent words have longer vectors. What does a dot product reward besides the direction?",
    HALF: "A long vector among the three outweighs the others in the sum. Shall it?",
    QUERY_LEFT: "Which word is nearest to b - a + c when b and a are near each other?",
    ONLY_C: "Can b be the answer to the question it is part of?",
    EXCHANGED_AB: "man is to king as woman is to ...: from which word does the step start, and where does it end?",
    NO_C: "b - a is a step. From where is it taken?",
    WORST: "argsort sorts upwards. Where does the greatest score end up?",
}


def wrong_analogy(length, asked, sum, order):
    def analogy(vectors, a, b, c, n=1):
        unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        x = vectors if length != "one" else unit
        y = {"b-a+c": x[b] - x[a] + x[c], EXCHANGED_AB: x[a] - x[b] + x[c], NO_C: x[b] - x[a]}[sum]
        score = (x if length == RAW else unit) @ y
        score[{"left out": [a, b, c], QUERY_LEFT: [], ONLY_C: [c]}[asked]] = -np.inf
        return np.argsort(-score if order == "best first" else score, kind="stable")[:n]

    return analogy


def words_of_all_lengths(seed, V=40, D=6):
    rng = np.random.default_rng(seed)
    return rng.standard_normal((V, D)) * rng.uniform(0.2, 5, (V, 1))


def a_whole_ranking(impl, seed):
    return impl.analogy(words_of_all_lengths(seed), 3, 11, 7, 37)


def the_best_word(impl, seed):
    return impl.analogy(words_of_all_lengths(seed + 1), 0, 1, 2)


def a_question_with_a_word_twice(impl, seed):
    return impl.analogy(words_of_all_lengths(seed + 2), 5, 9, 5, 10)


# ---------------------------------------------------------------- pca

UNCENTRED, ROWS_CENTRED = "WITHOUT centring", "that centres each POINT, not each dimension"
SHIFTED = "with coordinates of points that were NOT centred"
ASCENDING = "with components in ASCENDING order"
BY_N, SINGULAR = "with the variance divided by N", "with SINGULAR VALUES where variances are meant"
CONFUSED = "with ROWS and COLUMNS confused"
TRANSPOSED = "that takes the ROWS of the eigenvector matrix, which holds the components in its columns"
STANDARD = "of STANDARDISED dimensions"
PCA = {
    "centre": ["columns", UNCENTRED, ROWS_CENTRED, SHIFTED],
    "order": ["falling", ASCENDING],
    "variance": ["N - 1", BY_N, SINGULAR],
    "axes": ["right", CONFUSED, TRANSPOSED],
    "scale": ["as it is", STANDARD],
}
PCA_HINTS = {
    UNCENTRED: "Move all points by the same vector: shall the components change?",
    ROWS_CENTRED: "The mean of the points is a point. How many numbers has it?",
    SHIFTED: "Where do the coordinates of the points have their mean?",
    ASCENDING: "eigh returns the smallest eigenvalue first. Which component is the principal one?",
    BY_N: "The unbiased estimate of a variance from N points divides by what?",
    SINGULAR: "Along a component, the sum of squared coordinates is which power of the singular value?",
    CONFUSED: "How long is a component: as many numbers as there are points, or as there are dimensions?",
    TRANSPOSED: "Multiply the covariance by your component: do you get a multiple of it?",
    STANDARD: "Dividing each dimension by its spread is a choice of its own: the task keeps the units.",
}


def wrong_pca(centre, order, variance, axes, scale):
    def pca(x, k):
        z = x if centre == UNCENTRED else x - (x.mean(1, keepdims=True) if centre == ROWS_CENTRED else x.mean(0))
        z = z / x.std(axis=0) if scale == STANDARD else z
        z = z.T if axes == CONFUSED else z
        _, s, components = np.linalg.svd(z, full_matrices=False)
        if order == ASCENDING:
            s, components = s[::-1], components[::-1]
        components = (components.T if axes == TRANSPOSED else components)[:k]
        value = {"N - 1": s**2 / (len(x) - 1), BY_N: s**2 / len(x), SINGULAR: s}[variance][:k]
        return (x if centre == SHIFTED else z) @ components.T, components, value

    return pca


def signed(result):
    """The three parts with each component's largest entry made positive: its sign is free."""
    coordinates, components, variance = result
    sign = np.array([1.0 if row[np.abs(row).argmax()] > 0 else -1.0 for row in components])
    return [coordinates * sign, components * sign[:, None], variance]


def cloud(seed, N, D):
    """Points with well separated variances, along directions that are not the axes, far from the origin."""
    rng = np.random.default_rng(seed)
    turn = np.linalg.qr(rng.standard_normal((D, D)))[0]
    return rng.standard_normal((N, D)) * 2.0 ** -np.arange(D) @ turn * 3 + rng.uniform(1, 4, D)


def three_of_five_components(impl, seed):
    return signed(impl.pca(cloud(seed, 30, 5), 3))


def fewer_points_than_dimensions(impl, seed):
    return signed(impl.pca(cloud(seed + 1, 4, 7), 2))


# ---------------------------------------------------------------- all of them

PROBES = {
    "pairs": [a_sentence, repeated_words, a_window_wider_than_the_sentence, a_single_word],
    "keep_probability": [frequent_and_rare_words, the_usual_threshold, a_word_exactly_at_the_threshold],
    "NegativeSampler": [a_natural_vocabulary, another_power, the_first_and_the_last_word_as_targets],
    "loss_and_gradients": [ordinary_vectors, a_single_noise_word, very_large_scores, vectors_of_zeros],
    "sgd_step": [different_words, words_that_occur_twice, one_pair],
    "analogy": [a_whole_ranking, the_best_word, a_question_with_a_word_twice],
    "pca": [three_of_five_components, fewer_points_than_dimensions],
}


def of(task):
    """Every known mistake of a task, one or two at a time; pairs of which one hides the other are left out."""
    known = {
        "pairs": ("pairs", PAIRS, PAIRS_HINTS, wrong_pairs, [(LEFT, SHORT), (RIGHT, WRAPS)]),
        "keep_probability": (
            "a probability",
            KEEP,
            KEEP_HINTS,
            wrong_keep,
            [(COUNTS, UNCAPPED), (COUNTS, UPSIDE), (TYPES, UPSIDE), (TYPES, UNCAPPED)],
        ),
        "NegativeSampler": (
            "a sampler",
            SAMPLER,
            SAMPLER_HINTS,
            wrong_sampler,
            [(UNDIVIDED, LOW), (UNDIVIDED, WITH_TARGET), (UNDIVIDED, NEXT), (UNDIVIDED, FLAT)],
        ),
        "loss_and_gradients": ("a loss", LOSS, LOSS_HINTS, wrong_loss, [(TWICE, OVERFLOWS)]),
        "sgd_step": (
            "a step",
            STEP,
            STEP_HINTS,
            wrong_step,
            [(COPIES, w) for w in (BEFORE, LAST, UP, MEAN)] + [(CENTRES, BEFORE)],
        ),
        "analogy": ("an answer", ANALOGY, ANALOGY_HINTS, wrong_analogy, [(ONLY_C, NO_C)]),
        "pca": (
            "components",
            PCA,
            PCA_HINTS,
            wrong_pca,
            [(CONFUSED, SHIFTED), (CONFUSED, TRANSPOSED), (UNCENTRED, SHIFTED)],
        ),
    }[task]
    noun, knobs, hints, build, without = known
    yield from combine(task, noun, knobs, hints, build, without)
