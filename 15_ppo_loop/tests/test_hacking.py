"""Best of n by formula and by counting, Gao's curves, normalised rewards, and a proxy followed too far."""

import copy
import itertools
import math

import numpy as np
import pytest
import torch
from mistakes import randn
from ppo_loop import PPOConfig, Rollout, train_ppo
from ppo_loop.hacking import (
    RunningNormalizer,
    best_of_n,
    best_of_n_kl,
    capped,
    fit_bon,
    fit_rl,
    heavy_tailed_proxy,
    worst_of,
)
from ppo_loop.integration import evaluate


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_best_of_n_is_the_mean_over_all_subsets(seed, n):
    proxy, gold = randn(seed, 3, 5, dtype=torch.float64), randn(seed + 1, 3, 5, dtype=torch.float64)
    want = []
    for p, subset in itertools.product(range(3), itertools.combinations(range(5), n)):
        best = max(subset, key=lambda i, p=p: proxy[p, i])
        want.append((proxy[p, best].item(), gold[p, best].item()))
    got = [x.item() for x in best_of_n(proxy, gold, n)]
    np.testing.assert_allclose(got, np.mean(want, 0), atol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 5, 64])
def test_kl_of_best_of_n_by_the_density_of_the_largest(n):
    """The best of n uniform numbers has the density n u^(n-1): integrate its log against it."""
    u = (np.arange(200_000) + 0.5) / 200_000
    density, log_density = n * u ** (n - 1), np.log(n) + (n - 1) * np.log(u)
    assert best_of_n_kl(n) == pytest.approx((density * log_density).mean(), abs=1e-4)


def test_gaos_forms_are_recovered():
    d = np.linspace(0.2, 4, 20)
    assert fit_bon(d, d * (1.3 - 0.2 * d)) == pytest.approx((1.3, 0.2))
    assert fit_rl(d, d * (0.9 - 0.4 * np.log(d))) == pytest.approx((0.9, 0.4))


def test_effect_a_heavy_tailed_error_makes_a_hump_and_a_normal_one_does_not():
    curves = {}
    for degrees in (float("inf"), 2.0):
        proxy, gold = heavy_tailed_proxy(200, 1024, degrees)
        curves[degrees] = [best_of_n(proxy, gold, n)[1].item() for n in (1, 8, 64, 1024)]
    normal, heavy = curves.values()
    assert normal == sorted(normal)
    assert max(heavy) > 0.5 and heavy[-1] < max(heavy) - 0.3


def test_running_normalisation_is_that_of_all_rewards_so_far(seed):
    batches, normalizer = [5 + 3 * randn(seed + i, n) for i, n in enumerate((4, 1, 7))], RunningNormalizer()
    for i, batch in enumerate(batches):
        seen = torch.cat(batches[: i + 1])
        torch.testing.assert_close(normalizer.update(batch), (batch - seen.mean()) / seen.std(), rtol=1e-4, atol=1e-4)
    one = RunningNormalizer(center=False)
    assert one.update(torch.tensor([3.0])).item() == pytest.approx(3)  # no deviation yet
    assert (one.update(torch.tensor([1.0, 5.0])) > 0).all()


def test_caps_and_the_worst_of_several():
    rollout = Rollout(torch.zeros(2, 2, dtype=torch.long), 1, torch.zeros(2, 1), torch.ones(2, 1, dtype=torch.bool))
    a, b = (lambda _, x=x: torch.tensor(x) for x in ([1.0, 4.0], [2.0, 3.0]))
    assert capped(a, 2.0)(rollout).tolist() == [1, 2] and worst_of([a, b])(rollout).tolist() == [1, 3]


def test_effect_a_proxy_without_a_penalty_is_hacked_and_a_penalty_cures_it(stage):
    """Twice the same run; at the end the proxy is higher without the penalty, and the judge's reward lower."""
    world, reference, score, before, found = stage.world, stage.reference, stage.score, stage.start, {}
    for beta in (0.0, 0.1):
        policy = copy.deepcopy(reference)
        train_ppo(policy, world.prompts, score, PPOConfig(steps=30, lr=5e-3, beta=beta))
        found[beta] = evaluate(world, policy, reference, score)
    assert found[0.1]["judge"] > before["judge"] + 0.8
    assert found[0.0]["proxy"] > before["proxy"] + 0.5 and found[0.0]["kl"] > 3 * found[0.1]["kl"]
    assert found[0.0]["judge"] < found[0.1]["judge"] - 1


def test_bad_input_numbers_of_answers():
    with pytest.raises(ValueError, match="n=0"):
        best_of_n_kl(0)
    with pytest.raises(ValueError, match="n=6: must be from 1 to 5"):
        best_of_n(torch.zeros(2, 5), torch.zeros(2, 5), 6)
    assert best_of_n_kl(1) == 0 and math.isclose(best_of_n_kl(4), math.log(4) - 0.75)
