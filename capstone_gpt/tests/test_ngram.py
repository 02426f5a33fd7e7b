"""Counts: sums, the limits, and the paper's formula on a text that can be counted by hand."""

import pytest
import torch
from given import integers
from hypothesis import given, settings
from hypothesis import strategies as st


@pytest.mark.task("kneser_ney")
def test_property_distributions_sum_to_one(impl):
    @settings(deadline=None, max_examples=25)
    @given(st.integers(1, 4), st.integers(0, 2**20), st.integers(5, 60))
    def holds(order, seed, length):
        tokens = integers(seed, 5, length).tolist()
        contexts = [(), (4,), (1, 2), tuple(tokens[:3]), (4, 4, 4, 4, 4)]
        p = impl.kneser_ney(tokens, contexts, order, 7)
        assert p.shape == (5, 7) and p.dtype == torch.float64
        assert torch.allclose(p.sum(-1), torch.ones(5, dtype=torch.float64)) and (p >= 0).all()

    holds()


@pytest.mark.task("kneser_ney")
def test_a_word_that_follows_one_word_only_is_rare_elsewhere(impl):
    """San Francisco: 1 is frequent and follows 0 only; 2 and 3 follow many. After an unseen context 1 is unlikely."""
    tokens = [0, 1] * 40 + [4, 2, 5, 2, 6, 2, 7, 2, 4, 3, 5, 3, 6, 3, 7, 3, 8]
    p = impl.kneser_ney(tokens, [(8,), (0,)], 2, 9)
    assert p[0, 1] < p[0, 2] / 2 and p[1, 1] > 0.9


@pytest.mark.task("kneser_ney")
def test_an_unseen_context_is_the_shorter_one(impl, seed):
    tokens = integers(seed, 6, 200).tolist()
    p = impl.kneser_ney(tokens, [(7, 3), (3,), (7, 7), ()], 3, 8)
    torch.testing.assert_close(p[0], p[1])
    torch.testing.assert_close(p[2], p[3])


@pytest.mark.task("kneser_ney")
def test_the_example_of_the_workbook(impl):
    """0 0 1 0 1 2, pairs: (0,0) (0,1) twice (1,0) (1,2). Before 0 stand two tokens, before 1 one, before 2 one."""
    p = impl.kneser_ney([0, 0, 1, 0, 1, 2], [(), (0,)], 2, 3)
    n1, n2, n3 = 3, 1, 1  # of the pairs; no pair occurs three times, so n(3) counts as 1
    y = n1 / (n1 + 2 * n2)
    d1, d2 = 1 - 2 * y * n2 / n1, 2 - 3 * y * n3 / n2
    low_y = 2 / (2 + 2 * 1)
    low_1, low_2 = 1 - 2 * low_y * 1 / 2, max(0.0, 2 - 3 * low_y * 1 / 1)
    share = (low_2 + 2 * low_1) / 4
    unigram = [(2 - low_2) / 4 + share / 3, (1 - low_1) / 4 + share / 3, (1 - low_1) / 4 + share / 3]
    assert p[0].tolist() == pytest.approx(unigram, rel=1e-12)
    share = (d1 + d2) / 3
    pair = [(1 - d1) / 3 + share * unigram[0], (2 - d2) / 3 + share * unigram[1], share * unigram[2]]
    assert p[1].tolist() == pytest.approx(pair, rel=1e-12)


@pytest.mark.task("kneser_ney")
def test_a_count_that_no_n_gram_has_is_one_above_and_below_the_fractions(impl):
    """Counts 1, 1 and 3: n(2) = n(4) = 1. Y = 1/2, D(1) = 1/2, D(3) = 3 - 4 · 1/2 · 1 = 1."""
    p = impl.kneser_ney([0, 1, 2, 2, 2], [()], 1, 4)
    assert p[0].tolist() == pytest.approx([0.5 / 5 + 0.1, 0.5 / 5 + 0.1, 2 / 5 + 0.1, 0.1], rel=1e-12)


@pytest.mark.task("kneser_ney")
def test_a_lower_count_is_of_tokens_not_of_longer_contexts(impl):
    """Order 3. Before 2 stands one token, which is 1, after three others: the count of 2 is one, not three."""
    p = impl.kneser_ney([0, 1, 2, 3, 1, 2, 4, 1, 2, 0, 0], [()], 3, 5)
    counts = [2, 3, 1, 1, 1]
    y = 3 / (3 + 2 * 1)
    D = [0, 1 - 2 * y * 1 / 3, 2 - 3 * y * 1 / 1, 3 - 4 * y * 1 / 1]
    share = sum(D[c] for c in counts) / 8 / 5
    assert p[0].tolist() == pytest.approx([(c - D[c]) / 8 + share for c in counts], rel=1e-12)


@pytest.mark.task("kneser_ney")
def test_a_discount_is_never_negative(impl):
    """Counts 1 1 2 3 3: Y = 1/2, D(1) = 1/2, D(2) would be -1 and is 0, D(3) = 2. Of ten, five go to the uniform."""
    p = impl.kneser_ney([0, 1, 2, 2, 3, 3, 3, 4, 4, 4], [()], 1, 6)
    want = [count / 10 + 0.5 / 6 for count in (0.5, 0.5, 2, 1, 1, 0)]
    assert p[0].tolist() == pytest.approx(want, rel=1e-12)


@pytest.mark.task("kneser_ney")
def test_effect_longer_contexts_predict_better(impl):
    text = [ord(c) % 32 for c in "the cat sat on the mat and the rat sat on the cat " * 8]
    contexts = [tuple(text[i - 3 : i]) for i in range(20, 60)]
    targets = torch.tensor(text[20:60])[:, None]
    losses = [-impl.kneser_ney(text, contexts, n, 32).gather(1, targets).log().mean().item() for n in (1, 2, 4)]
    assert losses[0] > losses[1] + 0.5 > losses[2] + 0.8


@pytest.mark.task("kneser_ney")
@pytest.mark.parametrize("order", [1, 3])
def test_oracle_counted_again_without_tables(impl, order):
    """The same formula, each count taken by a loop over the text."""
    tokens, V = integers(3, 4, 90).tolist(), 5

    def counted(context):
        p = [1 / V] * V
        for length in range(min(order - 1, len(context)) + 1):
            n, suffix = length + 1, context[len(context) - length :]
            grams = [tuple(tokens[i : i + n]) for i in range(len(tokens) - n + 1)]

            def count(gram, n=n, grams=grams):
                if n == order:
                    return grams.count(gram)
                longer = {tuple(tokens[i : i + n + 1]) for i in range(len(tokens) - n)}
                return sum(g[1:] == gram for g in longer)

            kinds = [count(g) for g in set(grams)]
            n_of = [max(1, kinds.count(c)) for c in range(5)]
            y = n_of[1] / (n_of[1] + 2 * n_of[2])
            D = [0.0] + [max(0.0, c - (c + 1) * y * n_of[c + 1] / n_of[c]) for c in (1, 2, 3)]
            row = [count((*suffix, w)) for w in range(V)]
            if not sum(row):
                break
            share = sum(D[min(c, 3)] for c in row) / sum(row)
            p = [max(c - D[min(c, 3)], 0) / sum(row) + share * q for c, q in zip(row, p, strict=True)]
        return p

    contexts = [(), (0,), (1, 2), (3, 3), (2, 0)]
    got = impl.kneser_ney(tokens, contexts, order, V)
    for context, row in zip(contexts, got.tolist(), strict=True):
        assert row == pytest.approx(counted(context), rel=1e-10)
