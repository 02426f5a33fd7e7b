"""Scores beside sacrebleu and rouge-score; batched answers beside single ones."""

import itertools
import string

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from instruct_tuner import Config, Decoder, Example, bleu, chrf, exact_match, generate, gold_loss, rouge_l
from mistakes import IGNORE, sentence, word

TEXT = st.text("ab .,'T\n", max_size=9)


@pytest.mark.task("exact_match")
@pytest.mark.parametrize(
    ("prediction", "answers", "right"),
    [
        ("Paris.", ["paris"], True), ("the Paris", ["paris"], True), ("paris", ["The  Paris!"], True),
        ("PARIS", ["Lyon", "Paris"], True), ("not Paris", ["Paris"], False), ("Paris", ["not Paris"], False),
        ("don't", ["dont"], True), ("don t", ["don't"], False), ("then", ["n"], False), ("banana", ["bnn"], False),
        ("a cat and the dog", ["cat and dog"], True), ("An owl", ["owl"], True), ("an owl", ["a owl"], True),
        (" x \t y\n", ["x y"], True), ("xy", ["x y"], False), ("The", [""], True), ("Lyon", ["Paris", "Rome"], False),
        ("a", ["b", "a b"], False), ("The  cat", ["cat"], True), ("x_y", ["xy"], True),
        ("“x”", ["x"], False), ("x y", ["y x"], False), ("x x", ["x"], False),
        ("cat  dog", ["cat dog"], True), ("Straße", ["strasse"], False), ("ÄPFEL", ["äpfel"], True),
        ("$5+", ["5"], True), ("x", [], False), ("x\ny", ["x y"], True),
        ("The, cat", ["cat"], True), ("cat (a)", ["cat"], True),
    ],
)  # fmt: skip
def test_what_matches(impl, prediction, answers, right):
    assert impl.exact_match(prediction, answers) is right


@pytest.mark.task("exact_match")
def test_property_articles_punctuation_and_capitals_do_not_count(impl):
    @settings(deadline=None, max_examples=30)
    @given(TEXT, TEXT)
    def holds(a, b):
        def words(t):
            kept = "".join(c for c in t.lower() if c not in string.punctuation).split()
            return [w for w in kept if w not in ("a", "an", "the")]

        assert impl.exact_match(a, [b]) is (words(a) == words(b))
        assert impl.exact_match(f"The {a.upper()}!", ["x", a]) is True

    holds()


def test_oracle_rouge_score():
    from rouge_score import rouge_scorer

    scorer = rouge_scorer.RougeScorer(["rougeL"])
    for n in range(8):
        p, r = sentence(n, 3 + 2 * n, 2 + n % 5), sentence(n + 50, 19 - 2 * n, 2 + n % 4)
        assert rouge_l(p, r) == pytest.approx(scorer.score(r, p)["rougeL"].fmeasure, abs=1e-12)


@pytest.mark.task("rouge_l")
def test_the_longest_of_all_common_subsequences(impl, seed):
    for n in range(6):
        p, r = sentence(seed + n, 3 + n, 2 + n % 4), sentence(seed + n + 50, 8 - n, 2 + n % 3)
        words = [p.lower().split(), r.lower().split()]
        both = [{c for k in range(len(w) + 1) for c in itertools.combinations(w, k)} for w in words]
        longest = max(map(len, both[0] & both[1]))
        assert impl.rouge_l(p, r) == pytest.approx(2 * longest / (len(words[0]) + len(words[1])), abs=1e-12)
        assert impl.rouge_l(p.upper(), p.lower()) == 1


@pytest.mark.task("rouge_l")
def test_the_order_counts_and_empty_texts_are_zero(impl, seed):
    a, b, c = (word(seed, i) for i in range(3))
    assert impl.rouge_l(f"{a} {b} {c}", f"{c} {b} {a}") == pytest.approx(1 / 3)
    assert impl.rouge_l(f"{a} {a}", a) == pytest.approx(2 / 3)
    assert impl.rouge_l(f"{a} x {b}", f"{a} {b}") == pytest.approx(0.8)
    assert impl.rouge_l(f"{a}, {b}.", f"{a} {b}.") == pytest.approx(0.5)
    assert impl.rouge_l(f"x y {a} {b} {c}", f"{a} q {b} q {c} x y") == pytest.approx(0.5)
    assert impl.rouge_l(f"{a}\t{b}\nx", f"{a} {b} x") == 1
    assert impl.rouge_l(f"{a} " * 300, f"{a} " * 300) == 1
    assert impl.rouge_l(f"Straße {a}", f"strasse {a}") == pytest.approx(0.5)
    assert impl.rouge_l(f"{a} " * 1500, f"x {a}") == pytest.approx(2 / 1502)
    assert [impl.rouge_l(*t) for t in (("", "a"), ("a", ""), ("", " "), ("a b", "c"))] == [0, 0, 0, 0]


def corpus():
    predictions = ["the cat sat on the mat today", "a dog ran in the park", "it is a b c d e f"]
    references = ["the cat sat on a mat", "the dog ran in the green park", "it is a b c d e g"]
    return predictions, references


def test_oracle_sacrebleu():
    import sacrebleu

    p, r = corpus()
    theirs = sacrebleu.corpus_bleu(p, [r], tokenize="none", smooth_method="none").score
    assert bleu(p, r) == pytest.approx(theirs, abs=1e-9) and 0 < theirs < 100
    shorter = [" ".join(t.split()[:-2]) for t in p]
    theirs = sacrebleu.corpus_bleu(shorter, [r], tokenize="none", smooth_method="none").score
    assert bleu(shorter, r) == pytest.approx(theirs, abs=1e-9)
    for pair in ((p, r), (shorter, r), (r, p)):
        assert chrf(*pair) == pytest.approx(sacrebleu.corpus_chrf(pair[0], [pair[1]]).score, abs=1e-9)
    assert bleu(["x"], ["y"]) == chrf([""], ["y"]) == chrf(["x"], ["y"]) == 0


def test_answers_in_a_batch_are_those_of_single_prompts():
    """Prompts are padded on the left: masks and positions must hide that."""
    model = Decoder(Config(41, 32, 2, 4, 2, 48), seed=3)
    prompts = [torch.randint(41, (n,), generator=torch.Generator().manual_seed(n)) for n in (3, 9, 1, 5)]
    end = 7
    together = generate(model, prompts, 12, end)
    assert together == [generate(model, [p], 12, end)[0] for p in prompts]
    for prompt, answer in zip(prompts, together, strict=True):
        ids = prompt
        for token in [*answer, *([end] if len(answer) < 12 else [])]:
            assert int(model(ids[None])[0, -1].argmax()) == token
            ids = torch.cat([ids, torch.tensor([token])])


def test_gold_loss_is_the_mean_over_all_tokens_whatever_the_batch():
    model = Decoder(Config(41, 16, 1, 2, 1, 16)).double()
    made = []
    for i in range(7):
        ids = torch.randint(41, (4 + i,), generator=torch.Generator().manual_seed(i))
        made.append(Example(ids, torch.where(torch.arange(len(ids)) > 1, ids, IGNORE)))
    assert gold_loss(model, made, 3) == pytest.approx(gold_loss(model, made, 7), rel=1e-10)
    assert isinstance(exact_match("a", ["a"]), bool) and isinstance(rouge_l("a", "a"), float)
