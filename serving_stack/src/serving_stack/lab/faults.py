"""Faults planted into the engine: each a few lines that a tired person could write."""

from collections import deque
from collections.abc import Callable

from ..engine import scheduler
from ..engine.engine import Engine
from ..engine.request import Request
from ..engine.scheduler import SchedulerState
from ..memory.blocks import BlockAllocator
from ..memory.prefix_cache import PrefixCache


class FreesWhileShared(BlockAllocator):
    def free(self, blocks):
        super().free(blocks)
        self._free.update(dict.fromkeys(blocks))


class HitStaysFree(BlockAllocator):
    def share(self, blocks):
        for block in blocks:
            self.holders[block] += 1


class SetsHolders(BlockAllocator):
    def share(self, blocks):
        super().share(blocks)
        for block in blocks:
            self.holders[block] = 1


class NoParent(PrefixCache):
    def _one_by_one(self, tokens):
        size = self.block_size
        return [tokens[i : i + size] for i in range(0, len(tokens) - size + 1, size)]

    def lookup(self, tokens, tag=""):
        found = []
        for piece in self._one_by_one(tokens[:-1]):
            hit = super().lookup([*piece, 0], tag)
            if not hit:
                break
            found += hit
        return found

    def insert(self, tokens, table, tag=""):
        for piece, block in zip(self._one_by_one(tokens), table, strict=False):
            super().insert(piece, [block], tag)


class WholePrompt(PrefixCache):
    def lookup(self, tokens, tag=""):
        return super().lookup([*tokens, 0], tag)


class KeepsItsHash(PrefixCache):
    def evict(self, blocks):
        pass


class ForgetsTheTwin(PrefixCache):
    def evict(self, blocks):
        for block in blocks:
            key = self._hash_of.pop(block, None)
            if key is not None:
                self._blocks.pop(key, None)


def with_allocator(kind: type) -> Callable[[Engine], None]:
    def plant(engine: Engine) -> None:
        engine.state.allocator = kind(engine.config.num_blocks)

    return plant


def with_cache(kind: type) -> Callable[[Engine], None]:
    def plant(engine: Engine) -> None:
        engine.state.prefix_cache = kind(engine.config.block_size)

    return plant


def with_victim(change: Callable[[SchedulerState, Request], None]) -> Callable[[Engine], None]:
    """A fault that happens right after a preemption."""

    def plant(engine: Engine) -> None:
        def schedule(state: SchedulerState):
            right = scheduler.preempt

            def preempt(state: SchedulerState) -> Request:
                victim = right(state)
                change(state, victim)
                return victim

            scheduler.preempt = preempt
            try:
                return scheduler.schedule(state)
            finally:
                scheduler.preempt = right

        engine.schedule = schedule

    return plant


def with_helper(name: str, make: Callable[[Callable], Callable]) -> Callable[[Engine], None]:
    """A helper of the scheduler is replaced while a step is decided."""

    def plant(engine: Engine) -> None:
        def schedule(state: SchedulerState):
            right = getattr(scheduler, name)
            setattr(scheduler, name, make(right))
            try:
                return scheduler.schedule(state)
            finally:
                setattr(scheduler, name, right)

        engine.schedule = schedule

    return plant


def with_plan(change: Callable[[SchedulerState, list], list]) -> Callable[[Engine], None]:
    def plant(engine: Engine) -> None:
        engine.schedule = lambda state: change(state, scheduler.schedule(state))

    return plant


def oldest_victim(right: Callable) -> Callable:
    def preempt(state):
        state.running.append(state.running.pop(0))
        return right(state)

    return preempt


def back_of_the_queue(state: SchedulerState, victim: Request) -> None:
    state.waiting = deque([*list(state.waiting)[1:], victim])


def keeps_computed(state: SchedulerState, victim: Request) -> None:
    victim.num_computed = max(victim.num_tokens - 1, 0)


def takes_back_output(state: SchedulerState, victim: Request) -> None:
    victim.output = []


