"""The lattice against enumeration, the lattice of a corpus against the plain one, EM by its property."""

import math
import random
import warnings
from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from byte_pair_smith.families.lattice import backward, edges_of, forward, posteriors, sample, viterbi
from byte_pair_smith.families.lattice_fast import CorpusLattice
from byte_pair_smith.families.unigram_train import maximize, seed_pieces

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # its SWIG types carry no __module__


def cuts_of(string):
    """Every way to cut a string, 2^(n-1) of them."""
    for k in range(len(string)):
        for places in combinations(range(1, len(string)), k):
            bounds = [0, *places, len(string)]
            yield [string[a:b] for a, b in zip(bounds, bounds[1:], strict=False)]


def random_model(rng, alphabet="abc", longest=3, size=14):
    pieces = set(alphabet)
    while len(pieces) < size:
        pieces.add("".join(rng.choices(alphabet, k=rng.randint(2, longest))))
    weights = {piece: rng.random() for piece in sorted(pieces)}
    return {piece: math.log(w / sum(weights.values())) for piece, w in weights.items()}


def enumerated(string, log_probs):
    """{segmentation: log probability} for all that the pieces allow."""
    found = {}
    for cut in cuts_of(string):
        if all(piece in log_probs for piece in cut):
            found[tuple(cut)] = sum(log_probs[piece] for piece in cut)
    return found


# ---------------------------------------------------------------- the lattice


def test_forward_backward_and_posteriors_equal_enumeration(seed):
    rng = random.Random(seed)
    for n in (1, 2, 5, 9):
        log_probs, string = random_model(rng), "".join(rng.choices("abc", k=n))
        paths = {cut: math.exp(p) for cut, p in enumerated(string, log_probs).items()}
        edges = edges_of(string, log_probs, 3, -99.0)
        z = sum(paths.values())
        assert forward(edges, n)[n] == pytest.approx(math.log(z)) == pytest.approx(backward(edges, n)[0])
        for edge, share in zip(edges, posteriors(edges, n), strict=True):
            through = sum(p for cut, p in paths.items() if (edge.start, edge.end) in spans(cut))
            assert share == pytest.approx(through / z), f"edge {string[edge.start : edge.end]!r}"


def spans(cut):
    ends = np.cumsum([0, *map(len, cut)]).tolist()
    return set(zip(ends, ends[1:], strict=False))


def test_viterbi_equals_enumeration(seed):
    rng = random.Random(seed)
    for _ in range(40):
        log_probs, string = random_model(rng), "".join(rng.choices("abc", k=rng.randint(1, 9)))
        path = viterbi(edges_of(string, log_probs, 3, -99.0), len(string))
        paths = enumerated(string, log_probs)
        assert sum(e.score for e in path) == pytest.approx(max(paths.values()))
        assert tuple(string[e.start : e.end] for e in path) in paths


def test_of_equal_paths_viterbi_takes_the_longest_last_piece():
    log_probs = {"a": -1.0, "b": -1.0, "c": -1.0, "ab": -1.0, "bc": -1.0}
    assert [(e.start, e.end) for e in viterbi(edges_of("abc", log_probs, 2, -99.0), 3)] == [(0, 1), (1, 3)]


@pytest.mark.parametrize("theta", [0.0, 0.4, 1.0])
def test_sampling_draws_from_the_tempered_distribution(theta, seed):
    rng = random.Random(seed)
    log_probs, draws = random_model(rng, size=20), 2000
    weights = {cut: math.exp(theta * p) for cut, p in enumerated("abcab", log_probs).items()}
    edges = edges_of("abcab", log_probs, 3, -99.0)
    seen = Counter(tuple("abcab"[e.start : e.end] for e in sample(edges, 5, theta, rng)) for _ in range(draws))
    expected = {cut: draws * w / sum(weights.values()) for cut, w in weights.items()}
    assert set(seen) <= set(expected)
    chi2 = sum((seen[cut] - e) ** 2 / e for cut, e in expected.items())
    freedom = len(expected) - 1
    assert chi2 < freedom + 5 * math.sqrt(2 * freedom), "five standard deviations of the chi-square distribution"


def test_a_large_theta_draws_the_viterbi_path(seed):
    log_probs = random_model(random.Random(seed))
    edges = edges_of("abcabcab", log_probs, 3, -99.0)
    assert sample(edges, 8, 1000.0, random.Random(seed)) == viterbi(edges, 8)


# ---------------------------------------------------------------- the corpus lattice, EM, pruning


def small_corpus(rng):
    return Counter({"".join(rng.choices("abc", k=rng.randint(1, 9))): rng.randint(1, 5) for _ in range(30)})


def expected_plainly(words, log_probs):
    counts, total = Counter(), 0.0
    for word, times in words.items():
        edges = edges_of(word, log_probs, 3, -99.0)
        total += times * forward(edges, len(word))[-1]
        for edge, share in zip(edges, posteriors(edges, len(word)), strict=True):
            counts[word[edge.start : edge.end]] += times * share
    return counts, total


def test_corpus_lattice_equals_the_plain_one_also_after_pieces_are_taken_away(seed):
    rng = random.Random(seed)
    words, log_probs = small_corpus(rng), random_model(rng)
    pieces = list(log_probs)
    lattice = CorpusLattice(words, pieces)
    for _ in range(3):
        found = lattice.expect(np.array([log_probs[piece] for piece in pieces]))
        counts, total = expected_plainly(words, {piece: log_probs[piece] for piece in pieces})
        assert found.log_likelihood == pytest.approx(total)
        np.testing.assert_allclose(found.counts, [counts[piece] for piece in pieces], rtol=1e-9, atol=1e-12)
        kept = np.array([len(piece) == 1 or rng.random() < 0.7 for piece in pieces])
        lattice.keep(kept)
        pieces = [piece for piece, keep in zip(pieces, kept, strict=True) if keep]


def test_loss_is_what_the_likelihood_loses_without_the_piece(seed):
    """Exact for a piece that has one place in each word, and no word here repeats a letter."""
    rng = random.Random(seed)
    words = Counter({"abcdef": 3, "fedcba": 2, "cafe": 4, "bed": 1, "face": 5})
    weights = {piece: rng.random() for piece in seed_pieces(words, 40, 4)}
    weights |= {word[a : a + 3]: rng.random() for word in words for a in (0, 1)}
    log_probs = {piece: math.log(w / sum(weights.values())) for piece, w in weights.items()}
    found = CorpusLattice(words, list(log_probs)).expect(np.array(list(log_probs.values())))
    assert sum(found.loss > 0.1) > 8, "there is something to lose"
    for piece, loss in zip(log_probs, found.loss, strict=True):
        without = {other: p for other, p in log_probs.items() if other != piece}
        if len(piece) > 1:
            left = sum(n * forward(edges_of(word, without, 4, -99.0), len(word))[-1] for word, n in words.items())
            assert loss == pytest.approx(found.log_likelihood - left, abs=1e-9), piece


def test_em_never_lowers_the_likelihood(seed):
    rng = random.Random(seed)
    for _ in range(5):
        words = small_corpus(rng)
        seeds = seed_pieces(words, 60, 5)
        lattice = CorpusLattice(words, list(seeds))
        log_probs, last = maximize(np.array([rng.random() + 0.01 for _ in seeds])), -math.inf
        for _ in range(25):
            found = lattice.expect(log_probs)
            assert found.log_likelihood >= last - 1e-9 * abs(last), "rounding apart, each step climbs"
            log_probs, last = maximize(found.counts), found.log_likelihood
