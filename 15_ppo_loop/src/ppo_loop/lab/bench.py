"""Ours beside TRL 1.12.0, alternating in one run: samples a second of GRPO and PPO on the same model and task.

The model is GPT-2's shape with the same weights on both sides, and the prompts are the toy language's. GRPO's reward
counts words of praise; PPO's comes from a reward model of the same size. Both sides sample, score, and take the same
number of optimizer steps with the same batch.
"""

import argparse
import contextlib
import copy
import io
import logging
import tempfile
import time
import warnings
from collections.abc import Callable
from functools import partial
from statistics import median

import torch
from torch import nn

from ..grpo import GRPOConfig, train_grpo
from ..integration.world import PRAISE, WORDS, World, ids
from ..model import Config, Decoder, ScalarModel
from ..reward_model import score_answers
from ..rollout import EOS, PAD, Rollout
from ..trainer import PPOConfig, train_ppo

GROUPS, GROUP_SIZE, BETA = 8, 8, 0.04
BATCH, EPOCHS = GROUPS * GROUP_SIZE, 2
WANTED = 2.0


def gpt2_like(model: Decoder):
    """The same weights in transformers' GPT-2."""
    from transformers import GPT2Config, GPT2LMHeadModel

    c = model.config
    config = GPT2Config(
        vocab_size=c.vocab_size, n_positions=c.max_len, n_embd=c.d_model, n_layer=c.layers, n_head=c.heads,
        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=EOS, eos_token_id=EOS, pad_token_id=PAD,
    )  # fmt: skip
    peer = GPT2LMHeadModel(config)
    copy_trunk(model, peer.transformer)
    return peer


def gpt2_scalar_like(model: ScalarModel):
    """The same weights in transformers' GPT-2 with a score for each token."""
    from transformers import GPT2ForSequenceClassification

    config = copy.deepcopy(gpt2_like(model.trunk).config)
    config.num_labels = 1
    peer = GPT2ForSequenceClassification(config)
    copy_trunk(model.trunk, peer.transformer)
    peer.score.weight.data.copy_(model.head.weight.data)
    return peer


@torch.no_grad()
def copy_trunk(model: Decoder, trunk: nn.Module) -> None:
    """Our weights into GPT-2's modules; its linear layers are stored the other way round."""
    trunk.wte.weight.copy_(model.wte.weight)
    trunk.wpe.weight.copy_(model.wpe.weight)
    trunk.ln_f.load_state_dict(model.ln_f.state_dict())
    for ours, theirs in zip(model.blocks, trunk.h, strict=True):
        theirs.ln_1.load_state_dict(ours.ln_1.state_dict())
        theirs.ln_2.load_state_dict(ours.ln_2.state_dict())
        linears = (ours.qkv_proj, ours.o_proj, ours.fc, ours.proj)
        peers = (theirs.attn.c_attn, theirs.attn.c_proj, theirs.mlp.c_fc, theirs.mlp.c_proj)
        for mine, other in zip(linears, peers, strict=True):
            other.weight.copy_(mine.weight.T)
            other.bias.copy_(mine.bias)


def tokenizer():
    """The toy language's words for TRL."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="<pad>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=made, pad_token="<pad>", eos_token="<eos>", unk_token="<pad>", padding_side="left"
    )


def praise(rollout: Rollout) -> torch.Tensor:
    """The bench's reward: how many words of praise."""
    answer = rollout.tokens[:, rollout.prompt_len :]
    return torch.isin(answer, ids(PRAISE)).sum(1).float()


# ---------------------------------------------------------------- the contenders: seconds of each step


def our_grpo(model: Decoder, world: World, steps: int, seed: int) -> list[float]:
    config = GRPOConfig(steps, GROUPS, GROUP_SIZE, world.max_new_tokens, epochs=1, beta=BETA, seed=seed)
    return between(lambda watch: train_grpo(copy.deepcopy(model), world.prompts, praise, config, watch))


def our_ppo(model: Decoder, world: World, steps: int, seed: int) -> list[float]:
    config = PPOConfig(steps, BATCH, world.max_new_tokens, epochs=EPOCHS, beta=0.05, value_coef=0.1, seed=seed)
    judge = ScalarModel.from_policy(model).requires_grad_(False)  # TRL's PPO takes a reward model
    score = partial(score_answers, judge)
    return between(lambda watch: train_ppo(copy.deepcopy(model), world.prompts, score, config, watch=watch))


def trl_grpo(model: Decoder, world: World, steps: int, seed: int) -> list[float]:
    from datasets import Dataset
    from trl import GRPOConfig as TrlConfig
    from trl import GRPOTrainer

    def reward(completions, **kwargs):
        return [float(sum(word in PRAISE for word in text.split())) for text in completions]

    with tempfile.TemporaryDirectory() as folder:
        gpt2_like(model).save_pretrained(folder)  # TRL makes the reference from a saved model
        from transformers import GPT2LMHeadModel

        args = TrlConfig(
            **common(folder, seed), max_steps=steps, num_generations=GROUP_SIZE, beta=BETA,
            per_device_train_batch_size=BATCH,
            max_completion_length=world.max_new_tokens, loss_type="bnpo", learning_rate=1e-3,
        )  # fmt: skip
        data = Dataset.from_dict({"prompt": texts(world, 64 * GROUPS, seed)})
        callback, times = timer()
        trainer = GRPOTrainer(
            GPT2LMHeadModel.from_pretrained(folder), reward, args=args, train_dataset=data,
            processing_class=tokenizer(), callbacks=[callback],
        )  # fmt: skip
        trainer.train()
    return differences(times)


