"""A page that shows the block tables, step by step: made from the log of a small schedule."""

import json
from importlib.resources import files
from pathlib import Path

from ..engine.engine import Engine, EngineConfig
from ..engine.request import Request, SamplingParams
from ..engine.simulate import SymbolicRunner
from .record import write_text

TEMPLATE = files(__package__).joinpath("block_page.html")
CONFIG = EngineConfig(num_blocks=15, block_size=4, max_running=4, token_budget=12)
PROMPTS = {"a": (10, 14), "b": (22, 9), "c": (10, 12), "d": (5, 20), "e": (13, 6), "f": (18, 8)}  # tokens in, out


def log_of_a_schedule() -> list[dict]:
    """Six requests, two of which begin alike, in a pool that is too small for all of them."""
    engine = Engine(SymbolicRunner(CONFIG.num_blocks, CONFIG.block_size), CONFIG)
    todo = [
        Request(name, [(i * i + (0 if name in "ac" else ord(name))) % 4 for i in range(n)], SamplingParams(0, 1.0, m))
        for name, (n, m) in PROMPTS.items()
    ]
    step = 0
    while todo or engine.has_work:
        if todo and step % 2 == 0:
            engine.add(todo.pop(0))
        engine.step()
        step += 1
    return engine.log


def steps_of(log: list[dict]) -> list[dict]:
    """What the page draws of each step."""
    steps = [entry for entry in log if entry["event"] == "step"]
    return [{name: entry[name] for name in ("plan", "preempted", "tables", "waiting")} for entry in steps]


def page() -> str:
    """The page as one file, with the schedule inside."""
    content = {"blocks": CONFIG.num_blocks, "size": CONFIG.block_size, "budget": CONFIG.token_budget,
               "steps": steps_of(log_of_a_schedule())}  # fmt: skip
    return TEMPLATE.read_text(encoding="utf-8").replace("/*SCHEDULE*/", json.dumps(content, separators=(",", ":")))


def write_page(folder: Path) -> Path:
    """Write the page into the folder."""
    return write_text(folder / "blocks.html", page())
