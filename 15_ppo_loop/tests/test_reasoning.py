"""Sums with and without a chain: what is checked, what is rewarded, and that GRPO can use it."""

import copy

import pytest
import torch
from ppo_loop import EOS, GRPOConfig, Rollout, train_grpo
from ppo_loop.reasoning import CHAIN, DIRECT, Sums, accuracy, warm_up
from ppo_loop.reasoning.sums import EQUALS, ZERO


def written(sums, digits, answer):
    """A rollout of one answer, from digits and "=", "." for the stop token."""
    token = {"=": EQUALS, ".": EOS}
    ids = [token[c] if c in token else ZERO + int(c) for c in answer]
    tokens = torch.zeros(1, sums.prompt_len + sums.max_new_tokens, dtype=torch.long)
    tokens[0, : sums.digits] = torch.tensor([ZERO + int(d) for d in digits])
    tokens[0, sums.digits] = sums.mode
    tokens[0, sums.prompt_len : sums.prompt_len + len(ids)] = torch.tensor(ids)
    mask = torch.arange(sums.max_new_tokens) < len(ids)
    return Rollout(tokens, sums.prompt_len, torch.zeros(1, sums.max_new_tokens), mask[None])


@pytest.mark.parametrize(
    ("mode", "answer", "form", "correct", "steps", "faithful"),
    [
        (CHAIN, "215=5.", True, True, True, True),
        (CHAIN, "214=5.", True, True, False, False),  # right, but not because of its chain
        (CHAIN, "214=4.", True, False, False, True),  # faithful to a wrong chain
        (CHAIN, "215=4.", True, False, True, False),
        (CHAIN, "225=5.", True, True, False, True),  # a wrong step that does not show in the last one
        (CHAIN, "=5.", False, True, False, False),
        (CHAIN, "215=5", False, True, False, False),  # no stop token
        (CHAIN, "2155", False, False, False, False),
        (DIRECT, "=5.", True, True, True, True),
        (DIRECT, "=4.", True, False, True, True),
        (DIRECT, "5.", False, False, False, False),
        (DIRECT, "55555=", False, False, False, False),
    ],
)
def test_what_is_checked(mode, answer, form, correct, steps, faithful):
    """7 + 5 + 9 + 4: the running sums are 2, 1, 5."""
    sums = Sums(mode)
    checked = sums.check(written(sums, "7594", answer))
    assert [bool(x) for x in checked] == [form, correct, steps, faithful]
    compliant = form and correct and steps and faithful
    assert sums.compliance(written(sums, "7594", answer))["compliant"] == compliant
    assert sums.reward()(written(sums, "7594", answer)).item() == pytest.approx(0.2 * form + 1.0 * correct)


@pytest.mark.parametrize("mode", [DIRECT, CHAIN])
def test_demonstrations_are_compliant(mode):
    sums = Sums(mode)
    tokens = sums.demonstrations(sums.prompts(50, torch.Generator().manual_seed(0)))
    mask = tokens[:, sums.prompt_len :] != 0
    rollout = Rollout(tokens, sums.prompt_len, torch.zeros(mask.shape), mask)
    assert set(sums.compliance(rollout).values()) == {1.0}


def test_effect_a_few_steps_of_grpo_help_a_chain():
    policy = warm_up(digits=2, until=0.3, most=200, d_model=32)
    chain = Sums(CHAIN, 2)
    before = accuracy(policy, chain)["correct"]
    trained = copy.deepcopy(policy)
    train_grpo(
        trained, chain.prompts, chain.reward(), GRPOConfig(steps=40, max_new_tokens=4, lr=1e-3, epochs=2, prompts=16)
    )
    assert before < 0.7 and accuracy(trained, chain)["correct"] > before + 0.1


def test_bad_input_modes_and_digits():
    with pytest.raises(ValueError, match="mode=1"):
        Sums(1)
    with pytest.raises(ValueError, match="digits=1"):
        Sums(CHAIN, 1)
