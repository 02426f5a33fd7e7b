"""Unigram: the lattice against enumeration, EM and pruning by their properties, Viterbi and training against peers."""

import math
import random
import struct
import warnings
from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from byte_pair_smith.families import Unigram
from byte_pair_smith.families.lattice import backward, edges_of, forward, posteriors, sample, viterbi
from byte_pair_smith.families.lattice_fast import CorpusLattice
from byte_pair_smith.families.unigram_train import best_pieces, maximize, maximize_with_characters, seed_pieces
from byte_pair_smith.lab import families as compare
from byte_pair_smith.lab import families_tables
from byte_pair_smith.lab.families_peer import (
    SENTENCEPIECE_SPLIT,
    beside_sentencepiece,
    lines_of,
    pieces_and_scores,
    pre_tokens_of,
    train_sentencepiece,
)
from byte_pair_smith.lab.families_texts import GERMAN
from byte_pair_smith.pretokenize import NO_SPLIT, pretokenize
from tokenizers import Tokenizer
from tokenizers.models import Unigram as HuggingFaceUnigram

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # its SWIG types carry no __module__
    import sentencepiece

FLOAT32 = 1e-3  # SentencePiece adds up float32 scores: sums of hundreds of nats, each rounded at 2^-24 of itself


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


@pytest.fixture(scope="module")
def learned():
    text, held_out = compare.split_topics(0, limit=60_000)
    return text, held_out, Unigram.train(text, 600, em_steps=3)


def test_training_climbs_in_every_round_and_ends_at_the_size(learned):
    text, _, model = learned
    sizes = [r.pieces for r in model.rounds]
    assert sizes == sorted(sizes, reverse=True) and sizes[-1] == 599 and len(model) == 600
    for found in model.rounds:
        assert list(found.log_likelihoods) == sorted(found.log_likelihoods), "EM steps of one round climb"
    assert set(text) <= set(model.pieces), "no character is ever pruned"
    assert sum(math.exp(p) for p in model.log_probs) == pytest.approx(1.0)


def test_pruning_by_loss_beats_pruning_by_count(learned):
    """The effect of step 3: as many pieces chosen by how often they are expected segment the text less well."""
    text, _, model = learned
    words = Counter(pretokenize(text))
    seeds = seed_pieces(words, 20_000, 16)
    pieces, lattice = list(seeds), CorpusLattice(words, list(seeds))
    log_probs = maximize(np.array(list(seeds.values()), float))
    for size in (6000, 3000, 1500, 599):
        for _ in range(2):
            found = lattice.expect(log_probs)
            log_probs = maximize(found.counts)
        kept = best_pieces(pieces, found.counts, size)
        lattice.keep(kept)
        pieces = [piece for piece, keep in zip(pieces, kept, strict=True) if keep]
        log_probs = maximize_with_characters(found.counts[kept], pieces)
    for _ in range(5):
        found = lattice.expect(log_probs)
        log_probs = maximize(found.counts)
    ours = model.rounds[-1].log_likelihoods[-1]
    assert len(pieces) == len(model.pieces) and ours > 0.97 * found.log_likelihood, "it is 0.945 of it"


def test_seeds_leave_out_what_is_always_continued_alike():
    seeds = seed_pieces(Counter({"abcx": 1, "abcy": 1, "q": 1}), 100, 4)
    assert seeds == {"a": 2, "b": 2, "c": 2, "q": 1, "x": 1, "y": 1, "abc": 2, "bc": 2}


def test_likelihood_of_a_text_sums_over_its_words(learned):
    _, held_out, model = learned
    plain = sum(forward(model.edges(w), len(w))[-1] for w in pretokenize(held_out[:500]))
    assert model.log_likelihood(held_out[:500]) == pytest.approx(plain)


def test_neighbouring_unknown_characters_become_one():
    model = Unigram(("a", "b", "ab"), (-1.0, -1.0, -1.5), NO_SPLIT)
    assert [(t.id, t.surface.decode()) for t in model.tokenize("ab日本a")] == [(3, "ab"), (0, "日本"), (1, "a")]


def test_sampled_text_is_still_the_text(learned):
    _, held_out, model = learned
    rng = random.Random(0)
    draws = [model.sample(held_out[:300], 0.2, rng) for _ in range(5)]
    assert all(b"".join(t.surface for t in draw) == held_out[:300].encode() for draw in draws)
    assert len({tuple(draw) for draw in draws}) == 5
    assert model.sample("", 0.2, rng) == []


# ---------------------------------------------------------------- against tokenizers and sentencepiece


def same_paths(model, words, theirs, rounding):
    """Assert that segmentations agree, or, for at most one word in a hundred, are equally probable up to rounding."""
    scores = dict(zip(model.pieces, model.log_probs, strict=True))
    unknown = min(model.log_probs) - 10

    def score(cut):
        return sum(scores[s] if s in scores else unknown * len(s) for s in cut)

    differ = 0
    for word, cut in zip(words, theirs, strict=True):
        ours = [token.surface.decode() for token in model.tokenize_word(word)]
        if ours != cut:
            differ += 1
            assert score(ours) == pytest.approx(score(cut), abs=rounding), (word, ours, cut)
    assert differ <= 0.01 * len(words)


