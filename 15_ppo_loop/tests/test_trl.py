"""TRL 1.12.0 on the same batch: the losses of its DPO, GRPO and PPO trainers, values and gradients.

That version is the last one with PPO. `nox -s peers-15-trl` runs these tests in an environment of their own.
"""

import copy
import sys
from importlib.metadata import distributions

import pytest
import torch
from mistakes import answer_mask, randn, right_mask
from ppo_loop import (
    Config,
    Decoder,
    ScalarModel,
    answer_logprobs,
    dpo_loss,
    gae,
    group_advantages,
    grpo_loss,
    ipo_loss,
    last_token_scores,
    ppo_clip_loss,
    shaped_rewards,
    value_loss,
    whiten,
)
from ppo_loop.integration import World
from ppo_loop.lab import bench

# every run reads this file, and TRL is slow to import
VERSION = next((d.version for d in distributions(name="trl")), "")
pytestmark = [
    pytest.mark.trl,
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif(not VERSION.startswith("1.12."), reason="TRL 1.12 is not installed: nox -s peers-15-trl"),
]
WORLD = World(0)
CONFIG = Config(WORLD.vocab_size, 12, d_model=20, layers=2, heads=2)


def gradient_of(loss, model):
    """The gradient of every parameter, by name; those that do not take part are left out."""
    names, parameters = zip(*model.named_parameters(), strict=True)
    grads = torch.autograd.grad(loss, parameters, allow_unused=True)
    return {name: g for name, g in zip(names, grads, strict=True) if g is not None}


def assert_same(ours, theirs, atol):
    """Two losses and their gradients."""
    torch.testing.assert_close(ours[0].detach(), theirs[0].detach(), rtol=0, atol=atol)
    assert ours[1].keys() == theirs[1].keys() and len(ours[1]) > 10
    for name, g in ours[1].items():
        torch.testing.assert_close(g, theirs[1][name], rtol=0, atol=atol)


@pytest.mark.parametrize(("loss_type", "ours", "beta"), [("sigmoid", dpo_loss, 0.3), ("ipo", ipo_loss, 0.5)])
def test_oracle_dpo(tmp_path, loss_type, ours, beta):
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    policy, reference = (bench.gpt2_like(Decoder(CONFIG, seed)) for seed in (1, 2))
    data = Dataset.from_dict({"prompt": ["lamp is"], "chosen": ["bright"], "rejected": ["ugly"]})
    args = DPOConfig(**bench.common(str(tmp_path), 0), beta=beta, loss_type=loss_type)
    trainer = DPOTrainer(policy, reference, args, train_dataset=data, processing_class=bench.tokenizer())
    policy, reference = trainer.model.double().eval(), trainer.ref_model.double().eval()
    tokens = torch.randint(2, WORLD.vocab_size, (6, 9), generator=torch.Generator().manual_seed(0))  # chosen, rejected
    answers = answer_mask([2, 3, 2, 2, 3, 2], [9, 5, 7, 6, 9, 4], 9)
    padding = answer_mask([0] * 6, [9, 5, 7, 6, 9, 4], 9)
    inputs = {"input_ids": tokens, "attention_mask": padding.long(), "completion_mask": answers.long()}
    theirs = trainer._compute_loss(policy, inputs, return_outputs=False)
    logprobs = [
        answer_logprobs(m(tokens, attention_mask=padding.long()).logits, tokens, 1) for m in (policy, reference)
    ]
    (chosen, rejected), (ref_chosen, ref_rejected) = (x.chunk(2) for x in logprobs)
    mine = ours(chosen, rejected, ref_chosen, ref_rejected, *answers[:, 1:].chunk(2), beta)
    # float64; TRL keeps its sums in the same order, gradients are sums over tokens
    assert_same((mine, gradient_of(mine, policy)), (theirs, gradient_of(theirs, policy)), 1e-10)


