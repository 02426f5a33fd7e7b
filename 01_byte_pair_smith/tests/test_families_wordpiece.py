"""WordPiece: training against a plain recount, encoding against Hugging Face `tokenizers`."""

import random
from collections import Counter

import numpy as np
import pytest
from byte_pair_smith.families import WordPiece
from byte_pair_smith.families.wordpiece_train import count_pairs, count_symbols, gains, join, learn_pieces, merge
from byte_pair_smith.families.wordpiece_train_fast import PairTable, learn_pieces_fast
from byte_pair_smith.lab import families as compare
from byte_pair_smith.lab.families_texts import GERMAN, RUSSIAN
from byte_pair_smith.pretokenize import pretokenize
from tokenizers import Tokenizer
from tokenizers.models import WordPiece as HuggingFaceWordPiece

HUGS = Counter({"hug": 10, "pug": 5, "pun": 12, "bun": 4, "hugs": 5})


def log_likelihood(symbols):
    total = sum(symbols.values())
    return sum(c * np.log(c / total) for c in symbols.values() if c)


@pytest.mark.parametrize("score", ["likelihood", "gain"])
@pytest.mark.parametrize("min_count", [1, 3])
def test_fast_training_equals_plain(score, min_count, seed):
    rng = random.Random(seed)
    for alphabet in ("ab", "abcd", "ab#"):
        words = Counter("".join(rng.choices(alphabet, k=rng.randint(1, 9))) for _ in range(60))
        want = learn_pieces(words, 40, score, min_count)
        assert learn_pieces_fast(words, 40, score, min_count) == want, f"alphabet {alphabet!r}"


def test_counts_stay_those_of_a_recount(seed):
    rng = random.Random(seed)
    table = PairTable(Counter("".join(rng.choices("abc", k=8)) for _ in range(40)))
    for _ in range(12):
        table.merge(table.best("gain", 1))
        symbols, pairs = count_symbols(table.words), count_pairs(table.words)
        assert {s: table.symbol_counts[i] for s, i in table.ids.items() if table.symbol_counts[i]} == symbols
        assert {p: table.pair_counts[r] for p, r in table.rows.items() if table.pair_counts[r]} == pairs


def test_score_and_gain_by_hand():
    """Five words, 36 of them: 113 symbols, among them p 17, ##u 36, ##g 20, ##s 5."""
    table = PairTable(HUGS)
    assert table.best("likelihood", 1) == ("##g", "##s"), "5 / (20 x 5) = 0.05; (##u, ##g) has 20 / (36 x 20) = 0.028"
    assert learn_pieces(HUGS, 10, "likelihood", 1)[-2:] == ["##gs", "pu"], "five pairs share 1 / 36: the most frequent"
    assert table.best("gain", 1) == ("##u", "##g"), "28.0 nats; (##g, ##s) has 9.2"
    assert learn_pieces(HUGS, 10, "gain", 1)[-2:] == ["##ug", "##un"], "then every ##n there is"


def test_gain_is_the_rise_of_the_log_likelihood(seed):
    """Against the likelihood of the corpus before and after the merge, both counted from scratch."""
    rng = random.Random(seed)
    words = Counter("".join(rng.choices("abcdefgh", k=rng.randint(2, 9))) for _ in range(80))
    table = PairTable(words)
    before, pairs = count_symbols(table.words), count_pairs(table.words)
    for (a, b), n in pairs.items():
        after = count_symbols([(merge(word, (a, b)), count) for word, count in table.words])
        if after[join(a, b)] == n:  # it is less where a pair overlaps itself
            counts = (np.array([float(x)]) for x in (n, before[a], before[b]))
            gain = gains(*counts, np.array([a == b]), float(sum(before.values())))
            assert log_likelihood(after) - log_likelihood(before) == pytest.approx(gain[0], abs=1e-6)


def test_for_a_rare_pair_the_gain_of_each_place_is_the_logarithm_of_the_score():
    n, a, b, total = (np.array([x]) for x in (10.0, 40_000.0, 50_000.0, 1e6))
    gain = gains(n, a, b, np.array([False]), 1e6)[0]
    assert gain / 10 == pytest.approx(np.log(10 / (40_000 * 50_000)) + np.log(1e6) - 1, abs=1e-3)


def test_greedy_takes_the_longest_match_and_may_fail_where_another_cut_would_not():
    model = WordPiece(("<unk>", "a", "ab", "##c", "##bc", "##d"))
    assert [model.pieces[i] for i in model.encode("abc")] == ["ab", "##c"], "not a + ##bc"
    greedy = WordPiece(("<unk>", "a", "ab", "##bc"))
    assert greedy.encode("abc") == [0], "a + ##bc would spell it; the longest match does not go back"


@pytest.fixture(scope="module")
def models():
    text, held_out = compare.split_topics(0, limit=30_000)
    return held_out, [WordPiece.train(text, 500, score) for score in ("likelihood", "gain")]


def test_encoding_equals_tokenizers(models, seed):
    held_out, ours = models
    rng = random.Random(seed)
    odd = ["".join(rng.choices("abcdeinorst #é日🙂", k=rng.randint(1, 30))) for _ in range(2000)]
    words = set(pretokenize(held_out + GERMAN + RUSSIAN)) | set(odd) | {"e" * 100, "e" * 101, "=" * 150}
    words = sorted(word for word in words if not word.startswith("##"))  # which BERT takes for a continuation
    for model in ours:
        peer = Tokenizer(
            HuggingFaceWordPiece(
                {piece: i for i, piece in enumerate(model.pieces)}, unk_token="<unk>", max_input_chars_per_word=100
            )
        )
        got = [[token.id for token in model.tokenize_word(word)] for word in words]
        want = [encoding.ids for encoding in peer.encode_batch(words)]
        assert got == want
        assert any(0 in ids for ids in want) and any(len(ids) > 5 for ids in want), "the words try both outcomes"


def test_a_word_never_begins_with_the_mark_of_a_continuation():
    model = WordPiece.train("##a ##a ####a\n##a " * 20, 40, "gain", pattern=r"\S+|\s")
    assert [model.pieces[i] for i in model.encode("##a")] == ["#", "###a"], "the second piece continues with #a"
    assert all(model.decode(model.encode(w)) == w for w in ("##a", "####a"))
    assert WordPiece(("<unk>", "##", "##a")).decode([1, 2]) == "##a"


def test_a_vocabulary_that_the_text_cannot_fill_is_smaller():
    assert len(WordPiece.train("ab ab", 1000)) < 12


@pytest.mark.parametrize(
    "call, says",
    [
        (lambda: learn_pieces(HUGS, 5), "at least 8"),
        (lambda: learn_pieces(HUGS, 20, "likelihood", 0), "min_count=0"),
        (lambda: WordPiece(()), "pieces=.*empty"),
        (lambda: WordPiece(("a",)), "unk='<unk>'"),
        (lambda: WordPiece(("<unk>", "a", "a")), "'a' 2 times"),
    ],
)
def test_bad_input_is_refused_by_name(call, says):
    with pytest.raises(ValueError, match=says):
        call()
