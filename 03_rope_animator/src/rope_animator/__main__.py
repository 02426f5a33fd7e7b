"""`python -m rope_animator` trains models that differ in their position scheme, and reads long texts with them."""

import argparse
import sys
from collections.abc import Callable

from .lab import animate, bench, break_it, experiment, page, plots, real_context, tables
from .lab.cli import Command
from .lab.cli import main as run
from .lab.mutation import mutants, mutation_table


def draw_animation(options: argparse.Namespace, log: Callable[[str], None]) -> None:
    """Write the page and the animated picture into the output folder."""
    log("writing rope.html")
    page.write_page(options.out)
    log("drawing rope.gif")
    animate.write_gif(options.out, 5 if options.quick else None)


COMMANDS = (
    Command(
        "headline", "loss at 1 to 8 times the trained length", experiment.headline, tables.headline, 2.0, device=True
    ),
    Command("bench", "the fast form beside transformers and a copy", bench.bench, tables.bench, 1.0),
    Command("break", "experiments that break something", break_it.break_it, tables.break_it, 2.0),
    Command("smollm2", "a real model at 4 times its trained length", real_context.smollm2, tables.smollm2, 90.0),
    Command("mutants", "what notices each small change of a task", mutants, mutation_table, 1.0),
    Command("animate", "writes rope.html and rope.gif", draw_animation, None, 0.5),
)


def main(argv: list[str] | None = None) -> int:
    return run("rope_animator", __doc__, COMMANDS, plots.draw, argv)


if __name__ == "__main__":
    sys.exit(main())
