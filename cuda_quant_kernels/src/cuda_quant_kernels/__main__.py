"""Quantized CUDA kernels. The tables need no GPU; `bench` and `counters` do."""

import argparse
import functools
import sys
from collections.abc import Callable

from .lab import bench, break_it, experiment, plots, profile, real_layer, tables
from .lab.cli import Command, main
from .lab.mutation import mutants, mutation_table


def as_sentence(run: Callable) -> Callable:
    """A compiler or a kernel that fails becomes a ValueError, which the command line shows as one sentence."""

    @functools.wraps(run)
    def wrapped(options: argparse.Namespace, log: Callable[[str], None]) -> dict | None:
        try:
            return run(options, log)
        except RuntimeError as error:
            raise ValueError(str(error)) from error

    return wrapped


COMMANDS = (
    Command("headline", "the int8 GEMM's ladder, counted", as_sentence(experiment.headline), tables.headline, 0.5),
    Command("break", "what each fault does", as_sentence(break_it.break_it), tables.break_it, 0.5),
    Command("profile", "one kernel by source line", as_sentence(profile.profile), minutes=0.1),
    Command(
        "real",
        "one layer of SmolLM2, quantized",
        as_sentence(real_layer.real_layer),
        tables.real_layer,
        1.0,
        "real_layer",
    ),
    Command("mutants", "what notices each small change of a task", mutants, mutation_table, 1.0),
    Command("bench", "every kernel on a GPU, beside its peers", as_sentence(bench.bench), tables.bench, 5.0),
    Command("counters", "Nsight Compute beside the tracer", as_sentence(profile.counters), tables.counters, 5.0),
)


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options that only this project has."""
    parser.add_argument("--kernel", default="w8a8 tiled", help="for profile: which kernel; a wrong name lists them all")
    parser.add_argument("--ncu", action="store_true", help="for profile: Nsight Compute's counters too (needs a GPU)")


def run(argv: list[str] | None = None) -> int:
    """The exit code of one command."""
    return main("cuda_quant_kernels", __doc__, COMMANDS, plots.draw, argv, arguments)


if __name__ == "__main__":
    sys.exit(run())
