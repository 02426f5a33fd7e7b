"""Trains word vectors, and shows what they know and what they lose when one thing is changed."""

import sys
from argparse import ArgumentParser
from pathlib import Path

from .lab import tables
from .lab.bench import bench
from .lab.break_it import break_it
from .lab.cli import Command, main
from .lab.experiment import headline
from .lab.foundations import foundations
from .lab.mutation import mutants, mutation_table
from .lab.novels import novels
from .lab.own_text import train_on_text
from .lab.plots import draw
from .lab.probe_compare import probes
from .lab.real_space import smollm2

COMMANDS = (
    Command("headline", "Python's documentation: neighbors, analogies, a map, the exact optimum", headline,
            tables.headline, 2),
    Command("bench", "speed and quality next to gensim", bench, tables.bench, 4),
    Command("break", "what the vectors lose when one thing is changed", break_it, tables.break_it, 0.3),
    Command("novels", "27 English novels next to gensim; --seeds N", novels, tables.novels, 2),
    Command("smollm2", "the embedding matrix of a real model next to skip-gram's vectors; --seeds N", smollm2,
            tables.smollm2, 2),
    Command("train", "your own text: --data book.txt --save vectors.kv", train_on_text, tables.own_text, 0.5),
    Command("foundations", "estimation, the central limit theorem, descent, PCA in the plane", foundations,
            tables.foundations, 0.05),
    Command("probes", "the classical algorithms next to scikit-learn", probes, tables.probes, 1),
    Command("mutants", "what notices each small change of a task", mutants, mutation_table, 1),
)  # fmt: skip


def arguments(parser: ArgumentParser) -> None:
    """This project's own options."""
    parser.add_argument("--save", type=Path, help="with train: write the vectors in word2vec's text format")


if __name__ == "__main__":
    sys.exit(main(__package__, __doc__, COMMANDS, draw, arguments=arguments))
