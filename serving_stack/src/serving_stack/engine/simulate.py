"""The engine without a model: each slot of the cache knows the prefix that it must hold.

A real model hides faults of a scheduler: a wrong slot changes an answer a little, or not at all. Here the "keys" of a
slot are the hash of its whole prefix. A read that finds another hash names the fault at once, and a schedule takes a
millisecond, so that a hundred thousand random ones can be tried.
"""

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from .engine import Engine, EngineConfig
from .request import Request, SamplingParams
from .runner import Sampled

VOCAB = 4  # few tokens, so that beginnings are often equal


class Fault(Exception):
    """What a schedule did wrong."""


def next_token(tokens: list[int], seed: int | None) -> int:
    """A "model": the next token depends on every token before it, and on the request's seed."""
    return (hash((*tokens, seed or 0)) * 2654435761 >> 9) % VOCAB


class SymbolicRunner:
    """Writes and reads slots as a model would. Raises Fault where a slot does not hold its prefix."""

    def __init__(self, num_blocks: int, block_size: int):
        self.slots: list[list[int | None]] = [[None] * block_size for _ in range(num_blocks)]
        self.block_size = block_size
        self.planned = 0  # tokens of the last plan

    def copy_block(self, source: int, target: int) -> None:
        self.slots[target] = list(self.slots[source])

    def execute(self, plan: list[tuple[Request, int]]) -> list[Sampled | None]:
        """Write every slot of the plan, as a layer does, then read."""
        prefixes = {}
        self.planned = sum(count for _, count in plan)
        for request, count in plan:
            if request.finish_reason is not None:
                raise Fault("a request that has ended is computed")
            if count < 1:
                raise Fault("a request is planned without a token")
            tokens = request.tokens
            end = request.num_computed + count
            prefixes[request] = [hash(tuple(tokens[: p + 1])) for p in range(end)]
            for p in range(request.num_computed, end):
                self._slot(request, p)[p % self.block_size] = prefixes[request][p]
        sampled = []
        for request, count in plan:
            end = request.num_computed + count
            for p in range(end):
                if self._slot(request, p)[p % self.block_size] != prefixes[request][p]:
                    raise Fault("a slot is read that does not hold its own prefix")
            whole = end == request.num_tokens
            sampled.append(Sampled(next_token(request.tokens, request.params.seed)) if whole else None)
        return sampled

    def _slot(self, request: Request, position: int) -> list:
        if position // self.block_size >= len(request.table):
            raise Fault("a token has no block")
        return self.slots[request.table[position // self.block_size]]


def check(engine: Engine) -> None:
    """What must hold between two steps. Raises Fault."""
    state = engine.state
    held = Counter(block for request in state.running for block in request.table)
    if engine.runner.planned > state.token_budget:
        raise Fault("the budget is exceeded")
    if len(state.running) > state.max_running:
        raise Fault("too many requests run")
    if any(request.table for request in state.waiting):
        raise Fault("a waiting request holds blocks")
    for request in state.running:
        if len(request.table) != -(-request.num_computed // state.block_size):
            raise Fault("a request holds more or fewer blocks than its tokens need")
        if len(set(request.table)) != len(request.table):
            raise Fault("a table has one block twice")
    holders = state.allocator.holders
    if any(holders[block] != held[block] for block in range(len(holders))):
        raise Fault("counts of holders differ from the tables")
    if state.allocator.num_free != sum(count == 0 for count in holders):
        raise Fault("the free list differs from the blocks that nobody holds")


def requests_of(generator: random.Random, config: EngineConfig) -> list[Request]:
    """Random requests, many with a common beginning, some with several answers."""
    room = config.num_blocks * config.block_size
    common = [generator.randrange(VOCAB) for _ in range(room)]
    made: list[Request] = []
    for i in range(generator.randint(3, 10)):
        length = generator.randint(1, max(1, room - 1))
        shared = generator.choice([0, length, length // 2, length // config.block_size * config.block_size])
        prompt = common[:shared] + [generator.randrange(VOCAB) for _ in range(length - shared)]
        params = SamplingParams(max_tokens=generator.randint(1, max(1, room - length)))
        parent = None
        if made and generator.random() < 0.2:
            parent = made[-1].parent or made[-1]
            prompt, params = list(parent.prompt), replace(parent.params, seed=i)
        made.append(Request(f"r{i}", prompt, params, tag=generator.choice(["", "", "b"]), parent=parent))
        if parent is not None:
            made[-1].tag = parent.tag
    return made


def run_schedule(seed: int, engine_of: Callable[..., Engine] = Engine) -> int:
    """One random schedule to its end: arrivals, aborts, preemptions. Returns the number of steps. Raises Fault."""
    g = random.Random(seed)
    config = EngineConfig(g.randint(3, 12), g.choice([1, 2, 3, 5]), g.randint(1, 5), g.randint(1, 16), g.random() < 0.8)
    engine = engine_of(SymbolicRunner(config.num_blocks, config.block_size), config, False)
    todo = requests_of(g, config)
    everyone, sent, aborted, order, steps, idle = list(todo), {}, set(), [], 0, 0
    while todo or engine.has_work:
        if g.random() < 0.02:
            refuse_oversize(engine, config)
        if todo and (g.random() < 0.3 or not engine.has_work):
            order.append(todo[0])
            engine.add(todo.pop(0))
        if g.random() < 0.03:
            request = g.choice(everyone)
            if request.finish_reason is None and request.id in engine.requests:
                aborted.add(request.id)
                engine.abort(request.id)
        progress = [(r.num_computed, len(r.output), r.num_preemptions, r.finish_reason) for r in everyone]
        waited_for = decodes_of(engine)
        new = engine.step()
        steps += 1
        check(engine)
        check_decodes(engine, waited_for, {request for request, _ in new})
        check_order(engine, order)
        idle = idle + 1 if progress == [(r.num_computed, len(r.output), r.num_preemptions, r.finish_reason)
                                        for r in everyone] else 0  # fmt: skip
        if idle > 3 or steps > 4000:
            raise Fault("no progress")
        for request in everyone:
            if request.output[: len(sent.get(request, []))] != sent.get(request, []):
                raise Fault("a token that was sent is taken back")
            sent[request] = list(request.output)
    check_answers(engine, everyone, aborted)
    return steps


def refuse_oversize(engine: Engine, config: EngineConfig) -> None:
    try:
        engine.add(Request("too long", [0] * (config.num_blocks * config.block_size), SamplingParams(max_tokens=1)))
    except ValueError:
        return
    raise Fault("a request that can never fit is accepted")


def decodes_of(engine: Engine) -> list[Request]:
    """Running requests that miss one token: each must get it in the next step, if the budget has so many tokens."""
    ready = [r for r in engine.state.running if r.num_missing == 1 and r.finish_reason is None]
    return ready[: engine.state.token_budget]


def check_decodes(engine: Engine, ready: list[Request], served: set[Request]) -> None:
    for request in ready:
        if request not in served and request in engine.state.running and request.finish_reason is None:
            raise Fault("a decode starves")


def check_order(engine: Engine, order: list[Request]) -> None:
    """First come, first served: nobody who waits came before somebody who runs, where both have no parent."""
    rank = {request: i for i, request in enumerate(order) if request.parent is None}
    running = [rank[r] for r in engine.state.running if r in rank]
    waiting = [rank[r] for r in engine.state.waiting if r in rank]
    if running != sorted(running) or waiting != sorted(waiting) or max(running, default=-1) > min(waiting, default=99):
        raise Fault("first come, first served is broken")


def check_answers(engine: Engine, everyone: list[Request], aborted: set[str]) -> None:
    """Every answer is what the request gives alone, and nothing is held at the end."""
    if engine.state.allocator.num_free != engine.config.num_blocks:
        raise Fault("blocks are held when nobody is there")
    for request in everyone:
        tokens = list(request.prompt)
        while len(tokens) < len(request.prompt) + request.params.max_tokens:
            tokens.append(next_token(tokens, request.params.seed))
        right = tokens[len(request.prompt) :]
        if request.id not in aborted and request.output != right:
            raise Fault("an answer differs from that of the request alone")