@pytest.fixture(scope="module")
def grpo_trainer(tmp_path_factory):
    """A trainer that has made one step; what its loss was given, and the rewards, are kept."""
    from datasets import Dataset
    from trl import GRPOConfig, GRPOTrainer

    folder, kept = tmp_path_factory.mktemp("grpo"), {"rewards": []}
    bench.gpt2_like(Decoder(CONFIG, 1)).save_pretrained(folder)

    class Trainer(GRPOTrainer):
        def _compute_loss(self, model, inputs):
            kept.setdefault("inputs", inputs)
            return super()._compute_loss(model, inputs)

    def reward(completions, **kwargs):
        found = [float(len(set(text.split()))) for text in completions]
        kept["rewards"] += found
        return found

    from transformers import GPT2LMHeadModel

    args = GRPOConfig(
        **bench.common(str(folder), 0), max_steps=1, num_generations=4, beta=0.3, per_device_train_batch_size=8,
        max_completion_length=6, epsilon=0.15, temperature=0.8,
    )  # fmt: skip
    data = Dataset.from_dict({"prompt": bench.texts(WORLD, 8, 0)})
    model = GPT2LMHeadModel.from_pretrained(folder)
    trainer = Trainer(model, reward, args=args, train_dataset=data, processing_class=bench.tokenizer())
    with bench.quiet():
        trainer.train()
    return trainer, kept


def test_oracle_group_advantages(grpo_trainer):
    """TRL shuffles the answers after scoring, so both sides are sorted."""
    _, kept = grpo_trainer
    mine = group_advantages(torch.tensor(kept["rewards"]), torch.ones(8, 1, dtype=torch.bool), 4)[:, 0]
    torch.testing.assert_close(mine.sort()[0], kept["inputs"]["advantages"].sort()[0])
    assert mine.abs().max() > 0.5


@pytest.mark.parametrize(("loss_type", "correct_kl"), [("grpo", True), ("bnpo", False), ("dr_grpo", True)])
def test_oracle_grpo(grpo_trainer, loss_type, correct_kl):
    from trl import GRPOTrainer

    trainer, _ = grpo_trainer
    model = trainer.accelerator.unwrap_model(trainer.model).double().eval()
    trainer.loss_type, trainer.current_gradient_accumulation_steps = loss_type, 1
    trainer.args.use_bias_correction_kl = correct_kl
    prompts = WORLD.prompts(8, torch.Generator().manual_seed(1))
    answers = torch.randint(2, WORLD.vocab_size, (8, 6), generator=torch.Generator().manual_seed(2))
    mask = right_mask([6, 3, 1, 4, 5, 6, 2, 2], 6)
    tokens, attention = torch.cat([prompts, answers], 1), torch.cat([torch.ones(8, 2), mask], 1).long()
    with torch.no_grad():
        now = answer_logprobs(model(tokens, attention_mask=attention).logits, tokens, 2, 0.8)
    old, ref = now + 0.3 * randn(3, 8, 6, dtype=torch.float64), now + randn(4, 8, 6, dtype=torch.float64)
    advantages = group_advantages(randn(5, 8, dtype=torch.float64), mask, 4)
    inputs = {
        "prompt_ids": prompts, "prompt_mask": torch.ones_like(prompts), "completion_ids": answers,
        "completion_mask": mask.long(), "advantages": advantages[:, 0], "old_per_token_logps": old,
        "ref_per_token_logps": ref,
    }  # fmt: skip
    theirs = GRPOTrainer._compute_loss(trainer, model, inputs)
    logprobs = answer_logprobs(model(tokens, attention_mask=attention).logits, tokens, 2, 0.8)
    mine = grpo_loss(logprobs, old, ref, advantages, mask, 0.15, 0.3, loss_type, correct_kl)
    assert_same((mine, gradient_of(mine, model)), (theirs, gradient_of(theirs, model)), 1e-9)


