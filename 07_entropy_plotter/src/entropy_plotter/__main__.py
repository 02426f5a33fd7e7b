"""Decoding: what every rule does to a text, on two small models and on a real one."""

import sys

from .lab import bench, break_it, drafts, experiment, holtzman, plots, reasoning, serve, tables
from .lab.cli import Command, main
from .lab.mutation import mutants, mutation_table

COMMANDS = [
    Command("headline", "every rule on two small models", experiment.headline, tables.headline, minutes=2),
    Command(
        "holtzman",
        "the paper's table on a real model (--model smollm2)",
        holtzman.holtzman,
        tables.holtzman,
        minutes=4,
        model=True,
    ),
    Command("bench", "beside transformers", bench.bench, tables.bench, minutes=0.5),
    Command("break", "five experiments that go wrong", break_it.break_it, tables.break_it, minutes=0.2),
    Command("drafts", "speculative sampling: acceptance and time", drafts.drafts, tables.drafts, minutes=1.5),
    Command(
        "drafts-smollm2",
        "the same on a real model (--model smollm2)",
        drafts.smollm2_drafts,
        tables.smollm2_drafts,
        minutes=3,
        section="smollm2_drafts",
        model=True,
    ),
    Command("reasoning", "chain of thought, and votes of chains", reasoning.reasoning, tables.reasoning, minutes=2),
    Command("page", "the interactive page, in your browser", serve.page, minutes=0.5),
    Command("mutants", "what notices each small change of a task", mutants, mutation_table, minutes=1),
]

if __name__ == "__main__":
    sys.exit(main("entropy_plotter", __doc__, COMMANDS, plots.draw))
