"""One network, five objectives at equal compute: who learns to write, to fill in, to read? Which bug has which loss?"""

import sys

from .lab import bench, break_it, experiment, plots, tables
from .lab.cli import Command, main
from .lab.mutation import mutants, mutation_table

COMMANDS = [
    Command(
        "headline",
        "five objectives at equal compute, and the leak ladder",
        experiment.headline,
        tables.headline,
        minutes=2.5,
    ),
    Command("bench", "span corruption and masking beside their peers", bench.bench, tables.bench, minutes=0.3),
    Command("break", "five mistakes and what they do", break_it.break_it, tables.break_it, minutes=1),
    Command("mutants", "what notices each small change of a task", mutants, mutation_table, minutes=0.5),
]

if __name__ == "__main__":
    sys.exit(main("objective_arena", __doc__, COMMANDS, plots.draw))