def test_oracle_ppo_every_step_from_scores_to_gradients(tmp_path):
    """TRL pays the score one position after the stop token, where there is room; `wider` is the mask that has it."""
    from datasets import Dataset
    from trl.experimental.ppo import PPOConfig, PPOTrainer

    policy, scalar = Decoder(CONFIG, 1), ScalarModel.from_policy(Decoder(CONFIG, 2))
    torch.nn.init.normal_(scalar.head.weight, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        policy.wte.weight[1] += 0.3 * policy.ln_f.bias + 0.15  # some answers stop early
    words, seen = bench.tokenizer(), []
    args = PPOConfig(
        **bench.common(str(tmp_path), 0), total_episodes=16, num_ppo_epochs=2, num_mini_batches=1, kl_coef=0.3,
        per_device_train_batch_size=16, gradient_accumulation_steps=1, response_length=7, num_sample_generations=0,
        stop_token="eos", temperature=0.7, learning_rate=3e-3, missing_eos_penalty=1.5, whiten_rewards=True,
        gamma=0.98, lam=0.9, cliprange=0.1, cliprange_value=0.15,
    )  # fmt: skip
    data = Dataset.from_dict({"input_ids": [words(text)["input_ids"] for text in bench.texts(WORLD, 32, 0)]})
    trainer = PPOTrainer(
        args=args, processing_class=words, model=bench.gpt2_like(policy), ref_model=bench.gpt2_like(Decoder(CONFIG, 3)),
        reward_model=bench.gpt2_scalar_like(scalar), value_model=bench.gpt2_scalar_like(scalar), train_dataset=data,
    )  # fmt: skip
    backward = trainer.accelerator.backward

    def spy(loss, **kwargs):
        there = dict(sys._getframe(1).f_locals)  # what TRL's loop holds at this moment
        model = copy.deepcopy(trainer.model)
        backward(loss, **kwargs)
        grads = {n: p.grad.clone() for n, p in trainer.model.named_parameters() if p.grad is not None}
        seen.append((there, model, loss.detach(), grads))

    trainer.accelerator.backward = spy
    with bench.quiet():
        trainer.train()
    assert len(seen) == 2
    there = seen[0][0]
    mask, wider = ~there["padding_mask"], ~there["padding_mask_p1"]
    assert 1 < mask.sum(1).unique().numel()  # answers of several lengths

    # scores: the reward at the last real token, and the penalty for answers that do not stop
    tokens = torch.cat([there["queries"], there["postprocessed_responses"]], 1)
    scores = last_token_scores(scalar(tokens), torch.cat([torch.ones_like(there["queries"]).bool(), mask], 1))
    scores = scores - 1.5 * ~(there["postprocessed_responses"] == words.eos_token_id).any(1)
    torch.testing.assert_close(scores, there["scores"], rtol=1e-4, atol=1e-5)

    # rewards, advantages, returns
    rewards = shaped_rewards(there["scores"], there["logprobs"], there["ref_logprobs"], wider, 0.3)
    rewards = whiten(rewards, wider, shift_mean=False)
    torch.testing.assert_close(rewards, there["rewards"], rtol=1e-5, atol=1e-6)
    advantages, returns = gae(rewards, there["values"], wider, 0.98, 0.9)
    torch.testing.assert_close(returns, there["returns"], rtol=1e-5, atol=1e-5)
    advantages = whiten(advantages, mask)
    torch.testing.assert_close(advantages, there["advantages"], rtol=1e-4, atol=1e-5)

    # both epochs' losses and gradients: in the second the policy has moved
    for epoch, (there, model, theirs, grads) in enumerate(seen):
        rows = there["micro_batch_inds"]
        texts, prompt_len = there["mb_query_responses"], there["context_length"]
        attention = (texts != words.pad_token_id).long()
        logprobs = answer_logprobs(model.policy(texts, attention_mask=attention).logits, texts, prompt_len, 0.7)
        values = model.value_model.score(model.value_model.transformer(texts, attention_mask=attention)[0])[..., 0]
        actor = ppo_clip_loss(logprobs, there["mb_logprobs"], there["mb_advantage"], mask[rows], 0.1)
        critic = value_loss(values[:, prompt_len - 1 : -1], there["mb_values"], there["mb_return"], wider[rows], 0.15)
        mine = actor + args.vf_coef * critic
        torch.testing.assert_close(mine.detach(), theirs, rtol=1e-5, atol=1e-6)
        assert epoch == 0 or (logprobs.detach() - there["mb_logprobs"])[mask[rows]].abs().max() > 1e-3
        found = gradient_of(mine, model)
        largest = max(float(g.abs().max()) for g in grads.values())
        assert {n for n, g in grads.items() if g.any()} == {n for n, g in found.items() if g.any()}
        for name, g in found.items():
            torch.testing.assert_close(g, grads[name], rtol=0, atol=1e-4 * largest)  # float32 sums