def odd_strings(model, rng, count):
    letters = sorted(set("".join(model.pieces[:300]))) + ["é", "日"]
    return ["".join(rng.choices(letters, k=rng.randint(1, 25))) for _ in range(count)]


def test_viterbi_equals_tokenizers(learned, seed):
    _, held_out, model = learned
    peer = Tokenizer(HuggingFaceUnigram([("<unk>", 0.0), *zip(model.pieces, model.log_probs, strict=True)], unk_id=0))
    words = sorted(set(pretokenize(held_out + GERMAN)) | set(odd_strings(model, random.Random(seed), 1500)))
    encodings = peer.encode_batch(words)
    same_paths(model, words, [[w[a:b] for a, b in e.offsets] for w, e in zip(words, encodings, strict=True)], 1e-9)
    ids = [[token.id for token in model.tokenize_word(word)] for word in words]
    assert sum(a != e.ids for a, e in zip(ids, encodings, strict=True)) <= 0.01 * len(words)


def field(number, value):
    """One field of a protocol buffer: bytes, a float or a small integer."""
    if isinstance(value, bytes):
        return bytes([number << 3 | 2]) + varint(len(value)) + value
    if isinstance(value, float):
        return bytes([number << 3 | 5]) + struct.pack("<f", value)
    return bytes([number << 3]) + varint(value)


def varint(n):
    return bytes([n]) if n < 128 else bytes([n & 127 | 128]) + varint(n >> 7)


def as_sentencepiece(model):
    """Our vocabulary as SentencePiece's model file: pieces (1: text, 2: score, 3: kind), trainer, normalizer."""
    pieces = [field(1, field(1, b"<unk>") + field(2, 0.0) + field(3, 2))]
    pieces += [field(1, field(1, p.encode()) + field(2, s)) for p, s in zip(model.pieces, model.log_probs, strict=True)]
    trainer = field(2, field(3, 1))  # 1 is Unigram
    normalizer = field(3, field(1, b"identity") + field(3, 0) + field(4, 0) + field(5, 0))
    return sentencepiece.SentencePieceProcessor(model_proto=b"".join(pieces) + trainer + normalizer)


def test_viterbi_equals_sentencepiece_given_our_vocabulary(learned, seed):
    _, held_out, model = learned
    peer = as_sentencepiece(model)
    words = sorted(set(pretokenize(held_out)) | set(odd_strings(model, random.Random(seed), 1500)))
    same_paths(model, words, [peer.encode(word, out_type=str) for word in words], FLOAT32)


@pytest.fixture(scope="module")
def theirs():
    """SentencePiece trained on some of the text, and the words it saw."""
    lines = lines_of(compare.split_topics(1, limit=60_000)[0])
    return train_sentencepiece(lines, 512), pre_tokens_of(lines)


def test_viterbi_equals_sentencepiece_given_its_vocabulary(theirs):
    model, words = theirs
    peer = sentencepiece.SentencePieceProcessor(model_proto=model)
    pieces, scores = pieces_and_scores(model)
    ours = Unigram(tuple(pieces), tuple(scores), SENTENCEPIECE_SPLIT)
    same_paths(ours, list(words), [peer.encode(word.replace("▁", " "), out_type=str) for word in words], FLOAT32)


def test_training_reaches_sentencepieces_objective():
    """Bits per character of the training words at the same size: at most one per cent above SentencePiece's."""
    [found] = beside_sentencepiece(compare.split_topics(1, limit=100_000)[0], [1024], repeats=1)
    assert found["bits_per_character"] < 1.01 * found["bits_per_character_sentencepiece"]
    assert 0.5 < found["shared_pieces"] < 1, "the two best_pieces most pieces alike"
    assert "| 1024 |" in families_tables.sentencepiece({"sentencepiece": [found]})


@pytest.mark.parametrize(
    "call, says",
    [
        (lambda: Unigram.train("abc", 3), "at least 4"),
        (lambda: Unigram.train("abc", 9, shrink=1.0), r"shrink=1\.0"),
        (lambda: Unigram.train("abc", 9, longest=0), "longest=0"),
        (lambda: Unigram.train("abc", 9, em_steps=0), "em_steps=0"),
        (lambda: Unigram((), ()), "pieces=.*empty"),
        (lambda: Unigram(("a", "b"), (-1.0,)), "1 entries for 2 pieces"),
        (lambda: Unigram(("a",), (-math.inf,)), "it holds -inf"),
        (lambda: Unigram(("a",), (-1.0,)).sample("a", -0.5, random.Random(0)), r"theta=-0\.5"),
        (lambda: CorpusLattice(Counter(["ab"]), ["a"]).expect(np.zeros(1)), "no segmentation"),
    ],
)
def test_bad_input_is_refused_by_name(call, says):
    with pytest.raises(ValueError, match=says):
        call()
