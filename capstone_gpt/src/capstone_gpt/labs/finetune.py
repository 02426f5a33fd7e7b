"""Fine-tuning: a checkpoint of English goes on with Python code, under three optimizers, and forgets.

`hugging_face` does the same to a GPT-2 of Hugging Face's: a folder, or a name that needs a network.
"""

import copy
import sysconfig
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from pydoc_data.topics import topics

import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from ..data import CharTokenizer, Sampler, windows
from ..model import GPT, GPTConfig, ModernConfig, ModernGPT, load_gpt2
from ..optim import AdamW
from ..training import evaluate
from . import drawing
from .small_run import mean_loss
from .update_rules import Adafactor, Lion

QUESTION = "A model of English is trained on code. Which of AdamW, Lion and Adafactor forgets least for what it learns?"
PREDICTION = "The optimizer decides; or the rate decides, and at the same new loss all three forget the same."
PRETRAIN_STEPS, STEPS, LOOKS, SEQ_LEN, BATCH = 300, 120, 4, 32, 16
RATES: dict[str, tuple[type, tuple[float, ...]]] = {
    "AdamW": (AdamW, (3e-4, 1e-3, 3e-3)),
    "Lion": (Lion, (5e-5, 2e-4, 6e-4)),
    "Adafactor": (Adafactor, (3e-3, 1e-2, 3e-2)),
}


@dataclass(frozen=True)
class Side:
    """One of the two texts, as windows."""

    x: Tensor
    y: Tensor
    valid_x: Tensor
    valid_y: Tensor

    def loss(self, model: nn.Module) -> float:
        """On the validation windows, in nats a character."""
        return evaluate(model, self.valid_x, self.valid_y, 128)


def side(tokens: list[int], seq_len: int = SEQ_LEN) -> Side:
    """Windows of training, and at most 128 of validation."""
    x, y = windows(torch.tensor(tokens), seq_len)
    valid_x, valid_y = windows(torch.tensor(tokens), seq_len, "valid")
    return Side(x, y, valid_x[:128], valid_y[:128])


def unique(text: str) -> str:
    """Each paragraph once: the same paragraph in training and validation would be a leak."""
    return "\n\n".join(dict.fromkeys(text.split("\n\n")))[:150_000]


@lru_cache(1)
def both() -> tuple[Side, Side, int]:
    """English, code, and the number of characters that they use together."""
    english = unique("\n\n".join(topics[name] for name in sorted(topics)))
    sources = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))[:40]
    code = unique("\n\n".join(path.read_text(encoding="utf-8") for path in sources))
    tokenizer = CharTokenizer(english + code)
    return side(tokenizer.encode(english)), side(tokenizer.encode(code)), tokenizer.vocab_size


def steps_on(model: nn.Module, optimizer: torch.optim.Optimizer, text: Side, steps: int, seed: int) -> None:
    """Train on the text, at the optimizer's rate."""
    sampler = Sampler(len(text.x), min(BATCH, len(text.x)), seed)
    for _ in range(steps):
        rows = next(sampler)
        optimizer.zero_grad()
        mean_loss(model, text.x[rows], text.y[rows]).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()


