"""Scaling laws: our own and a run that it predicts, Hoffmann's points fitted again, and the theory beside."""

import sys

from .lab import bench, break_it, experiment, plots, tables, tables_theory, theory_pages
from .lab.cli import Command, main
from .lab.mutation import mutants, mutation_table

COMMANDS = [
    Command("headline", "our own law and its prediction, the refit, double descent", experiment.headline,
            tables.headline, minutes=2),
    Command("theory", "seven pages of theory, each against its formula", theory_pages.theory, tables_theory.theory,
            minutes=0.5),
    Command("bench", "the fast fit beside SciPy's", bench.bench, tables.bench, minutes=0.5),
    Command("break", "six mistakes and what they do", break_it.break_it, tables.break_it, minutes=0.5),
    Command("mutants", "what notices each small change of a task", mutants, mutation_table, minutes=1),
]  # fmt: skip

if __name__ == "__main__":
    sys.exit(main("scaling_laws", __doc__, COMMANDS, plots.draw))
