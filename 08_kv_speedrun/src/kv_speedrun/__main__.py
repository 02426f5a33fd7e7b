"""The key-value cache: what it saves in work, in time, and at what price in memory."""

import sys

from .lab import plots, tables
from .lab.bench import bench
from .lab.break_it import break_it
from .lab.cli import Command, main
from .lab.experiment import headline
from .lab.mutation import mutants, mutation_table
from .lab.real_cache import smollm2

COMMANDS = (
    Command("headline", "with and without a cache, on a small model", headline, tables.headline, minutes=2.0),
    Command("bench", "GPT-2's shape: transformers, our layouts, the limit of memory", bench, tables.bench, minutes=9.0),
    Command("break", "what each classic mistake does to a model's text", break_it, tables.break_it, minutes=1.0),
    Command(
        "smollm2", "a real model: bytes, tokens/s, int8, llama.cpp beside it", smollm2, tables.smollm2, minutes=4.0
    ),
    Command("mutants", "what notices each small change of a task", mutants, mutation_table, minutes=1.0),
)

if __name__ == "__main__":
    sys.exit(main("kv_speedrun", __doc__, COMMANDS, plots.draw))