def trl_ppo(model: Decoder, world: World, steps: int, seed: int) -> list[float]:
    from datasets import Dataset
    from trl.experimental.ppo import PPOConfig as TrlConfig
    from trl.experimental.ppo import PPOTrainer

    words = tokenizer()
    prompts = [words(text)["input_ids"] for text in texts(world, 4 * BATCH, seed)]
    scalar = ScalarModel.from_policy(model)
    reward_model = gpt2_scalar_like(scalar)
    with tempfile.TemporaryDirectory() as folder:
        args = TrlConfig(
            **common(folder, seed), total_episodes=steps * BATCH, num_ppo_epochs=EPOCHS, num_mini_batches=1,
            per_device_train_batch_size=BATCH, gradient_accumulation_steps=1, response_length=world.max_new_tokens,
            num_sample_generations=0, stop_token="eos", temperature=1.0, learning_rate=1e-3,
        )  # fmt: skip
        callback, times = timer()
        data = Dataset.from_dict({"input_ids": prompts})
        trainer = PPOTrainer(
            args=args, processing_class=words, model=gpt2_like(model), ref_model=gpt2_like(model),
            reward_model=reward_model, value_model=gpt2_scalar_like(scalar), train_dataset=data, callbacks=[callback],
        )  # fmt: skip
        trainer.train()
    return differences(times)


def common(folder: str, seed: int) -> dict:
    """What both of TRL's trainers are told."""
    return {
        "output_dir": folder, "use_cpu": True, "report_to": "none", "logging_steps": 1000, "save_strategy": "no",
        "bf16": False, "disable_tqdm": True, "gradient_checkpointing": False, "seed": seed,
    }  # fmt: skip


def texts(world: World, count: int, seed: int) -> list[str]:
    """Prompts as text."""
    generator = torch.Generator().manual_seed(seed)
    return [" ".join(WORDS[i] for i in row) for row in world.prompts(count, generator).tolist()]


def between(run: Callable) -> list[float]:
    """Seconds of each step but the first, as our loops report them."""
    times = []

    def watch(policy, step):
        times.append(time.perf_counter())
        return {}

    run(watch)
    return differences(times)


def timer():
    """A callback for TRL that notes when each step ends."""
    from transformers import TrainerCallback

    times = []

    class Timer(TrainerCallback):
        def on_step_end(self, args, state, control, **kwargs):
            times.append(time.perf_counter())

    return Timer(), times


def differences(times: list[float]) -> list[float]:
    return [b - a for a, b in zip(times, times[1:], strict=False)]


CONTENDERS = {"GRPO": (our_grpo, trl_grpo), "PPO": (our_ppo, trl_ppo)}


@contextlib.contextmanager
def quiet():
    """TRL prints and warns; none of it is a measurement."""
    from transformers.utils import logging as theirs

    theirs.disable_progress_bar()
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)


def check(model: Decoder, world: World, seed: int) -> float:
    """The largest difference of the two models' logits. Raises ValueError where they are not the same model."""
    tokens, _ = world.corpus(16, torch.Generator().manual_seed(seed))
    with torch.no_grad():
        error = float((model(tokens) - gpt2_like(model)(tokens).logits).abs().max())
    if error > 1e-4:
        raise ValueError(f"error={error:.1e}: both sides must be the same model before they are timed")
    return error


def bench(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """Samples a second of both sides, in turn."""
    rounds, steps = (1, 3) if options.quick else (5, 16)
    world = World(0)
    config = Config(world.vocab_size, world.prompt_len + world.max_new_tokens, d_model=64, layers=2, heads=4)
    model = Decoder(config, options.seed)
    with quiet():
        found = {"error": check(model, world, options.seed), "batch": BATCH, "epochs": EPOCHS, "rounds": rounds}
        speeds = {name: {"ours": [], "TRL": []} for name in CONTENDERS}
        for turn in range(rounds):
            for name, sides in CONTENDERS.items():
                for side, contender in zip(("ours", "TRL"), sides, strict=True):
                    log(f"round {turn + 1} of {rounds}: {name}, {side}")
                    seconds = median(contender(model, world, steps, options.seed + turn))
                    speeds[name][side].append(BATCH / seconds)
    ratios = {n: [a / b for a, b in zip(s["ours"], s["TRL"], strict=True)] for n, s in speeds.items()}
    return found | {"steps": steps - 1, "samples_per_second": speeds, "ratio": ratios, "limit": limit(model, world)}


def limit(model: Decoder, world: World) -> dict:
    """What a step cannot do without: multiplications of sampling, of the reference and of the update, and their time.

    A product of this processor in matrices of 512 gives the speed.
    """
    parameters = sum(p.numel() for p in model.parameters()) - model.wpe.weight.numel()
    tokens = BATCH * (world.prompt_len + world.max_new_tokens)
    flop = {"GRPO": 2 * parameters * tokens * (1 + 1 + 3), "PPO": 2 * parameters * tokens * (1 + 2 + 2 * 3 * EPOCHS)}
    a = torch.randn(512, 512)
    times = []
    for _ in range(20):
        start = time.perf_counter()
        a @ a
        times.append(time.perf_counter() - start)
    speed = 2 * 512**3 / min(times)
    return {
        "flop": flop,
        "flop_per_second": speed,
        "samples_per_second": {n: BATCH * speed / f for n, f in flop.items()},
    }