def off_by_one(count: Callable) -> Callable:
    return lambda tokens, size: max(1, tokens // size)


def one_too_many(count: Callable) -> Callable:
    return lambda tokens, size: tokens // size + 1


def keeps_its_hits(right: Callable) -> Callable:
    def give_back(state, request):
        if request.finish_reason is not None:
            right(state, request)

    return give_back


def forgets_who_waits(right: Callable) -> Callable:
    def release(state):
        for request in state.running:
            if request.finish_reason is not None:
                scheduler.give_back(state, request)
        state.running = [r for r in state.running if r.finish_reason is None]

    return release


def leaks_blocks(right: Callable) -> Callable:
    def give_back(state, request):
        request.table = request.table[:-1]
        right(state, request)

    return give_back


def no_copy(right: Callable) -> Callable:
    return lambda table, index, allocator, copy_block: list(table)


def copies_the_old(right: Callable) -> Callable:
    def copy_on_write(table, index, allocator, copy_block):
        return right(table, index, allocator, lambda source, target: None)

    return copy_on_write


def zero_tokens(state: SchedulerState, plan: list) -> list:
    if state.waiting and len(state.running) < state.max_running:
        state.running.append(state.waiting.popleft())
        plan = [*plan, (state.running[-1], 0)]
    return plan


def prefill_first(state: SchedulerState, plan: list) -> list:
    big = [(r, n) for r, n in plan if n > 1]
    return big or plan


def publishes_the_plan(state: SchedulerState, plan: list) -> list:
    if state.prefix_cache is not None:
        for request, _ in plan:
            state.prefix_cache.insert(request.tokens, request.table, request.tag)
    return plan


def accepts_oversize(engine: Engine) -> None:
    add = engine.add

    def anything(request: Request) -> None:
        try:
            add(request)
        except ValueError:
            engine.state.waiting.append(request)

    engine.add = anything


def newest_first(state: SchedulerState, plan: list) -> list:
    state.running.reverse()
    return plan


FAULTS: dict[str, Callable[[Engine], None]] = {
    "frees a block while it is shared": with_allocator(FreesWhileShared),
    "a cache hit stays on the free list": with_allocator(HitStaysFree),
    "a hit sets the holders to one": with_allocator(SetsHolders),
    "table off by one at exact multiples": with_helper("blocks_for", off_by_one),
    "one block too many at exact multiples": with_helper("blocks_for", one_too_many),
    "hash without its parent": with_cache(NoParent),
    "the whole prompt is taken from the cache": with_cache(WholePrompt),
    "a reused block keeps its hash": with_cache(KeepsItsHash),
    "a block is published before it is computed": with_plan(publishes_the_plan),
    "copy-on-write is missing": with_helper("copy_on_write", no_copy),
    "copy-on-write copies nothing": with_helper("copy_on_write", copies_the_old),
    "a failed admission keeps its hits": with_helper("give_back", keeps_its_hits),
    "an aborted request that waits is forgotten": with_helper("release", forgets_who_waits),
    "the last block is never given back": with_helper("give_back", leaks_blocks),
    "the oldest is preempted": with_helper("preempt", oldest_victim),
    "the victim goes to the back of the queue": with_victim(back_of_the_queue),
    "the victim keeps num_computed": with_victim(keeps_computed),
    "the victim's sent tokens are thrown away": with_victim(takes_back_output),
    "a request is planned without a token": with_plan(zero_tokens),
    "prefills go before decodes": with_plan(prefill_first),
    "a request that can never fit is accepted": accepts_oversize,
    "the order of arrival is lost": with_plan(newest_first),
}


def engine_with(plant: Callable[[Engine], None]) -> Callable[..., Engine]:
    """Engines with a fault, for `run_schedule`."""

    def made(runner, config, keep_log: bool) -> Engine:
        engine = Engine(runner, config, keep_log)
        if engine.state.prefix_cache is not None or plant.__qualname__.split(".")[0] != "with_cache":
            plant(engine)
        return engine

    return made
