"""Norms and activations: what each does to a language model, to a real one, and to training itself."""

import sys

from .lab import plots, tables
from .lab.bench import bench
from .lab.break_it import break_it
from .lab.cli import Command, main
from .lab.dynamics_runs import dynamics
from .lab.experiment import headline
from .lab.framework_runs import framework
from .lab.mutation import mutants, mutation_table
from .lab.recipes import laboratory
from .lab.smollm2 import smollm2

COMMANDS = [
    Command("headline", "norms and feed-forward layers of a small language model", headline, tables.headline, 2),
    Command("bench", "RMSNorm and LayerNorm beside torch.nn.functional", bench, tables.bench, 1),
    Command("break", "five classic mistakes, and what they do", break_it, tables.break_it, 1),
    Command("dynamics", "signal and gradient by layer, for inits and norms", dynamics, tables.dynamics, 0.3),
    Command("framework", "the NumPy framework beside PyTorch; --data mnist", framework, tables.framework, 2),
    Command(
        "laboratory", "norm × optimizer × schedule × regularizer, with intervals", laboratory, tables.laboratory, 5
    ),
    Command(
        "smollm2",
        "our layers in a real model; --model smollm2 selects it",
        smollm2,
        tables.smollm2,
        4,
        model=True,
    ),
    Command("mutants", "how each small change of the reference is noticed", mutants, mutation_table, 3),
]


def run(arguments: list[str] | None = None) -> int:
    """One command. MNIST has a section of its own."""
    arguments = sys.argv[1:] if arguments is None else arguments
    commands = COMMANDS
    if "framework" in arguments and any("mnist" in argument for argument in arguments):
        both = Command("framework", "MNIST", framework, tables.framework, 2, section="framework_mnist")
        commands = [both if command.name == "framework" else command for command in COMMANDS]
    return main("norm_activation", __doc__, commands, plots.draw, arguments)


if __name__ == "__main__":
    sys.exit(run())
