"""A block adds to a stream: gradients by depth, training at depth, three architectures, networks of convolutions."""

import sys

from .lab import autograd, bench, break_it, experiment, flow, plots, stream, tables, zoo
from .lab.cli import Command, main
from .lab.mutation import mutants, mutation_table

COMMANDS = [
    Command("headline", "where the norm stands", experiment.headline, tables.headline, minutes=2),
    Command("bench", "a block beside PyTorch's and GPT-2's", bench.bench, tables.bench, minutes=0.5),
    Command("break", "six experiments with something broken", break_it.break_it, tables.break_it, minutes=1.5),
    Command("signal", "what arrives at each of 12 blocks, of six kinds", flow.signal, tables.signal, minutes=2),
    Command("graph", "the autograd graph of a block, drawn", autograd.graph, tables.graph, minutes=0.1),
    Command("architectures", "three models at their tasks", zoo.architectures, tables.architectures, minutes=0.5),
    Command("convolutions", "four networks; --data mnist or cifar10", zoo.convolutions, tables.convolutions, minutes=1),
    Command("stream", "the stream of a real model", stream.stream, tables.stream, minutes=1, model=True),
    Command("mutants", "what notices each small change of a task", mutants, mutation_table, minutes=1),
]


def run(arguments: list[str] | None = None) -> int:
    """One command. MNIST and CIFAR-10 have sections of their own, so that the digits stay."""
    arguments = sys.argv[1:] if arguments is None else arguments
    commands = COMMANDS
    for data in ("mnist", "cifar10"):
        if "convolutions" in arguments and any(data in argument for argument in arguments):
            own = Command("convolutions", data, zoo.convolutions, tables.convolutions, 3, f"convolutions_{data}")
            commands = [own if command.name == "convolutions" else command for command in COMMANDS]
    return main("block_builder", __doc__, commands, plots.draw, arguments)


if __name__ == "__main__":
    sys.exit(run())
