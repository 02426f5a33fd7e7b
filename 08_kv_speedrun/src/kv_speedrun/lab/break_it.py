"""Five ways to break a cache, run on a trained model to show what each does to the text.

`EXPERIMENTS` lists them: what to predict, how to measure, what the measurement says, and what always holds.

Dimensions: B batch, T tokens.
"""

from argparse import Namespace
from collections.abc import Callable
from dataclasses import dataclass

import torch

from ..config import Config
from ..model import GPT
from .broken import Passages, concatenate, int4, no_offset, not_cleared, ratio_of_copies, top_left
from .experiment import SMALL
from .train import load_bytes, split, train, windows

WORKBOOK = Config(vocab_size=256, context_length=320, layers=2, heads=4, width=64)  # learns a little in 300 steps


@dataclass(frozen=True)
class Experiment:
    """`answer` is what the workbook folds away. `holds` checks it on any result, `outcome` gives the numbers."""

    name: str
    title: str
    predict: str
    answer: str
    measure: Callable[[GPT, Passages], dict]
    outcome: Callable[[dict], str]
    holds: Callable[[dict], bool]

    def run(self, model: GPT, passages: Passages) -> dict:
        result = self.measure(model, passages)
        return {**result, "outcome": self.outcome(result)}


def break_it(options: Namespace, log: Callable[[str], None]) -> dict:
    """Train briefly, then run every experiment."""
    steps, rows = (60, 8) if options.quick else (800, 64)
    model, passages = small_model(SMALL, steps, rows, options.seed, data=options.data, log=log)
    results = {}
    for experiment in EXPERIMENTS:
        log(f"break it: {experiment.title}")
        results[experiment.name] = experiment.run(model, passages)
    return results


def small_model(
    config: Config = WORKBOOK,
    steps: int = 300,
    rows: int = 32,
    seed: int = 0,
    lr: float | None = None,
    data: str = "pydoc",
    log: Callable[[str], None] = lambda line: None,
) -> tuple[GPT, Passages]:
    """A model that has learned a little of the text, and passages of 129 bytes it has not seen."""
    training_text, test_text = split(load_bytes(data))
    lr = lr or (2.5e-3 if config.width >= 128 else 6e-3)
    model = train(training_text, config, steps, seed, lr, log)
    return model, windows(test_text, rows, 129, torch.Generator().manual_seed(seed))


# -- what to expect ----------------------------------------------------------------------------------------------------

EXPERIMENTS = (
    Experiment(
        name="no_offset",
        title="no position offset",
        predict="Each decoded byte is told that it is at position 0. What is the loss on the prompt, and after it?",
        answer="The prompt's loss does not change. The loss of the decoded bytes rises. Nothing crashes, and nothing "
        "is NaN. In a demonstration you would see text that is a little worse, and blame the model.",
        measure=no_offset,
        outcome=lambda r: (
            "The prompt's loss does not change. The loss of the decoded bytes goes from "
            f"{r['loss'][0]:.2f} to {r['loss'][1]:.2f} nats per byte. Nothing crashes."
        ),
        holds=lambda r: (
            all(abs(a - b) < 1e-5 for a, b in zip(r["right"], r["wrong"][: r["prompt_len"]], strict=False))
            and r["loss"][1] > r["loss"][0] + 0.01
        ),
    ),
    Experiment(
        name="top_left",
        title="mask aligned at the top left",
        predict="The mask is that of a square, cut to the queries. What is the loss in 1, 2 and 128 chunks?",
        answer="One chunk is right, because there the rectangle is a square. More chunks are worse. Byte by byte, each "
        "query sees key 0 alone. A test with a single prefill would have passed.",
        measure=top_left,
        outcome=lambda r: (
            f"In one chunk the loss is {list(r['wrong'].values())[0]:.2f} nats per byte, which is right. In two "
            f"chunks it is {list(r['wrong'].values())[1]:.2f}, and byte by byte {r['wrong']['1']:.2f}."
        ),
        holds=lambda r: (
            abs(list(r["wrong"].values())[0] - r["right"]) < 1e-4
            and r["right"] + 0.02 < list(r["wrong"].values())[1] < r["wrong"]["1"]
        ),
    ),
    Experiment(
        name="not_cleared",
        title="a cache that is not reset",
        predict="The same questions are asked after somebody else's. Does the loss show it?",
        answer="Many answers change, and the average loss moves little: attention reads another prompt's keys as "
        "readily as its own. One user's text leaks into another's answer, and no average shows it.",
        measure=not_cleared,
        outcome=lambda r: (
            f"{r['answers_that_differ']:.0%} of the answers of 32 bytes change with what another user asked before. "
            f"The loss on the prompt goes from {r['loss'][0]:.2f} to {r['loss'][1]:.2f} nats per byte. Nothing crashes."
        ),
        holds=lambda r: r["answers_that_differ"] > 0.2 and r["loss"][1] - r["loss"][0] < 1,
    ),
    Experiment(
        name="int4",
        title="int4 instead of int8",
        predict="How many times coarser are the steps of int4 than those of int8? What happens to the loss?",
        answer="The steps of int4 are $127/7 \\approx 18$ times as wide, and its error in the logits is about 18 times "
        "as large. The loss hardly changes, with int4 too: a model trained for seconds depends little on single keys.",
        measure=int4,
        outcome=lambda r: (
            f"int4 changes the logits {r['logit_error']['int4'] / r['logit_error']['int8']:.0f} times as much as int8 "
            f"(its steps are 18 times as wide). int8 changes the loss by {r['change']['int8']:+.5f} nats per byte, "
            f"int4 by {r['change']['int4']:+.4f}."
        ),
        holds=lambda r: (
            abs(r["change"]["int8"]) < 0.002
            and abs(r["change"]["int4"]) < 0.1
            and 9 < r["logit_error"]["int4"] / r["logit_error"]["int8"] < 36
        ),
    ),
    Experiment(
        name="concatenate",
        title="a cache that concatenates",
        predict="How many times more bytes has it copied at the end than a cache that is written in place?",
        answer="About half the length: $\\sum_{t \\le T} t / T \\approx T/2$. A small model does not show it in the "
        "time, because the copies are small beside the weights. At a context of 100,000 tokens they are not.",
        measure=concatenate,
        outcome=lambda r: (
            f"After {r['lengths'][-1]} tokens the growing cache has copied {r['bytes']['growing'][-1] / 2**20:,.0f} "
            f"MiB, the static one {r['bytes']['static'][-1] / 2**20:,.1f} MiB: {ratio_of_copies(r):.0f} times as much."
        ),
        holds=lambda r: abs(ratio_of_copies(r) / (r["lengths"][-1] / 2) - 1) < 0.02,
    ),
)
BY_NAME = {experiment.name: experiment for experiment in EXPERIMENTS}