def tuned(model: nn.Module, name: str, rate: float, old: Side, new: Side, steps: int, seed: int) -> list[list[float]]:
    """[loss on the old text, on the new one] before, and LOOKS times on the way."""
    optimizer = RATES[name][0](model.parameters(), lr=rate)
    path = [[old.loss(model), new.loss(model)]]
    for look in range(LOOKS):
        steps_on(model, optimizer, new, steps // LOOKS, seed + look)
        path.append([old.loss(model), new.loss(model)])
    return path


def run(*, seed: int = 0, quick: bool = False, log=print) -> dict:
    """Pretrain on English once; fine-tune on code with three optimizers at three rates each."""
    english, code, vocab_size = both()
    torch.manual_seed(seed)
    model = ModernGPT(ModernConfig(vocab_size, SEQ_LEN, 2, 2, 48))
    log("pretraining on English")
    steps_on(model, AdamW(model.parameters(), 4e-3), english, 4 if quick else PRETRAIN_STEPS, seed)
    paths: dict[str, dict[str, list]] = {}
    for name, (_, rates) in RATES.items():
        log(name)
        for rate in rates[:1] if quick else rates:
            patient = copy.deepcopy(model)
            paths.setdefault(name, {})[f"{rate:g}"] = tuned(
                patient, name, rate, english, code, 4 if quick else STEPS, seed
            )
    return {"paths": paths, "steps": 4 if quick else STEPS}


def best(result: dict) -> dict[str, tuple[str, list[float]]]:
    """The rate of each optimizer that ends best on the new text, and its [old, new] losses."""
    chosen = {}
    for name, runs in result["paths"].items():
        rate = min(runs, key=lambda r: runs[r][-1][1])
        chosen[name] = (rate, runs[rate][-1])
    return chosen


def forgotten(result: dict) -> tuple[tuple[float, float], tuple[float, float]]:
    """Least and most that English gets worse: over all rates, and over the optimizers at their best rates for code."""
    every = [path[-1][0] - path[0][0] for runs in result["paths"].values() for path in runs.values()]
    chosen = [runs[best(result)[name][0]] for name, runs in result["paths"].items()]
    at_best = [path[-1][0] - path[0][0] for path in chosen]
    return (min(every), max(every)), (min(at_best), max(at_best))


def outcome(result: dict) -> str:
    """Where each optimizer's best rate ends on both texts."""
    start = next(iter(next(iter(result["paths"].values())).values()))[0]
    ends = [f"{n} ends at {new:.2f} and {old:.2f}" for n, (_, (old, new)) in best(result).items()]
    everywhere, at_best = forgotten(result)
    return (
        f"Code starts at {start[1]:.2f} nats and English at {start[0]:.2f}. At its best rate for code, "
        f"{', '.join(ends)}. Over all rates English gets worse by {everywhere[0]:.2f} to {everywhere[1]:.2f}, over the "
        f"three optimizers at these rates by {at_best[0]:.2f} to {at_best[1]:.2f}."
    )


def figure(result: dict) -> Figure:
    """Loss on English against loss on code, a path for each rate."""
    everywhere, at_best = forgotten(result)
    start = next(iter(next(iter(result["paths"].values())).values()))[0]
    spans = [f"{low:.2f}–{high:.2f}" for low, high in (everywhere, at_best)]
    made = drawing.figure(f"The rate decides forgetting ({spans[0]} nats), not the optimizer ({spans[1]})", (7, 4.4))
    ax = made.subplots()
    ends: list[tuple[float, float, str, str]] = []
    for (name, runs), color in zip(result["paths"].items(), drawing.COLORS, strict=False):
        for rate, path in runs.items():
            old, new = zip(*path, strict=True)
            ax.plot(new, old, "o-", color=color, ms=3, lw=1, label=name if rate == next(iter(runs)) else None)
            ends.append((new[-1], old[-1], rate, color))
    ax.plot(start[1], start[0], "D", color=drawing.BLACK)
    drawing.label(ax, start[1], start[0], "before", drawing.BLACK)
    ax.set(xlabel="loss on code, nats a character", ylabel="loss on English, nats a character")
    ax.margins(x=0.1)
    ax.legend(frameon=False, title="by rate at the end of each path")
    drawing.spread_labels(ax, ends, gap=0.04)
    return made


def rows(result: dict) -> list[list[str]]:
    """A row for each optimizer and rate."""
    found = [["optimizer", "rate", "code, before", "code, after", "English, before", "English, after", "forgotten"]]
    for name, runs in result["paths"].items():
        for rate, path in runs.items():
            (old, new), (old_end, new_end) = path[0], path[-1]
            losses = [f"{value:.3f}" for value in (new, new_end, old, old_end)]
            found.append([name, rate, *losses, f"{old_end - old:+.3f}"])
    return found


def hugging_face(
    source: Path | str, encode: Callable[[str], list[int]], old: str, new: str, name: str = "AdamW", rate: float = 1e-4,
    steps: int = 100, seq_len: int = 64, seed: int = 0,
) -> list[list[float]]:  # fmt: skip
    """Fine-tune a GPT-2 of Hugging Face's on the text `new`; the losses on `old` and `new` as in `tuned`.

    `source` is a folder of `save_pretrained`, or a name such as "gpt2", which is downloaded. `encode` is its tokenizer.
    """
    from transformers import GPT2LMHeadModel

    theirs = GPT2LMHeadModel.from_pretrained(source)
    c = theirs.config
    model = GPT(GPTConfig(c.vocab_size, c.n_positions, c.n_layer, c.n_head, c.n_embd))
    model.load_state_dict(load_gpt2(theirs.transformer.state_dict()))
    return tuned(model, name, rate, side(encode(old), seq_len), side(encode(new), seq_len), steps, seed)
