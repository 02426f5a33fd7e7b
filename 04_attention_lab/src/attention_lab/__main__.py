"""Attention: why √d, the bottleneck it opens, what heads look at, and the same beside PyTorch."""

import sys

from .lab import bench, break_it, experiment, induction, mutation, page, plots, recurrent, tables
from .lab.cli import Command, main

COMMANDS = [
    Command("headline", "why √d, the bottleneck, a model's heads", experiment.headline, tables.headline, minutes=2),
    Command("road", "RNN, LSTM, GRU, attention-LSTM, transformer", recurrent.road, tables.road, minutes=4),
    Command(
        "induction",
        "a real model's copying heads (--model smollm2)",
        induction.induction,
        tables.induction,
        2,
        model=True,
    ),
    Command("bench", "beside PyTorch's attention", bench.bench, tables.bench, minutes=2),
    Command("break", "five mistakes and what they do", break_it.break_it, tables.break_it, minutes=1.5),
    Command("page", "the interactive page, with a model of its own", page.make, minutes=0.5),
    Command(
        "mutants", "count what the tests of the tasks notice", mutation.mutants, mutation.mutation_table, minutes=0.5
    ),
]


if __name__ == "__main__":
    sys.exit(main("attention_lab", __doc__, COMMANDS, plots.draw))
