"""A log, decided again: the same arrivals and the same tokens must give the same decisions, byte for byte.

A log can therefore be kept instead of a story. Whoever asks why a request waited reads the step in which it did.
"""

from collections import deque

from .engine import Engine, EngineConfig, log_lines
from .request import Request, SamplingParams
from .runner import Sampled


class RecordedRunner:
    """Gives the tokens that the log has, step by step."""

    def __init__(self, log: list[dict]):
        steps = (entry["tokens"] for entry in log if entry["event"] == "step" and entry["plan"])
        self.tokens = deque(steps)

    def copy_block(self, source: int, target: int) -> None:
        """Nothing is stored."""

    def execute(self, plan: list[tuple[Request, int]]) -> list[Sampled | None]:
        """What the model said then."""
        if not self.tokens:
            raise ValueError("the log has no more steps; it was cut, or the decisions are others")
        tokens = self.tokens.popleft()
        if len(tokens) != len(plan):
            raise ValueError(f"{len(plan)} requests in this step, {len(tokens)} in the log: the decisions differ")
        return [None if token is None else Sampled(token) for token in tokens]


def replay(log: list[dict]) -> list[dict]:
    """The log of the same arrivals, finishes and tokens, with every decision made anew.

    Raises:
        ValueError: the decisions do not fit the log.
    """
    config = {name: value for name, value in log[0].items() if name != "event"}
    engine = Engine(RecordedRunner(log), EngineConfig(**config))
    requests: dict[str, Request] = {}
    for entry in log[1:]:
        if entry["event"] == "add":
            params = SamplingParams(max_tokens=entry["max_tokens"], temperature=0)
            parent = requests.get(entry["parent"])
            request = Request(entry["id"], entry["prompt"], params, tag=entry["tag"], parent=parent)
            requests[entry["id"]] = request
            engine.add(request)
        elif entry["event"] == "finish" and requests[entry["id"]].finish_reason is None:
            engine.finish(requests[entry["id"]], entry["reason"])
        elif entry["event"] == "step":
            engine.step()
    return engine.log


def is_faithful(log: list[dict]) -> bool:
    """Does the log decide itself again, byte for byte?"""
    return log_lines(replay(log)) == log_lines(log)


def timeline(log: list[dict]) -> dict[str, list[tuple[int, str, int]]]:
    """For each request, its steps: (step, kind, tokens). Kinds: "prefill", "decode", "wait", "preempted"."""
    rows: dict[str, list[tuple[int, str, int]]] = {entry["id"]: [] for entry in log if entry["event"] == "add"}
    decoding: set[str] = set()
    steps = [entry for entry in log if entry["event"] == "step"]
    for number, entry in enumerate(steps):
        for (name, _, count), token in zip(entry["plan"], entry["tokens"], strict=True):
            kind = "decode" if name in decoding and count == 1 else "prefill"
            rows[name].append((number, kind, count))
            if token is not None:
                decoding.add(name)
        for name in entry["preempted"]:
            rows[name].append((number, "preempted", 0))
            decoding.discard(name)
        planned = {name for name, *_ in entry["plan"]}
        for name in entry["waiting"]:
            if name not in planned and name not in entry["preempted"]:
                rows[name].append((number, "wait", 0))
    return rows
