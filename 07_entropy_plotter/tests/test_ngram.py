"""Kneser-Ney: sums to one everywhere, and equals a count written in another way."""

from collections import defaultdict

import pytest
import torch
from entropy_plotter import NGram
from entropy_plotter.ngram import discounts
from hypothesis import given, settings
from hypothesis import strategies as st

ORDER = 3


def brute_force(tokens, V, order, context, w):
    """p(w | context) straight from the definition, by looking through the text again for every number."""
    if order == 0:
        return 1 / V
    grams = list(zip(*(tokens[i:] for i in range(ORDER)), strict=False))
    if order == ORDER:
        counts = defaultdict(int)
        for g in grams:
            counts[g] += 1
    else:
        before = defaultdict(set)
        longer = set(grams)
        while len(next(iter(longer))) > order + 1:
            longer = {g[1:] for g in longer}
        for g in longer:
            before[g[1:]].add(g[0])
        counts = {g: len(s) for g, s in before.items()}
    context = tuple(context[len(context) - order + 1 :]) if order > 1 else ()
    mine = {g[-1]: c for g, c in counts.items() if g[:-1] == context}
    lower = brute_force(tokens, V, order - 1, context[1:], w)
    if not mine:
        return lower
    cut = (0, *discounts(list(counts.values())))
    total = sum(mine.values())
    own = max(mine.get(w, 0) - cut[min(mine.get(w, 0), 3)], 0) / total
    return own + sum(cut[min(c, 3)] for c in mine.values()) / total * lower


def text(seed, V, n):
    return torch.randint(V, (n,), generator=torch.Generator().manual_seed(seed)).tolist()


def test_oracle_a_brute_force_count(seed):
    tokens, V = text(seed, 5, 60), 5
    model = NGram(tokens, V, ORDER)
    for context in ([0, 1], tokens[:2], tokens[7:9], [4, 4], [2]):
        if len(context) < 2:
            want = [brute_force(tokens, V, 2, context, w) for w in range(V)]
        else:
            want = [brute_force(tokens, V, ORDER, context, w) for w in range(V)]
        torch.testing.assert_close(
            model.probs(tuple(context)), torch.tensor(want, dtype=torch.float64), rtol=0, atol=1e-12
        )


def test_property_every_distribution_sums_to_one():
    @settings(deadline=None, max_examples=30)
    @given(st.integers(1, 4), st.integers(1, 9), st.integers(0, 2**20), st.lists(st.integers(0, 8), max_size=4))
    def holds(order, V, seed, context):
        model = NGram(text(seed, V, 40), V, order)
        probs = model.probs(tuple(c % V for c in context))
        assert abs(float(probs.sum()) - 1) < 1e-12 and (probs > 0).all()

    holds()


def test_the_francisco_effect():
    """A token that is frequent after one token only is an unlikely guess after an unknown one."""
    san, francisco, a, b, c = range(5)
    tokens = [san, francisco] * 20 + [a, b, c, b, a, c, a, san, francisco, b, san, francisco]
    unigram = NGram(tokens, 6, 2).probs(())
    assert unigram[francisco] < unigram[a] and tokens.count(francisco) > 3 * tokens.count(a)


def test_discounts_are_chen_and_goodmans():
    counts = [1] * 50 + [2] * 20 + [3] * 10 + [4] * 6
    y = 50 / (50 + 40)
    assert discounts(counts) == pytest.approx((1 - 2 * y * 20 / 50, 2 - 3 * y * 10 / 20, 3 - 4 * y * 6 / 10))
    assert discounts([1, 1, 2]) == (0.5, 1.0, 1.5)


def test_the_cache_changes_nothing(seed):
    model, tokens = NGram(text(seed, 7, 300), 7, 3), torch.tensor([text(seed + 1, 7, 9), text(seed + 2, 7, 9)])
    whole, cache = model(tokens), model.new_cache()
    pieces = [model(piece, cache) for piece in tokens.split(2, dim=1)]
    assert torch.equal(torch.cat(pieces, dim=1), whole) and cache.position == 9
    cache.crop(4)
    assert torch.equal(model(tokens[:, 4:6], cache), whole[:, 4:6])
    cache.select(torch.tensor([1, 1]))
    assert torch.equal(model(tokens[1:, 6:7].expand(2, -1), cache)[0], whole[1, 6:7])


@pytest.mark.parametrize("order, tokens", [(0, [1, 2]), (3, [1, 2])])
def test_bad_input(order, tokens):
    with pytest.raises(ValueError, match=f"order={order}: at least 1"):
        NGram(tokens, 5, order)
