"""Learning from preferences: a tabular optimum, a hacked reward model, PPO, DPO and GRPO, sums with a chain."""

import sys

from .lab import bench, break_it, experiment, plots, real_model, tables
from .lab.cli import Command, main
from .lab.mutation import mutants, mutation_table

COMMANDS = [
    Command("headline", "hacking and its cure, three methods, sums", experiment.headline, tables.headline, minutes=2),
    Command("smollm2", "GRPO on a chat model (--model smollm2)", real_model.real_model, tables.smollm2, 4, model=True),
    Command("bench", "samples a second beside TRL", bench.bench, tables.bench, minutes=2),
    Command("break", "mistakes in the loop and what they do", break_it.break_it, tables.break_it, minutes=2),
    Command("mutants", "what notices each small change of a task", mutants, mutation_table, minutes=1),
]

if __name__ == "__main__":
    sys.exit(main("ppo_loop", __doc__, COMMANDS, plots.draw))
