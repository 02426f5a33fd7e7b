"""One sentence: what the experiments show."""

import sys

from .lab import bench, break_it, experiment, plots, tables
from .lab.cli import Command, main
from .lab.mutation import mutants, mutation_table

COMMANDS = [
    Command("headline", "entropy against temperature", experiment.headline, tables.headline, minutes=0.1),
    Command("bench", "beside torch.softmax", bench.bench, tables.bench, minutes=0.1),
    Command("break", "what happens without subtracting the maximum", break_it.break_it, tables.break_it, minutes=0.1),
    Command("mutants", "what notices each small change of a task", mutants, mutation_table, minutes=0.5),
]

if __name__ == "__main__":
    sys.exit(main("serving_stack", __doc__, COMMANDS, plots.draw))
