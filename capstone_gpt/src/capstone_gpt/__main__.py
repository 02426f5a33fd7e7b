"""A GPT on real text: counts, five seeds, each modernisation removed, a kill and a resume, samples."""

import sys

from .lab import plots, tables
from .lab.cli import Command, main
from .lab.long import arguments, long
from .lab.mutation import mutants, mutation_table

COMMANDS = [
    Command("long", "ten million parameters on novels; resumes", long, tables.long, minutes=60),
    Command("mutants", "what notices each small change of a task", mutants, mutation_table, minutes=3),
]

if __name__ == "__main__":
    sys.exit(main("capstone_gpt", __doc__, COMMANDS, plots.draw, arguments=arguments))
