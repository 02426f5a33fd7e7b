"""python -m cuda_quant_kernels             the headline: the int8 ladder under the tracer, half a minute, no GPU
python -m cuda_quant_kernels break       what each fault does, half a minute, no GPU
python -m cuda_quant_kernels profile     one kernel by source line (--kernel NAME; --ncu beside it on a GPU)
python -m cuda_quant_kernels bench       the kernels on a GPU beside torch and a copy; says so where there is none
python -m cuda_quant_kernels counters    Nsight Compute's counters of each kernel beside the tracer's, likewise
"""

import argparse
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown

from . import plots, record, tables
from .build import BuildError

COMMANDS = ("headline", "break", "profile", "bench", "counters")


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m cuda_quant_kernels", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", nargs="?", default="headline", choices=COMMANDS)
    parser.add_argument("--quick", action="store_true", help="seconds instead of half a minute; the counts are smaller")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("results/mine"), help="folder for results.json and figures")
    parser.add_argument("--kernel", default="w8a8 tiled", help="for profile: which kernel; a wrong name lists them all")
    parser.add_argument("--ncu", action="store_true", help="for profile: Nsight Compute's counters too (needs a GPU)")
    return parser.parse_args(argv)


def profile(args: argparse.Namespace, console: Console) -> None:
    from .profile import beside, nsight, traced

    report = traced(args.kernel, args.seed)
    console.print(report.table(), highlight=False, markup=False, soft_wrap=True)
    if args.ncu:
        console.print(beside(report, nsight(args.kernel)), highlight=False, markup=False)


def run(args: argparse.Namespace, say) -> tuple[str, dict | None]:
    """The section's name and content; None where there is nothing to keep."""
    if args.what == "bench":
        from .bench import bench

        return "bench", bench(args.seed, args.quick, say)
    if args.what == "counters":
        from .profile import counters

        return "counters", counters(args.seed, say)
    if args.what == "break":
        from .break_it import break_it

        return "break_it", break_it(args.seed, args.quick, say)
    from .experiment import headline

    return "headline", headline(args.seed, args.quick, say)


def main(argv: list[str] | None = None) -> int:
    args, console, start = arguments(argv), Console(), time.monotonic()
    try:
        if args.what == "profile":
            profile(args, console)
            return 0
        section, content = run(
            args, lambda line: console.print(f"{time.monotonic() - start:4.0f} s  {line}", highlight=False)
        )
        if content is None:
            return 0
        content["meta"] = record.meta([args.seed]) | {"quick": args.quick}
        results = record.write(args.out / "results.json", section, content)
    except (ValueError, RuntimeError, OSError, BuildError) as error:
        console.print(f"stopped: {error}", highlight=False, markup=False)
        return 1
    console.print(Markdown(getattr(tables, section)(results)))
    if section == "headline":
        console.print(Markdown(tables.ledger(results)))
    for path in plots.draw(results, args.out):
        console.print(f"drew {path}", highlight=False)
    return 1 if content.get("not_timed") else 0


if __name__ == "__main__":
    sys.exit(main())
