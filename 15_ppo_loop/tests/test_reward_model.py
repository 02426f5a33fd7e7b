"""Preferences into a reward. The oracle of the loss is scikit-learn's logistic regression without an intercept."""

import numpy as np
import pytest
import torch
from mistakes import randn, right_mask
from ppo_loop import Config, Rollout, ScalarModel, bradley_terry_loss
from ppo_loop.reward_model import Pairs, calibration, differences, length_bias, ranking_accuracy, shuffled_labels

# ---------------------------------------------------------------- bradley_terry_loss


@pytest.mark.task("bradley_terry_loss")
def test_values_and_gradients_are_those_of_the_formula(impl, seed):
    chosen, rejected = (randn(seed + i, 7, dtype=torch.float64).requires_grad_() for i in (0, 1))
    margin = randn(seed + 2, 7, dtype=torch.float64).abs()
    got = impl.bradley_terry_loss(chosen, rejected, margin)
    wrong = 1 / (1 + (chosen - rejected - margin).exp())  # the probability that the model gives to the other order
    torch.testing.assert_close(got, -(1 - wrong).log().mean(), rtol=0, atol=1e-12)
    got.backward()
    torch.testing.assert_close(chosen.grad, -wrong.detach() / 7, rtol=0, atol=1e-12)
    torch.testing.assert_close(rejected.grad, wrong.detach() / 7, rtol=0, atol=1e-12)


@pytest.mark.task("bradley_terry_loss")
def test_pairs_far_in_the_wrong_order_have_a_finite_loss(impl):
    chosen = torch.tensor([-500.0, -500.0]).requires_grad_()
    loss = impl.bradley_terry_loss(chosen, torch.tensor([300.0, 300.0]))
    loss.backward()
    assert loss.item() == 800 and chosen.grad.tolist() == [-0.5, -0.5]


@pytest.mark.task("bradley_terry_loss")
def test_a_margin_asks_for_more(impl, seed):
    chosen, rejected = randn(seed, 5), randn(seed + 1, 5)
    plain = impl.bradley_terry_loss(chosen, rejected)
    torch.testing.assert_close(plain, impl.bradley_terry_loss(chosen, rejected, 0.0))
    torch.testing.assert_close(
        impl.bradley_terry_loss(chosen, rejected, 1.5), impl.bradley_terry_loss(chosen - 1.5, rejected)
    )
    assert impl.bradley_terry_loss(chosen, rejected, 1.5) > plain and plain.shape == ()


