"""The command line of a project: its commands are declared, and the rest is the same everywhere."""

import argparse
import importlib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.markdown import Markdown

from . import record
from .fetch import MODELS, TEXTS
from .progress import Progress

QUICK = "Quick run: the numbers mean nothing."


@dataclass(frozen=True)
class Command:
    """One command. `run(options, log)` returns the section's content, or None if there is nothing to record.

    `content["seeds"]` and `content["threads"]`, where present, go to the section's meta. `table(section)` makes
    markdown of the recorded section.
    """

    name: str
    help: str
    run: Callable[[argparse.Namespace, Callable[[str], None]], dict | None]
    table: Callable[[dict], str] | None = None
    minutes: int | float = 2
    section: str = ""  # in results.json; the command's name, and "break_it" for "break"
    model: bool = False  # whether `run` has a form for --model
    device: bool = False  # and one for --device

    @property
    def key(self) -> str:
        return self.section or {"break": "break_it"}.get(self.name, self.name.replace("-", "_"))


def parser(package: str, doc: str, commands: Sequence[Command]) -> argparse.ArgumentParser:
    """The options that every project has."""
    width = max(len(command.name) for command in commands)
    lines = [f"  {c.name:{width}}  {c.help} (about {_minutes(c.minutes)})" for c in commands]
    made = argparse.ArgumentParser(
        prog=f"python -m {package}",
        description=doc.strip(),
        epilog="commands:\n" + "\n".join(lines),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    names = [command.name for command in commands]
    add = made.add_argument
    add("command", nargs="?", choices=names, metavar="command", help=f"default: {_default(commands, None).name}")
    add("--quick", action="store_true", help="seconds instead of minutes; the numbers mean nothing")
    add("--seed", type=int, default=0, help="the first seed (default 0)")
    add("--seeds", type=int, help="how many seeds in a row (default: the experiment's own number)")
    add("--data", default="pydoc", help=f"{', '.join(TEXTS)}, or the path of a text file (default pydoc)")
    add("--model", choices=MODELS, help="a real model instead of one that is trained on the spot")
    add("--threads", type=int, default=1, help="threads of the numerical library (default 1)")
    add("--device", choices=("cpu", "cuda", "mps"), default="cpu", help="default cpu")
    add("--out", type=Path, default=record.MINE, help="folder for results.json and figures (default results/mine)")
    add("--traceback", action="store_true", help="show where an error comes from, for whoever works on the code")
    return made


def _default(commands: Sequence[Command], model: str | None) -> Command:
    """The command that is meant when none is named: the one for --model where that is given, else the headline."""
    wanted = [c for c in commands if c.model] if model else [c for c in commands if c.name == "headline"]
    return (wanted or list(commands))[0]


def _minutes(minutes: int | float) -> str:
    return f"{minutes * 60:.0f} s" if minutes < 1 else f"{minutes:g} min"


def options(**changes: object) -> argparse.Namespace:
    """The default options with some changes, for tests and notebooks: `headline(options(quick=True), print)`."""
    shared = {"quick": False, "seed": 0, "seeds": None, "data": "pydoc", "model": None, "threads": 1, "device": "cpu"}
    return argparse.Namespace(**(shared | {"out": record.MINE} | changes))


def seeds_of(options: argparse.Namespace, default: int = 1) -> list[int]:
    """The seeds that were asked for: `seed`, and those that follow it."""
    return [options.seed + i for i in range(options.seeds or default)]


def _check(options: argparse.Namespace, command: Command) -> None:
    """What argparse cannot say. Raises ValueError."""
    record.check_out(options.out, options.quick)
    if options.model and not command.model:
        raise ValueError(f"model={options.model!r}: {command.name} has no form for it; leave out --model")
    cores = os.cpu_count() or 1
    if not 1 <= options.threads <= cores:
        raise ValueError(f"threads={options.threads}: this machine allows 1 to {cores}")
    if options.seeds is not None and options.seeds < 1:
        raise ValueError(f"seeds={options.seeds}: at least 1")
    if options.device != "cpu" and not command.device:
        raise ValueError(f"device={options.device!r}: {command.name} runs on the CPU; leave out --device")
    if options.device != "cpu":
        torch = importlib.import_module("torch")
        ready = torch.cuda.is_available() if options.device == "cuda" else torch.backends.mps.is_available()
        if not ready:
            raise ValueError(f"device={options.device!r}: torch finds none here; leave out --device")
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(options.threads)


def main(
    package: str,
    doc: str,
    commands: Sequence[Command],
    draw: Callable[[dict, Path], list[Path]] | None = None,
    argv: Sequence[str] | None = None,
    arguments: Callable[[argparse.ArgumentParser], None] | None = None,
) -> int:
    """Run one command, print its table, record its section and draw its figures; returns the exit code.

    `arguments(parser)` adds the project's own options. A ValueError, an OSError or a missing library becomes one
    sentence and exit code 1.
    """
    made = parser(package, doc, commands)
    if arguments:
        arguments(made)
    chosen = made.parse_args(argv)
    named = [c for c in commands if c.name == chosen.command]
    command = named[0] if named else _default(commands, chosen.model)
    chosen.command = command.name
    console = Console()
    try:
        _check(chosen, command)
        with Progress(console) as log:
            content = command.run(chosen, log)
        if content is not None:
            _show(command, chosen, content, draw, console)
    except KeyboardInterrupt:
        return _stopped(console, "interrupted; nothing was recorded", 130)
    except (ValueError, OSError, ImportError) as error:
        if chosen.traceback or (isinstance(error, ImportError) and not _is_foreign(error, package)):
            raise
        return _stopped(console, _sentence(error), 1)
    return 0


def _show(command: Command, chosen: argparse.Namespace, content: dict, draw: Callable | None, console: Console) -> None:
    """Record the section, print its table, draw its figures."""
    content = dict(content)
    seeds = content.pop("seeds", None) or seeds_of(chosen)
    threads = content.pop("threads", None) or chosen.threads
    more = {"data": chosen.data if chosen.data != "pydoc" else None, "model": chosen.model}
    more |= {"device": chosen.device if chosen.device != "cpu" else None}
    more = {name: value for name, value in more.items() if value}
    results = record.write(chosen.out, command.key, content, seeds=seeds, quick=chosen.quick, threads=threads, **more)
    if command.table:
        text = command.table(results[command.key])
        if console.is_terminal:
            console.print(Markdown(text))
        else:
            print(text)
    drawn = draw({command.key: results[command.key]}, chosen.out) if draw else []
    if chosen.quick:
        console.print(QUICK, style="bold")
    written = [chosen.out / "results.json", *drawn]
    console.print("wrote " + ", ".join(map(_short, written)), highlight=False, markup=False, soft_wrap=True)


def _short(path: Path) -> str:
    """The path as seen from the folder in which the command was given."""
    try:
        return os.path.relpath(path)
    except ValueError:  # another drive on Windows
        return str(path)


def _is_foreign(error: ImportError, package: str) -> bool:
    return bool(error.name) and error.name.partition(".")[0] != package


def _sentence(error: Exception) -> str:
    if isinstance(error, ImportError):
        return f"{error.name} is not installed; install this project's peers with: pip install -e '.[peers]'"
    return " ".join(str(error).split()) or type(error).__name__


def _stopped(console: Console, sentence: str, code: int) -> int:
    console.print(f"stopped: {sentence}", highlight=False, markup=False, soft_wrap=True)
    return code
