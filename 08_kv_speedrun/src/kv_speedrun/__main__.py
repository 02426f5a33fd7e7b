"""python -m kv_speedrun            the headline experiment, about two minutes
python -m kv_speedrun bench      beside transformers and the bandwidth limit, about nine minutes
python -m kv_speedrun break      what each classic mistake does, about a minute
"""

import argparse
import os
import sys
import time
from pathlib import Path

import torch
from rich.console import Console
from rich.markdown import Markdown

from . import plots, record, tables, text


class Progress:
    """One line that changes on a terminal; a line every few seconds where output is kept."""

    def __init__(self, console: Console):
        self.console, self.start, self.last = console, time.monotonic(), 0.0
        self.status = console.status("starting") if console.is_terminal else None

    def __call__(self, line: str) -> None:
        elapsed = time.monotonic() - self.start
        if self.status:
            self.status.update(f"{elapsed:4.0f} s  {line}")
        elif elapsed - self.last >= 3 or self.last == 0:
            self.last = elapsed
            self.console.print(f"{elapsed:4.0f} s  {line}", highlight=False)

    def __enter__(self):
        if self.status:
            self.status.start()
        return self

    def __exit__(self, *_):
        if self.status:
            self.status.stop()


def arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m kv_speedrun", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", nargs="?", default="headline", choices=("headline", "bench", "break"))
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes; the figures say less")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--data", default="pydoc", choices=text.NAMES, help="text the small model is trained on")
    parser.add_argument("--threads", type=int, default=1, help="for the headline's timing (default 1)")
    parser.add_argument("--out", type=Path, default=Path("results/mine"), help="folder for results.json and figures")
    return parser.parse_args(argv)


def run(args: argparse.Namespace, say) -> tuple[str, dict]:
    """The section's name and content."""
    if args.what == "bench":
        from .bench import bench
        return "bench", bench(args.seed, args.quick, say)
    if args.what == "break":
        from .break_it import break_it
        return "break_it", break_it(text.load(args.data), args.seed, args.quick, say)
    from .experiment import headline
    return "headline", headline(text.load(args.data), args.seed, args.quick, args.threads, say)


def main(argv: list[str] | None = None) -> int:
    args = arguments(argv)
    if args.threads < 1 or args.threads > (os.cpu_count() or 1):
        raise SystemExit(f"--threads {args.threads}: this machine allows 1 to {os.cpu_count()}")
    console = Console()
    try:
        with Progress(console) as say:
            section, content = run(args, say)
    except (ValueError, OSError) as error:
        console.print(f"[bold]stopped:[/bold] {error}", highlight=False)
        return 1
    threads = {"headline": args.threads, "bench": 0}.get(section, torch.get_num_threads())
    content["meta"] = record.meta([args.seed], threads or 2) | {"data": args.data, "quick": args.quick}
    results = record.write(args.out / "results.json", section, content)
    console.print(Markdown(getattr(tables, section)(results)))
    for path in plots.draw({section: results[section]}, args.out):
        console.print(f"drew {path}", highlight=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
