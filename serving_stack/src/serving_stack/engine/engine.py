"""The step loop: schedule, execute, append. Every decision goes into a log."""

import json
from collections import defaultdict
from dataclasses import asdict, dataclass

from ..memory.blocks import BlockAllocator, blocks_for
from ..memory.prefix_cache import PrefixCache
from .request import Request
from .runner import Runner, Sampled
from .scheduler import SchedulerState, schedule


@dataclass(frozen=True)
class EngineConfig:
    """What the engine may use in a step, and in all."""

    num_blocks: int
    block_size: int = 16
    max_running: int = 8
    token_budget: int = 256
    prefix_caching: bool = True

    def __post_init__(self):
        for name in ("num_blocks", "block_size", "max_running", "token_budget"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: at least 1")


class Engine:
    """Requests go in, tokens come out. `log` has one entry for each arrival, each abort and each step."""

    def __init__(self, runner: Runner, config: EngineConfig, keep_log: bool = True):
        self.runner, self.config, self.keep_log = runner, config, keep_log
        self.schedule = schedule  # an experiment may put another policy here
        self.state = SchedulerState(
            allocator=BlockAllocator(config.num_blocks),
            block_size=config.block_size,
            token_budget=config.token_budget,
            max_running=config.max_running,
            prefix_cache=PrefixCache(config.block_size) if config.prefix_caching else None,
            copy_block=runner.copy_block,
        )
        self.requests: dict[str, Request] = {}
        self.held_back: dict[str, list[Request]] = defaultdict(list)  # by the parent whose prompt they wait for
        self.log: list[dict] = []
        self._write({"event": "start", **asdict(config)})

    @property
    def has_work(self) -> bool:
        """Is there anything that another step would change?"""
        return bool(self.state.running or self.state.waiting)

    @property
    def num_waiting(self) -> int:
        return len(self.state.waiting) + sum(map(len, self.held_back.values()))

    @property
    def num_used_blocks(self) -> int:
        return self.config.num_blocks - self.state.allocator.num_free

    def add(self, request: Request) -> None:
        """Let a request wait for its turn. One with a parent waits until the parent's prompt is computed.

        Raises:
            ValueError: its id is in use, or it can never fit, not even alone.
        """
        if request.id in self.requests:
            raise ValueError(f"id={request.id!r}: a request with this id is here already; give it another")
        longest = len(request.prompt) + request.params.max_tokens
        if blocks_for(longest, self.config.block_size) > self.config.num_blocks:
            raise ValueError(f"{longest} tokens can never fit into {self.config.num_blocks} blocks; ask for fewer")
        self.requests[request.id] = request
        parent = request.parent
        self._write({"event": "add", "id": request.id, "prompt": request.prompt, "tag": request.tag,
                     "max_tokens": request.params.max_tokens, "parent": parent and parent.id})  # fmt: skip
        if parent is not None and parent.id in self.requests and parent.num_computed < len(request.prompt):
            self.held_back[parent.id].append(request)
        else:
            self.state.waiting.append(request)

    def abort(self, request_id: str) -> None:
        """End a request, wherever it is. An unknown id is no error: it may have ended a moment ago."""
        request = self.requests.get(request_id)
        if request is not None and request.finish_reason is None:
            self.finish(request, "abort")

    def finish(self, request: Request, reason: str) -> None:
        """The request leaves with the next step."""
        request.finish_reason = reason
        self._write({"event": "finish", "id": request.id, "reason": reason})

    def step(self) -> list[tuple[Request, Sampled]]:
        """One step. Returns the requests that have a new token, with it."""
        before = {request: request.num_preemptions for request in self.state.running}
        plan = self.schedule(self.state)
        self._forget_ended()
        preempted = [request.id for request, count in before.items() if request.num_preemptions > count]
        sampled = self.runner.execute(plan) if plan else []
        self._write_step(plan, preempted, sampled)
        return self._update(plan, sampled)

    def _update(self, plan, sampled) -> list[tuple[Request, Sampled]]:
        """Note what has been computed, publish full blocks, append tokens, see who has ended."""
        new = []
        for (request, count), found in zip(plan, sampled, strict=True):
            request.num_computed += count
            full = request.num_computed // self.config.block_size
            if self.state.prefix_cache is not None and full > (request.num_computed - count) // self.config.block_size:
                known = request.tokens[: request.num_computed]
                self.state.prefix_cache.insert(known, request.table, request.tag)
            self.state.waiting.extend(self.held_back.pop(request.id, []) if found is not None else [])
            if found is not None and request.finish_reason is None:
                request.output.append(found.token)
                new.append((request, found))
                if found.token in request.params.stop_token_ids:
                    self.finish(request, "stop")
                elif len(request.output) == request.params.max_tokens:
                    self.finish(request, "length")
        return new

    def _forget_ended(self) -> None:
        """Drop requests that have left. Whoever waited for one that never computed its prompt computes it itself."""
        for request in [r for r in self.requests.values() if r.finish_reason is not None]:
            self.state.waiting.extend(self.held_back.pop(request.id, []))
            del self.requests[request.id]

    def _write(self, entry: dict) -> None:
        if self.keep_log:
            self.log.append(entry)

    def _write_step(self, plan, preempted, sampled) -> None:
        if self.keep_log:
            self.log.append({
                "event": "step",
                "plan": [[r.id, r.num_computed, count] for r, count in plan],
                "preempted": preempted,
                "tables": {r.id: list(r.table) for r in self.state.running},
                "waiting": [r.id for r in self.state.waiting],
                "tokens": [found and found.token for found in sampled],
            })  # fmt: skip


def log_lines(log: list[dict]) -> str:
    """A log as JSON lines, always the same bytes for the same decisions."""
    return "".join(json.dumps(entry, separators=(",", ":")) + "\n" for entry in log)
