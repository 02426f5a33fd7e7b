"""A GPT on real text: counts, five seeds, each modernisation removed, a kill and a resume, samples."""

import argparse
import sys

from .lab import bench, break_it, budget, demo, experiment, labs, ladder, long, plots, tables
from .lab.cli import Command, main
from .lab.mutation import mutants, mutation_table

COMMANDS = [
    Command("headline", "counts, GPT, each modernisation removed", experiment.headline, tables.headline, minutes=3),
    Command("bench", "beside nanoGPT's recipe (--peer trains it too)", bench.bench, tables.bench, minutes=0.3),
    Command("budget", "120 CPU seconds of GPT, mixed with counts", budget.budget, tables.budget, minutes=2.5),
    Command("climb", "the ladder at equal budgets (--data names)", ladder.run, tables.climb, minutes=1.2),
    Command("break", "what each mistake does", break_it.break_it, tables.break_it, minutes=0.5),
    Command("labs", "questions of training engineering (--lab NAME)", labs.run, tables.labs, minutes=6),
    Command("long", "ten million parameters on novels; resumes", long.long, tables.long, minutes=60, device=True),
    Command("demo", "a page: every rung goes on with your text", demo.demo, minutes=0.5),
    Command("mutants", "what notices each small change of a task", mutants, mutation_table, minutes=3),
]


def arguments(parser: argparse.ArgumentParser) -> None:
    bench.arguments(parser)
    long.arguments(parser)
    demo.arguments(parser)
    labs.arguments(parser)


if __name__ == "__main__":
    sys.exit(main("capstone_gpt", __doc__, COMMANDS, plots.draw, arguments=arguments))