def test_oracle_logistic_regression_of_scikit_learn():
    from sklearn.linear_model import LogisticRegression

    generator = np.random.default_rng(0)
    true, x = generator.normal(size=5), generator.normal(size=(2, 400, 5))
    won = generator.random(400) < 1 / (1 + np.exp(-(x[0] - x[1]) @ true))
    difference = np.where(won[:, None], x[0] - x[1], x[1] - x[0])
    w = torch.zeros(5, dtype=torch.float64, requires_grad=True)
    features = torch.from_numpy(difference)
    optimizer = torch.optim.LBFGS([w], max_iter=200, tolerance_grad=1e-12, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        scores = features @ w
        loss = bradley_terry_loss(scores, torch.zeros_like(scores))
        loss.backward()
        return loss

    optimizer.step(closure)
    both, labels = np.concatenate([difference, -difference]), np.repeat([1, 0], 400)
    model = LogisticRegression(C=np.inf, fit_intercept=False, tol=1e-10, max_iter=1000).fit(both, labels)
    np.testing.assert_allclose(w.detach().numpy(), model.coef_[0], atol=1e-4)  # where its solver stops


# ---------------------------------------------------------------- last_token_scores


@pytest.mark.task("last_token_scores")
@pytest.mark.parametrize("side", ["right", "left"])
def test_the_last_real_token_is_read_wherever_the_padding_stands(impl, seed, side):
    lengths = [7, 3, 1, 5]
    scores, real = randn(seed, 4, 7), right_mask(lengths, 7)
    real = real if side == "right" else real.flip(1)
    got = impl.last_token_scores(scores, real)
    want = [scores[i, n - 1 if side == "right" else 6] for i, n in enumerate(lengths)]
    torch.testing.assert_close(got, torch.stack(want), rtol=0, atol=0)


@pytest.mark.task("last_token_scores")
def test_a_batch_of_one_row_keeps_its_axis(impl):
    got = impl.last_token_scores(torch.tensor([[3.0, 4.0, 5.0]]), torch.tensor([[True, True, False]]))
    assert got.shape == (1,) and got.tolist() == [4.0]


@pytest.mark.task("last_token_scores")
def test_only_that_score_gets_a_gradient(impl, seed):
    scores = randn(seed, 3, 4).requires_grad_()
    impl.last_token_scores(scores, right_mask([4, 1, 2], 4)).sum().backward()
    want = torch.zeros(3, 4)
    want[[0, 1, 2], [3, 0, 1]] = 1
    torch.testing.assert_close(scores.grad, want, rtol=0, atol=0)


@pytest.mark.task("last_token_scores")
def test_bad_input_a_row_of_padding(impl, seed):
    with pytest.raises(ValueError):
        impl.last_token_scores(randn(seed, 2, 3), right_mask([3, 0], 3))


def test_padding_does_not_change_a_reward():
    model = ScalarModel(Config(11, 9), seed=3)
    torch.nn.init.normal_(model.head.weight)
    tokens = torch.randint(2, 11, (2, 5), generator=torch.Generator().manual_seed(0))
    short = Rollout(tokens, 2, torch.zeros(2, 3), torch.ones(2, 3, dtype=torch.bool))
    padded = Rollout(torch.nn.functional.pad(tokens, (0, 4)), 2, torch.zeros(2, 7), right_mask([3, 3], 7))
    from ppo_loop import score_answers

    torch.testing.assert_close(score_answers(model, short), score_answers(model, padded))


# ---------------------------------------------------------------- the checks


def test_calibration_of_a_calibrated_model_and_of_a_boaster():
    generator = torch.Generator().manual_seed(0)
    true = 2 * torch.randn(20_000, generator=generator)
    won = torch.rand(20_000, generator=generator) < torch.sigmoid(true)
    difference = torch.where(won, true, -true)  # chosen minus rejected
    for predicted, observed in calibration(difference):
        assert observed == pytest.approx(predicted, abs=0.03)
    assert all(predicted > observed + 0.02 for predicted, observed in calibration(3 * difference))
    assert ranking_accuracy(difference) == pytest.approx(torch.sigmoid(true.abs()).mean().item(), abs=0.01)


def test_length_bias_of_a_model_that_counts():
    class Counts(ScalarModel):
        def forward(self, tokens):
            return torch.arange(tokens.shape[1]).float().expand(tokens.shape)

    rollout = Rollout(torch.ones(4, 8, dtype=torch.long), 2, torch.zeros(4, 6), right_mask([1, 2, 4, 6], 6))
    assert length_bias(Counts(Config(5, 8)), rollout) == pytest.approx(1)


def test_shuffled_labels_are_a_coin():
    mask = right_mask([3] * 400, 3)
    sides = [Rollout(torch.full((400, 5), token), 2, torch.zeros(400, 3), mask) for token in (3, 4)]
    shuffled = shuffled_labels(Pairs(*sides))
    share = (shuffled.chosen.tokens[:, 0] == 3).float().mean()
    assert 0.4 < share < 0.6
    assert torch.equal(shuffled.chosen.tokens + shuffled.rejected.tokens, torch.full((400, 5), 7))
    assert shuffled.chosen.prompt_len == 2


def test_differences_are_zero_for_an_untrained_head():
    mask = right_mask([3, 2], 3)
    side = Rollout(torch.ones(2, 5, dtype=torch.long), 2, torch.zeros(2, 3), mask)
    assert differences(ScalarModel(Config(5, 5)), Pairs(side, side)).tolist() == [0, 0]


@pytest.mark.task("last_token_scores")
def test_a_score_of_zero_is_a_score(impl, seed):
    scores, real = randn(seed, 3, 4), right_mask([4, 2, 3], 4)
    scores[1, 1] = scores[2, 2] = 0.0
    torch.testing.assert_close(impl.last_token_scores(scores, real), scores[[0, 1, 2], [3, 1, 2]], rtol=0, atol=0)
