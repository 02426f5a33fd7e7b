"""A block adds to a stream: gradients by depth, training at depth, three architectures, networks of convolutions."""

import sys

from .lab import bench, break_it, experiment, plots, stream, tables, zoo
from .lab.cli import Command, main
from .lab.mutation import mutants, mutation_table

COMMANDS = [
    Command("headline", "where the norm stands", experiment.headline, tables.headline, minutes=2),
    Command("bench", "a block beside PyTorch's and GPT-2's", bench.bench, tables.bench, minutes=0.5),
    Command("break", "six experiments with something broken", break_it.break_it, tables.break_it, minutes=0.5),
    Command("architectures", "three models at their tasks", zoo.architectures, tables.architectures, minutes=0.5),
    Command(
        "convolutions",
        "four networks; --data mnist or cifar10 for larger images",
        zoo.convolutions,
        tables.convolutions,
        minutes=1,
    ),
    Command("stream", "the stream of a real model", stream.stream, tables.stream, minutes=1, model=True),
    Command("mutants", "what notices each small change of a task", mutants, mutation_table, minutes=1),
]

if __name__ == "__main__":
    sys.exit(main("block_builder", __doc__, COMMANDS, plots.draw))
