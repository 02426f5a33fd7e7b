"""python -m byte_pair_smith [bench | break | families]: the experiments, from a terminal."""

import sys

from .lab import bench, break_it, experiment, families, plots, tables
from .lab.cli import Command, main
from .lab.mutation import mutants, mutation_table

COMMANDS = [
    Command(
        "headline",
        "compression, languages, merges, a page of tokens",
        experiment.headline,
        tables.headline,
        0.5,
        model=True,
    ),
    Command("bench", "beside rustbpe, tokenizers and tiktoken", bench.bench, tables.bench, 4),
    Command("break", "changes made on purpose, and what happens", break_it.break_it, tables.break_it, 0.2),
    Command("families", "the side quest: seven kinds of tokenizers", families.families, tables.families, 1),
    Command("mutants", "what notices each small change of a task", mutants, mutation_table, 1),
]


def run(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    return main("byte_pair_smith", __doc__, COMMANDS, plots.draw, argv, add_arguments)


def add_arguments(parser) -> None:
    """This project's own options."""
    parser.add_argument("--peer", action="store_true", help="families: train SentencePiece too, beside ours")


if __name__ == "__main__":
    sys.exit(run())
