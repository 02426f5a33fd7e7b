"""Shared and compressed keys and values: quality against bytes, decode time, and a real model's heads pooled."""

import sys

from .lab import bench, break_it, experiment, plots, real_model, tables
from .lab.cli import Command, main
from .lab.mutation import mutants, mutation_table

COMMANDS = [
    Command("headline", "quality against bytes, decode time", experiment.headline, tables.headline, minutes=2.5),
    Command("smollm2", "a real model (--model smollm2)", real_model.real_model, tables.smollm2, minutes=6, model=True),
    Command("bench", "a decode step beside PyTorch's", bench.bench, tables.bench, minutes=0.3),
    Command("break", "five mistakes and what they do", break_it.break_it, tables.break_it, minutes=1.5),
    Command("mutants", "what notices each small change of a task", mutants, mutation_table, minutes=1),
]

if __name__ == "__main__":
    sys.exit(main("grouped_query", __doc__, COMMANDS, plots.draw))
