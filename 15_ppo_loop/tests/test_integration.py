"""The toy language, its judge, and all stages in one loop."""

import pytest
import torch
from ppo_loop import EOS, PPOConfig, Rollout
from ppo_loop.integration import collect_pairs, make_reward_model, normalised, rlhf
from ppo_loop.integration.world import COMPLAINTS, PLAIN, WORDS, to_text
from ppo_loop.reward_model import differences, ranking_accuracy, shuffled_labels


def answer(words, world):
    tokens = torch.zeros(1, world.prompt_len + world.max_new_tokens, dtype=torch.long)
    ids = [WORDS.index(w) for w in ("lamp is " + words).split()]
    tokens[0, : len(ids)] = torch.tensor(ids)
    mask = torch.arange(world.max_new_tokens) < len(ids) - 2
    return Rollout(tokens, 2, torch.zeros(1, world.max_new_tokens), mask[None])


@pytest.mark.parametrize(
    ("words", "reward"),
    [
        ("bright and sturdy <eos>", 2),
        ("bright bright bright <eos>", 1 - 2),
        ("bright", 1 - 1),
        ("very ugly and loud <eos>", -2),
        ("and a and a <eos>", -2),
        ("lamp lamp <eos>", -1),
        ("small <eos>", 0),
    ],
)
def test_the_judge(world, words, reward):
    assert world.judge(answer(words, world)).item() == reward


def test_the_corpus_has_whole_answers_without_a_word_twice_in_a_row(world):
    tokens, mask = world.corpus(500, torch.Generator().manual_seed(0))
    answers = tokens[:, 2:]
    assert ((answers == EOS).sum(1) == 1).all() and torch.equal(
        mask, answers.cumsum(1).diff(prepend=torch.zeros(500, 1)) > 0
    )
    both = mask[:, 1:] & mask[:, :-1]
    assert not ((answers[:, 1:] == answers[:, :-1]) & both).any()
    assert to_text(tokens[0]).endswith("<eos>") and {*PLAIN, *COMPLAINTS} <= set(WORDS)


def test_a_model_of_the_corpus_writes_like_it(world, reference):
    from ppo_loop import sample

    generator = torch.Generator().manual_seed(0)
    rollout = sample(reference, world.prompts(500, generator), world.max_new_tokens, generator)
    tokens, mask = world.corpus(500, generator)
    assert rollout.mask.sum(1).float().mean().item() == pytest.approx(mask.sum(1).float().mean().item(), abs=0.5)
    corpus = Rollout(tokens, 2, torch.zeros(mask.shape), mask)
    assert world.judge(rollout).mean().item() == pytest.approx(world.judge(corpus).mean().item(), abs=0.5)


def test_effect_a_reward_model_ranks_unseen_pairs_and_shuffled_labels_teach_nothing(world, reference):
    pairs, unseen = (collect_pairs(world, reference, 512, seed) for seed in (1, 2))
    right, shuffled = (make_reward_model(reference, p, 80) for p in (pairs, shuffled_labels(pairs)))
    assert ranking_accuracy(differences(right, unseen)) > 0.63
    assert 0.4 < ranking_accuracy(differences(shuffled, unseen)) < 0.6
    score = normalised(right, world, reference, seed=5)
    values = score(unseen.chosen)
    assert abs(torch.cat([values, score(unseen.rejected)]).mean().item()) < 0.2


@pytest.mark.timeout(240)
def test_effect_all_stages_in_one_loop(world):
    found = rlhf(world, PPOConfig(steps=15, lr=2e-3, beta=0.1), rounds=2, pairs=256, sizes=(120, 60))
    assert len(found) == 3
    start, *rounds = found
    assert all(r["judge"] > start["judge"] + 0.3 for r in rounds) and start["kl"] < 1e-6
