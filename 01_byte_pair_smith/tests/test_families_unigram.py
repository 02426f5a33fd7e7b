"""Unigram: training and pruning by their effects, Viterbi and training against the peers."""

import math
import random
import struct
import warnings
from collections import Counter

import numpy as np
import pytest
from byte_pair_smith.families import Unigram
from byte_pair_smith.families.lattice import forward
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
