"""Break it: one experiment for each mistake, with an outcome that a test compares with what is written."""

import argparse
from collections.abc import Callable

import torch

from ..arena import OBJECTIVES, Batch, Objective, SpecialTokens, train
from ..attention_masks import bidirectional_attention_mask
from ..cross_entropy import cross_entropy
from ..masked import mask_tokens
from ..model import Config, Transformer
from ..prefix import prefix_labels
from ..spans import span_corruption
from .corpus import Corpus, load
from .ladder import both_directions
from .questions import HIDDEN, LENGTH, answer, windows_of

STEPS = 400
QUESTIONS = 512


def break_it(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """Every experiment; about a minute and a half on one core."""
    corpus, steps = load(options.data), 10 if options.quick else STEPS
    log("a bidirectional mask with next-token labels")
    found = {"steps": steps, "bidirectional mask": leaking(corpus, steps, options.seed)}
    log("masking 15, 40 and 90 %")
    found["mask 90 %"] = masking(corpus, steps, options.seed)
    found["prefix of length 0 and T"] = prefixes()
    found["no sentinels"] = without_sentinels()
    log("label smoothing of 0 and 0.9")
    found["smoothing 0.9"] = smoothing(corpus, steps, options.seed)
    return found


def trained(objective: Objective, corpus: Corpus, steps: int, seed: int, **more: float) -> tuple[Transformer, float]:
    """A model, and its training loss over the last ten steps."""
    config = Config(corpus.special.vocab_size)
    model, losses = train(objective, corpus.text, corpus.special, config, steps, seed=seed, **more)
    return model, sum(losses[-10:]) / len(losses[-10:])


def leaking(corpus: Corpus, steps: int, seed: int) -> dict:
    """Training loss, and the loss where the next token cannot be seen, of the right mask and of the leaking one."""
    windows, _ = windows_of(corpus, QUESTIONS, 7)
    found = {}
    for name, objective in (("causal mask", OBJECTIVES["causal"]), ("bidirectional mask", both_directions)):
        model, loss = trained(objective, corpus, steps, seed)
        found[name] = {"training": loss, "honest": answer(model, "causal", windows, LENGTH - 1, LENGTH)[0]}
    return found


def masking(corpus: Corpus, steps: int, seed: int) -> dict:
    """Training loss and infill accuracy of masked models that hide more and more."""
    windows, _ = windows_of(corpus, QUESTIONS, 7)
    start = (LENGTH - HIDDEN) // 2
    found = {}
    for share in (0.15, 0.4, 0.9):

        def objective(
            windows: torch.Tensor, special: SpecialTokens, generator: torch.Generator, share: float = share
        ) -> Batch:
            uniforms = torch.rand(3, *windows.shape, generator=generator)
            made = mask_tokens(windows, special.ids, special.mask, special.vocab_size, uniforms, share)
            return Batch(*made, bidirectional_attention_mask(windows.shape[1]))

        model, loss = trained(objective, corpus, steps, seed)
        accuracy = answer(model, "masked", windows, start, start + HIDDEN)[1]
        found[f"{100 * share:g} %"] = {"training": loss, "infill": accuracy}
    return found


def prefixes() -> dict:
    """How many labels count for a prefix of nothing, of a half and of everything, and what the loss says to none."""
    ids = torch.arange(8)[None]
    counts = {}
    for length in (0, 4, 8):
        labels = prefix_labels(ids, torch.tensor([length]))
        try:
            cross_entropy(torch.zeros(8, 9), labels[0])
            error = ""
        except ValueError as refused:
            error = type(refused).__name__
        counts[str(length)] = {"labels": int((labels != -100).sum()), "error": error}
    return counts


def without_sentinels() -> dict:
    """Two texts whose hidden spans differ in place alone: how many different inputs and targets there are."""
    text, other = torch.tensor([5, 6, 7, 8]), torch.tensor([5, 7, 6, 8])
    first, second = torch.tensor([[1, 2]]), torch.tensor([[2, 3]])
    pairs = [span_corruption(ids, spans, 99, 1) for ids, spans in ((text, first), (other, second))]
    whole = {tuple(inputs.tolist() + targets.tolist()) for inputs, targets in pairs}
    bare = {tuple(x for x in (*inputs.tolist(), *targets.tolist()) if x != 99) for inputs, targets in pairs}
    return {"texts": 2, "pairs with sentinels": len(whole), "pairs without": len(bare)}


def smoothing(corpus: Corpus, steps: int, seed: int) -> dict:
    """Loss, accuracy and the probability of the likeliest token, without and with a smoothing of 0.9."""
    windows, _ = windows_of(corpus, QUESTIONS, 7)
    found = {}
    for epsilon in (0.0, 0.1, 0.9):
        model, _ = trained(OBJECTIVES["causal"], corpus, steps, seed, label_smoothing=epsilon)
        loss, accuracy = answer(model, "causal", windows, LENGTH - 1, LENGTH)
        found[f"{epsilon:g}"] = {"loss": loss, "accuracy": accuracy, "top": confidence(model, windows)}
    return found


@torch.no_grad()
def confidence(model: Transformer, windows: torch.Tensor) -> float:
    """The mean probability of the likeliest next token."""
    mask = torch.ones(LENGTH - 1, LENGTH - 1, dtype=torch.bool).tril()
    return model(windows[:, :-1], mask)[:, -1].softmax(-1).amax(-1).mean().item()
