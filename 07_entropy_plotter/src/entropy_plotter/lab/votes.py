"""Self-consistency on sums: accuracy against the number of chains, with and without a written chain."""

import argparse
from collections import Counter
from collections.abc import Callable

import torch

from ..consistency import answers_of, binomial_majority, majority_vote, make_tasks, plurality, rows_of
from ..consistency.arithmetic import SYMBOLS, decode, encode
from ..sample import generate
from ..transformer import Config, Transformer, train
from ..warpers import SamplingParams
from .cli import seeds_of

KS = (1, 3, 5, 9, 15, 25, 41)
LENGTH = 40


def votes(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """For both ways to answer: accuracy of a vote of k chains, and what two kinds of binomial promise."""
    steps, questions = (10, 4) if options.quick else (350, 80)
    ks = KS[:2] if options.quick else KS
    seeds = seeds_of(options, 1 if options.quick else 3)
    content = {"seeds": seeds, "ks": list(ks), "questions": questions, "ways": {}}
    for way, chain in (("with a chain", True), ("without", False)):
        model = adder(chain, steps, options.seed, lambda line, way=way: log(f"{way}: {line}"))
        runs = [ask(model, questions, ks, seed, log) for seed in seeds]
        content["ways"][way] = {name: [run[name] for run in runs] for name in runs[0]}
    return content


def adder(chain: bool, steps: int, seed: int, log: Callable[[str], None] = lambda line: None) -> Transformer:
    """A transformer that has seen some thousand sums."""
    model = Transformer(Config(len(SYMBOLS), LENGTH, layers=2, heads=4, width=64), seed)

    def batch(generator: torch.Generator) -> torch.Tensor:
        return rows_of(make_tasks(48, int(torch.randint(2**31, (), generator=generator))), chain)

    train(model, batch, steps, lr=4e-3, seed=seed, log=log)
    return model.eval().requires_grad_(False)


def ask(model: Transformer, questions: int, ks: tuple[int, ...], seed: int, log: Callable[[str], None]) -> dict:
    """Accuracy by k, the share of right chains, and what independent votes would reach."""
    tasks, most = make_tasks(questions, 10_000 + seed), max(ks)
    accuracy, singles, promised = dict.fromkeys(ks, 0), [], dict.fromkeys(ks, 0.0)
    for i, task in enumerate(tasks):
        log(f"question {i + 1} of {questions}")
        prompt = torch.tensor([encode(task.question)] * most)
        new = LENGTH - prompt.shape[1]
        rows = generate(model, prompt, new, SamplingParams(), 1_000 * seed + i)
        texts = [decode(row[prompt.shape[1] :]).split("\n")[0] for row in rows.tolist()]
        answers = answers_of(texts)
        singles.append(sum(a == task.answer for a in answers) / most)
        others = Counter(a for a in answers if a != task.answer)
        shares = torch.tensor([singles[-1], *(n / most for n in others.values())])
        for k in ks:
            groups = [texts[j : j + k] for j in range(0, most - k + 1, k)]
            accuracy[k] += sum(majority_vote(group) == task.answer for group in groups) / len(groups)
            promised[k] += plurality(shares, k, draws=400, seed=i)
    mean = sum(singles) / questions
    return {
        "single": mean,
        "accuracy": [accuracy[k] / questions for k in ks],
        "one binomial": [binomial_majority(mean, k) for k in ks],
        "each question its own": [promised[k] / questions for k in ks],
    }
