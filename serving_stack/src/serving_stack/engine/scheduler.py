"""One step of the scheduler (Yu et al. 2022, Orca; Agrawal et al. 2024, Sarathi-Serve): who computes how many tokens.

A step has a budget of tokens. Decodes come first, one token each, so that no answer stalls. What is left goes to
prompts, in chunks. When blocks run out, the newest request is preempted and computed again later.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from ..memory.blocks import BlockAllocator, blocks_for, copy_on_write
from ..memory.prefix_cache import PrefixCache
from .request import Request


@dataclass
class SchedulerState:
    """Everything that a step is decided on. `running` is in the order of admission, the oldest first."""

    allocator: BlockAllocator
    block_size: int
    token_budget: int
    max_running: int
    prefix_cache: PrefixCache | None = None
    copy_block: Callable[[int, int], None] = lambda source, target: None
    waiting: deque[Request] = field(default_factory=deque)
    running: list[Request] = field(default_factory=list)


def preempt(state: SchedulerState) -> Request:
    """Take the newest running request out, and put it in front of those that wait. Returns it.

    It gives its blocks back and will be computed again. Its output stays: those tokens have been sent.
    """
    victim = state.running.pop()
    state.allocator.free(victim.table)
    victim.table = []
    victim.num_computed = 0
    victim.num_preemptions += 1
    state.waiting.appendleft(victim)
    return victim


def schedule(state: SchedulerState) -> list[tuple[Request, int]]:
    """The plan of one step: each request with the number of tokens it computes, decodes first.

    1. Requests with a finish_reason leave, running or waiting, and give their blocks back.
    2. Running requests: those that miss one token, then those that miss more, each in the order of admission. A request
       gets the tokens it misses or what is left of the budget. If blocks are missing, `preempt` until there are enough
       or the request itself is out. A preempted request is in no plan, and its tokens go back to the budget.
    3. Waiting requests, first come, first served, until one does not fit, `max_running` run, or the budget is spent.
       Known beginnings are shared, not computed. A step that has preempted admits nobody.
    """
    release(state)
    plan: dict[Request, int] = {}
    preempted = False
    decodes_first = sorted(state.running, key=lambda request: request.num_missing > 1)
    for request in decodes_first:
        while request in state.running:
            count = min(request.num_missing, state.token_budget - sum(plan.values()))
            if count == 0:
                break
            if reserve(state, request, count):
                plan[request] = count
                break
            plan.pop(preempt(state), None)
            preempted = True
    while state.waiting and not preempted and len(state.running) < state.max_running:
        request = state.waiting[0]
        take_known_beginning(state, request)
        count = min(request.num_missing, state.token_budget - sum(plan.values()))
        if count == 0 or not reserve(state, request, count):
            give_back(state, request)
            break
        state.running.append(state.waiting.popleft())
        plan[request] = count
    return list(plan.items())


def release(state: SchedulerState) -> None:
    """Requests that have ended leave, wherever they stand."""
    for request in [*state.running, *state.waiting]:
        if request.finish_reason is not None:
            give_back(state, request)
    state.running = [request for request in state.running if request.finish_reason is None]
    state.waiting = deque(request for request in state.waiting if request.finish_reason is None)


def give_back(state: SchedulerState, request: Request) -> None:
    """The request's blocks, to the allocator."""
    state.allocator.free(request.table)
    request.table = []
    request.num_computed = 0


def take_known_beginning(state: SchedulerState, request: Request) -> None:
    """Share the blocks of tokens that are computed already: the parent's, or those of the prefix cache."""
    parent = request.parent
    if parent is not None and parent.num_computed >= len(request.prompt):
        request.num_computed = len(request.prompt) - 1  # the last token's logits are needed
        request.table = parent.table[: blocks_for(request.num_computed, state.block_size)]
    elif state.prefix_cache is not None:
        request.table = state.prefix_cache.lookup(request.tokens, request.tag)
        request.num_computed = len(request.table) * state.block_size
    request.num_cached = request.num_computed
    state.allocator.share(request.table)


def reserve(state: SchedulerState, request: Request, count: int) -> bool:
    """Blocks for `count` more tokens, those that are written held by nobody else. False if too few are free."""
    first = request.num_computed // state.block_size
    shared = first < len(request.table) and state.allocator.holders[request.table[first]] > 1
    missing = blocks_for(request.num_computed + count, state.block_size) - len(request.table)
    if missing + shared > state.allocator.num_free:
        return False
    if shared:
        request.table = copy_on_write(request.table, first, state.allocator, state.copy_block)
    request.table = request.table + state.allocator.allocate(missing)
    if state.prefix_cache is not None:
        state.prefix_cache.evict(request.table[first:])  # what will be written is no longer what it was
    return True
