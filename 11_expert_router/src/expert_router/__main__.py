"""Mixture of experts: the load collapses and recovers, dispatch beside its limit, and experts on two processes."""

import sys

from .lab import bench, break_it, experiment, parallel, plots, quests, tables
from .lab.cli import Command, main
from .lab.mutation import mutants, mutation_table

COMMANDS = [
    Command("headline", "collapse and recovery; where experts win", experiment.headline, tables.headline, minutes=2),
    Command("bench", "dispatch beside transformers and the dense floor", bench.bench, tables.bench, minutes=0.4),
    Command("parallel", "two processes through torchrun, and a plan", parallel.parallel, tables.parallel, minutes=0.3),
    Command("quests", "hybrids, stability, upcycling, expert choice", quests.quests, tables.quests, minutes=2),
    Command("break", "five mistakes and what they do", break_it.break_it, tables.break_it, minutes=0.7),
    Command("mutants", "what notices each small change of a task", mutants, mutation_table, minutes=1),
]

if __name__ == "__main__":
    sys.exit(main("expert_router", __doc__, COMMANDS, plots.draw))
