"""The labs of training engineering: run one or all, recorded one by one, drawn, and laid out as pages."""

import argparse
import importlib
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

from matplotlib import rc_context

from ..labs import LABS
from . import record
from .markdown import meta_line, section, table
from .style import STYLE, save

COMMAND = "python -m capstone_gpt labs"


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--lab", nargs="+", choices=LABS, help="labs: only these; the results of the others stay")


def module(name: str) -> ModuleType:
    """The lab's file."""
    return importlib.import_module(f"capstone_gpt.labs.{name}")


def run(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """The chosen labs, each written as soon as it is done; what was recorded of the others stays."""
    chosen = getattr(options, "lab", None) or LABS
    for name in chosen:
        log(f"lab: {name}")
        start = time.process_time()
        result = module(name).run(seed=options.seed, quick=options.quick, log=log)
        cpu_s = time.process_time() - start
        circumstances = record.meta([options.seed], options.threads) | {"quick": options.quick}
        found = recorded(record.read(options.out).get("labs", {}))  # anew: another run may have added a lab
        found[name] = result | {"cpu_s": cpu_s, "meta": circumstances}
        found = recorded(found)
        record.write(options.out, "labs", found, seeds=[options.seed], quick=options.quick, threads=options.threads)
    return found


def recorded(content: dict) -> dict[str, dict]:
    """The labs of a section, in their order, without the section's own meta."""
    return {name: content[name] for name in LABS if name in content}


def draw(content: dict, folder: Path) -> list[Path]:
    """A figure for each recorded lab."""
    made = []
    for name, result in recorded(content).items():
        with rc_context(STYLE):
            made.append(save(module(name).figure(result), folder / f"lab_{name}.png"))
    return made


def lab_tables(content: dict | None = None) -> str:
    """A table for each recorded lab, with its question and what happened."""
    found = recorded(content or section("labs", command=COMMAND))
    parts = []
    for name, result in found.items():
        lab = module(name)
        parts.append(f"### `{name}`\n\n{lab.QUESTION}\n\n{table(lab.rows(result))}\n\n{lab.outcome(result)}\n")
        parts.append(f"{meta_line(result)}\n")
    return "\n".join(parts)


def page(content: dict | None = None) -> str:
    """For each recorded lab: its question, a prediction, the outcome folded, the figure behind it."""
    found = recorded(content or section("labs", command=COMMAND))
    parts = []
    for number, (name, result) in enumerate(found.items(), 1):
        lab = module(name)
        picture = f"![{lab.QUESTION}](../../../results/lab_{name}.png)"
        parts.append(
            f"## {number}. `{name}`\n\n**{lab.QUESTION}**\n\nA prediction: {lab.PREDICTION}\n\n"
            f"<details><summary>What happens</summary>\n\n{lab.outcome(result)}\n\n{picture}\n\n"
            f"`python -m capstone_gpt labs --lab {name}` took {result['cpu_s']:.0f} CPU seconds.\n\n</details>\n"
        )
    return "\n".join(parts)
