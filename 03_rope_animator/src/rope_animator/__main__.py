"""`python -m rope_animator`: the headline experiment; `bench`, `break` and `animate` are its companions."""

import argparse
from dataclasses import replace
from pathlib import Path

import matplotlib
import torch

from . import bench, experiment, plots, record, tables, text
from .animate import write_gif, write_page
from .break_it import break_it
from .experiment import Plan


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m rope_animator", description=__doc__)
    parser.add_argument("command", nargs="?", default="headline", choices=("headline", "bench", "break", "animate"))
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes; the numbers mean nothing")
    parser.add_argument("--seed", type=int, default=0, help="the first seed (default 0)")
    parser.add_argument("--seeds", type=int, help="how many seeds in a row (default 2, or 1 with --quick)")
    parser.add_argument("--steps", type=int, help="training steps of each model (default 400)")
    parser.add_argument("--data", default="pydoc", choices=text.NAMES, help="text of the language models")
    parser.add_argument("--device", default="cpu", help="cpu, cuda or mps (headline)")
    parser.add_argument("--workers", type=int, default=2, help="processes that train side by side (default 2)")
    parser.add_argument(
        "--out", type=Path, default=record.FOLDER / "results" / "mine", help="where results are written"
    )
    return parser.parse_args(argv)


def plan(options: argparse.Namespace) -> Plan:
    """The experiment's plan from the command line."""
    start = experiment.QUICK if options.quick else Plan()
    count = options.seeds or len(start.seeds)
    return replace(
        start,
        seeds=tuple(range(options.seed, options.seed + count)),
        steps=options.steps or start.steps,
        data=options.data,
        device=options.device,
        workers=1 if options.quick or options.device != "cpu" else options.workers,
    )


def main(argv: list[str] | None = None) -> None:
    options = arguments(argv)
    matplotlib.use("agg")
    torch.set_num_threads(1)  # each worker too: small matrices, and as many processes as cores
    wanted = plan(options)
    if options.command == "animate":
        drawn = [write_page(options.out), write_gif(options.out, 5 if options.quick else None)]
    elif options.command == "bench":
        shape = bench.QUICK if options.quick else bench.Shape()
        try:
            found = bench.bench(shape, seed=options.seed)
        except ImportError as error:
            raise SystemExit(f"the peer is missing ({error}); install it with: pip install -e '.[peers]'") from error
        sections = record.write(options.out, "bench", found, [options.seed], options.quick)
        print(tables.bench(sections["bench"]))
        drawn = plots.draw({"bench": sections["bench"]}, options.out)
    elif options.command == "break":
        sections = record.write(options.out, "break_it", break_it(wanted), wanted.seeds, options.quick)
        print(tables.break_it(sections["break_it"]))
        drawn = plots.draw({"break_it": sections["break_it"]}, options.out)
    else:
        sections = record.write(options.out, "headline", experiment.headline(wanted), wanted.seeds, options.quick)
        print(tables.terminal(sections["headline"]))
        drawn = plots.draw({"headline": sections["headline"]}, options.out)
    if options.quick:
        print("a quick run: the numbers mean nothing")
    print("wrote " + ", ".join(str(path) for path in drawn))


if __name__ == "__main__":
    main()
