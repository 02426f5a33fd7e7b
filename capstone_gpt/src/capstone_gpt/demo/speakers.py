"""Models that go on with a text, one character at a time: counts, MLP, WaveNet, GPT-2's shape, a modern decoder.

Dimensions:
    B  rows of a batch      T  characters      V  vocabulary
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ..data import ByteTokenizer, CharTokenizer, Pairs, windows
from ..ladder import FastKneserNey, MLPModel, WaveNetModel
from ..model import GPT, GPTConfig, ModernConfig, ModernGPT, generate
from ..model.sample import probabilities
from ..training import Checkpoint, Config, Trainer, evaluate, token_loss
from ..training.checkpoint import random_state, restore_random

CONTEXT, SEQ_LEN = 8, 64
RUNGS = ("counts of pairs", "counts, 5-grams", "MLP", "WaveNet", "GPT-2's shape", "modern GPT")
STEPS = 300


class Counts(nn.Module):
    """n-gram counts with a model's form. Only the last place of its logits is filled; the others are zero."""

    def __init__(self, tokens: Int[Tensor, "n"], order: int, vocab_size: int):
        super().__init__()
        self.table = FastKneserNey(tokens.numpy(), order, vocab_size)
        self.config = SimpleNamespace(context_length=max(1, order - 1))

    def forward(self, x: Int[Tensor, "B T"]) -> Float[Tensor, "B T V"]:
        V, T = self.table.vocab_size, x.shape[1]
        logits = torch.zeros(*x.shape, V)
        for row, context in enumerate(x.numpy()):
            after = np.tile(np.append(context[1:], 0), (V, 1))
            after[:, -1] = np.arange(V)  # every token might be next
            p = self.table.probabilities(np.tile(context, (V, 1)).reshape(V, T), after)[:, -1]
            logits[row, -1] = torch.from_numpy(np.log(p)).float()
        return logits


class Sliding(nn.Module):
    """A model of a fixed context, at every place of a text. What is before the text is token 0."""

    def __init__(self, model: nn.Module, context: int = CONTEXT):
        super().__init__()
        self.model, self.context = model, context
        self.config = SimpleNamespace(context_length=context)

    def forward(self, x: Int[Tensor, "B T"]) -> Float[Tensor, "B T V"]:
        B, T = x.shape
        padded = torch.cat([x.new_zeros(B, self.context - 1), x], dim=1)
        contexts = padded.unfold(1, self.context, 1)  # B T context
        return self.model(contexts.reshape(B * T, self.context)).view(B, T, -1)


@dataclass
class Speaker:
    """A model, the tokenizer it was trained with, and its loss on text it has not seen (nats a token; or None)."""

    name: str
    model: Any
    tokenizer: Any
    loss: float | None

    def say(self, prompt: str, length: int, seed: int = 0, **settings: Any) -> str:
        """The prompt and `length` tokens more; `settings` are those of `generate`.

        Raises:
            ValueError: a character that the model has never seen, or a refused setting.
        """
        tokens = torch.tensor([self.encode(prompt)])
        made = generate(self.model.eval(), tokens, length, torch.Generator().manual_seed(seed), **settings)
        return self.tokenizer.decode(made[0].tolist())

    def expects(self, prompt: str, count: int = 8, **settings: Any) -> dict[str, float]:
        """{token: probability} of the likeliest next tokens under these settings."""
        tokens = torch.tensor([self.encode(prompt)])[:, -self.model.config.context_length :]
        with torch.inference_mode():
            p = probabilities(self.model.eval()(tokens)[:, -1].float(), **settings)[0]
        top = p.topk(min(count, len(p)))
        return {visible(self.tokenizer.decode([int(t)]), int(t)): float(v) for v, t in zip(*top, strict=True) if v > 0}

    def encode(self, prompt: str) -> list[int]:
        return self.tokenizer.encode(prompt or "\n")


def visible(token: str, number: int) -> str:
    """A token with a form on a page; a byte that is no character alone is told by its number."""
    names = {" ": "␣ space", "\n": "⏎ new line", "\ufffd": f"byte {number}"}
    return names.get(token, token if token.isprintable() else f"byte {number}")


def speaker(rung: str, text: str, steps: int = STEPS, seed: int = 0) -> Speaker:
    """One rung of the ladder, counted or trained on nine tenths of a text. Half a minute at most with 300 steps.

    Raises:
        ValueError: a rung that is not in RUNGS, or a text too short for a window.
    """
    if rung not in RUNGS:
        raise ValueError(f"rung={rung!r}: choose one of {', '.join(RUNGS)}")
    tokenizer = CharTokenizer(text)
    tokens = torch.tensor(tokenizer.encode(text))
    train, valid = (windows(tokens, SEQ_LEN, split) for split in ("train", "valid"))
    V = tokenizer.vocab_size
    if rung in RUNGS[:2]:
        model = Counts(tokens[: int(len(tokens) * 0.9)], 2 if rung == RUNGS[0] else 5, V)
        p = model.table.probabilities(*(t.numpy() for t in valid))
        return Speaker(rung, model, tokenizer, float(-np.log(p).mean()))
    torch.manual_seed(seed)
    made: dict[str, Callable[[], nn.Module]] = {
        "MLP": lambda: Sliding(MLPModel(V, CONTEXT)),
        "WaveNet": lambda: Sliding(WaveNetModel(V, CONTEXT)),
        "GPT-2's shape": lambda: GPT(GPTConfig(V, SEQ_LEN, 2, 4, 128)),
        "modern GPT": lambda: ModernGPT(ModernConfig(V, SEQ_LEN)),
    }
    model = made[rung]()
    modern = rung == "modern GPT"
    config = Config(steps=steps, lr=5e-3 if modern else 3e-3, seed=seed, optimizer="muon" if modern else "adamw")
    Trainer(model, Pairs(*train), config, token_loss).fit()
    return Speaker(rung, model, tokenizer, evaluate(model, *valid, batch_size=64))


class Kept:
    """A part of a checkpoint that is only read."""

    def state_dict(self) -> dict:
        return self.state

    def load_state_dict(self, state: dict) -> None:
        self.state = state


def from_run(folder: Path | str) -> Speaker:
    """The GPT in the folder of a long run (`python -m capstone_gpt long --folder …`). Its tokens are bytes.

    Raises:
        ValueError: there is no checkpoint, or it is damaged.
    """
    path = Path(folder) / "checkpoint.pt"
    if not path.is_file():
        raise ValueError(f"{path}: there is no checkpoint; `python -m capstone_gpt long` makes one")
    parts = {name: Kept() for name in ("config", "model", "optimizer", "sampler")}
    before = random_state()
    step = Checkpoint(path).load(parts)
    model = ModernGPT(ModernConfig(**parts["config"].state["model"]))
    restore_random(before)
    model.load_state_dict(parts["model"].state)
    return Speaker(f"long run, step {step:,}", model, ByteTokenizer(), None)
