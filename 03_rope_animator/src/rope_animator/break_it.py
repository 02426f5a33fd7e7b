"""Experiments that switch something off or get it wrong, to see what it was for."""

import statistics
from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from . import text
from .experiment import Plan, in_processes
from .model import Config, TinyLM
from .rope import half_from_interleaved
from .train import Training, loss_by_position, train

RUNS = {  # what is trained, and read at 1, 2 and 4 times its length
    "base 10,000": {},
    "base 10": {"base": 10.0},
    "base 1,000,000": {"base": 1e6},
    "a quarter turned": {"rotated": 0.25},
    "learned": {"scheme": "learned"},
}


def two_second_model(corpus: text.Corpus, seed: int = 0, **changes) -> TinyLM:
    """A model small enough for a workbook, trained at 24 characters; `changes` are fields of Config."""
    shape = Config(len(corpus.vocabulary), length=24, dim=48, heads=3)
    return train(replace(shape, **changes), Training(steps=250, batch=16, rate=8e-3, seed=seed), corpus)


def bag_of_words(scheme: str, layers: int, seed: int = 0) -> float:
    """How much the last token's logits change, at most, when the tokens before it are shuffled. Untrained model."""
    torch.manual_seed(seed)
    model = TinyLM(Config(50, scheme, length=32, layers=layers))
    for parameter in model.parameters():  # T5's bias starts at zero: give every scheme something to say
        if parameter.ndim == 2:
            torch.nn.init.normal_(parameter, std=0.2)
    tokens = torch.randint(50, (1, 32))
    shuffled = torch.cat((tokens[:, torch.randperm(31)], tokens[:, 31:]), dim=1)
    with torch.no_grad():
        return (model(tokens)[:, -1] - model(shuffled)[:, -1]).abs().max().item()


class Forced(torch.nn.Module):
    """A learned table that answers beyond its end: by clamping the position or by starting again."""

    def __init__(self, table: Tensor, how: str) -> None:
        super().__init__()
        self.table, self.how = table, how

    def forward(self, positions: Tensor) -> Tensor:
        last = len(self.table) - 1
        return self.table[positions.clamp(max=last) if self.how == "clamped" else positions % (last + 1)]


def beyond_the_table(model: TinyLM, corpus: text.Corpus, characters: int) -> dict:
    """What a learned table says beyond its end, and the loss there if it is forced to answer."""
    length, table = model.config.length, model.learned.table
    try:
        model(corpus.valid[None, : 2 * length])
        raise AssertionError("a position beyond the table was answered")
    except ValueError as error:
        found: dict = {"error": str(error)}
    found["within"] = loss_by_position(model, corpus, length, characters).mean().item()
    for how in ("clamped", "wrapped"):
        model.learned = Forced(table, how)
        losses = loss_by_position(model, corpus, 2 * length, characters)
        found[how] = losses[length:].mean().item()
    return found


def wrong_layout(model: TinyLM, corpus: text.Corpus, characters: int) -> dict:
    """The same weights read in the other layout, without and with the rows of W_q and W_k permuted."""
    config = replace(model.config, layout="interleaved")
    found = {"as trained (half)": loss_by_position(model, corpus, config.length, characters).mean().item()}
    other = TinyLM(config)
    other.load_state_dict(model.state_dict())
    found["read as interleaved"] = loss_by_position(other, corpus, config.length, characters).mean().item()
    interleaved_from_half = half_from_interleaved(config.dim // config.heads).argsort()
    with torch.no_grad():
        for block in other.blocks:
            rows = block.qkv.weight.view(3, config.heads, -1, config.dim)
            rows[:2] = rows[:2][:, :, interleaved_from_half]
    found["rows permuted"] = loss_by_position(other, corpus, config.length, characters).mean().item()
    return found


def run_one(name: str, seed: int, plan: Plan) -> dict:
    """Train one variant and read it."""
    torch.set_num_threads(1)
    corpus = text.load(plan.data)
    config = Config(len(corpus.vocabulary), length=plan.length, **RUNS[name])
    model = train(config, Training(plan.steps, seed=seed), corpus)
    if name == "learned":
        return beyond_the_table(model, corpus, plan.characters)
    found = {
        "losses": {
            str(f): loss_by_position(model, corpus, f * plan.length, plan.characters).mean().item() for f in (1, 2, 4)
        }
    }
    if name == "base 10,000":
        found["layout"] = wrong_layout(model, corpus, plan.characters)
    return found


def break_it(plan: Plan, say: Callable[[str], None] = print) -> dict:
    """All of it; numbers are means over seeds, and `values` has the losses of each."""
    words = {f"{s}, {n} layer{'s' * (n > 1)}": bag_of_words(s, n) for s in ("none", "rope") for n in (1, 2)}
    jobs = [(name, seed, plan) for seed in plan.seeds for name in RUNS]
    runs: dict[str, list[dict]] = {}
    for done, ((name, seed, _), found) in enumerate(in_processes(run_one, jobs, plan.workers), 1):
        say(f"[{done:2}/{len(jobs)}] {name}, seed {seed}")
        runs.setdefault(name, []).append(found)
    values = {name: [r["losses"] for r in runs[name]] for name in RUNS if "losses" in runs[name][0]}
    return {"shuffled": words, "values": values} | {name: mean(runs[name]) for name in RUNS}


def mean(found: list):
    """Numbers averaged wherever they stand in equal nested dictionaries; other values taken from the first."""
    if isinstance(found[0], dict):
        return {key: mean([f[key] for f in found]) for key in found[0]}
    return statistics.mean(found) if isinstance(found[0], float) else found[0]
