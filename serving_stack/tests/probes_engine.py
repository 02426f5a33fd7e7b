"""Probes of the scheduler and of preemption."""

from serving_stack import BlockAllocator, PrefixCache, Request, SamplingParams, SchedulerState

# ---------------------------------------------------------------- states to decide on


def request(name, prompt, output=0, computed=0, parent=None, tag="", reason=None):
    """A request whose tokens depend on its name alone."""
    tokens = [(7 * ord(name[0]) + 3 * i * i + i) % 97 for i in range(prompt + output)]
    made = Request(name, tokens[:prompt], SamplingParams(max_tokens=50), tag=tag, parent=parent)
    made.output, made.num_computed, made.finish_reason = tokens[prompt:], computed, reason
    return made


def state_of(blocks, size, budget, places, running=(), waiting=(), cache=True):
    """A state in which the running requests hold the blocks that their tokens need."""
    state = SchedulerState(BlockAllocator(blocks), size, budget, places, PrefixCache(size) if cache else None)
    for r in running:
        r.table = state.allocator.allocate(-(-r.num_computed // size))
        state.running.append(r)
        if cache:
            state.prefix_cache.insert(r.tokens[: r.num_computed], r.table, r.tag)
    state.waiting.extend(waiting)
    return state


def seen(state, plan=None):
    everyone = [*state.running, *state.waiting]
    found = {
        "the plan": plan if plan is None else [[r.id, n] for r, n in plan],
        "running": [r.id for r in state.running],
        "waiting": [r.id for r in state.waiting],
        "tables": {r.id: list(r.table) for r in everyone},
        "tokens computed": {r.id: r.num_computed for r in everyone},
        "preemptions": {r.id: r.num_preemptions for r in everyone},
        "outputs": {r.id: list(r.output) for r in everyone},
        "log-probabilities": {r.id: list(r.logprobs) for r in everyone},
        "prompts": {r.id: len(r.prompt) for r in everyone},
        "holders": list(state.allocator.holders),
        "free blocks": state.allocator.num_free,
    }
    return found if plan is not None else {name: value for name, value in found.items() if name != "the plan"}


def planned(impl, state, steps=1):
    """What some steps decide. After each, the plan is computed, and a request without missing tokens gets one."""
    found = {}
    for step in range(steps):
        plan = impl.schedule(state)
        found[f"step {step + 1}"] = {**seen(state, plan), "the plan is a list": isinstance(plan, list)}
        for r, n in plan:
            r.num_computed += n
            if r.num_missing == 0:
                r.output.append(5)
    return found


# ---------------------------------------------------------------- preempt


def handed_out_next(state):
    """The order in which the free blocks come."""
    return {"the blocks that are handed out next": state.allocator.allocate(state.allocator.num_free)}


def the_newest_of_three(impl, seed):
    running = [request("a", 9, 1, 9), request("b", 3, 2, 4), request("c", 5, 1, 5)]
    state = state_of(9, 4, 16, 4, running, [request("d", 3), request("e", 2)])
    victim = impl.preempt(state)
    return {"the victim": victim.id, **seen(state), **handed_out_next(state)}


def a_victim_that_was_preempted_before(impl, seed):
    running = [request("a", 5, 1, 5), request("b", 6, 2, 7)]
    running[1].num_preemptions = 2
    running[1].logprobs = [(-0.5, []), (-1.5, [])]
    state = state_of(9, 4, 16, 4, running)
    return {"the victim": impl.preempt(state).id, **seen(state)}


def the_only_one(impl, seed):
    state = state_of(4, 3, 16, 4, [request("a", 7, 3, 9)])
    victim = impl.preempt(state)
    return {"the victim": victim.id, **seen(state), **handed_out_next(state)}


def a_victim_that_shares_its_blocks(impl, seed):
    a, b = request("a", 8, 1, 8), request("b", 8, 2, 9)
    state = state_of(7, 4, 16, 4, [a, b])
    state.allocator.share(a.table)
    state.allocator.free(b.table[:2])
    b.table = a.table + b.table[2:]
    victim = impl.preempt(state)
    return {"the victim": victim.id, **seen(state), **handed_out_next(state)}


def twice_in_a_row(impl, seed):
    state = state_of(9, 4, 16, 4, [request("a", 5, 1, 5), request("b", 3, 1, 3), request("c", 9, 4, 12)])
    return {"first": impl.preempt(state).id, "second": impl.preempt(state).id, **seen(state)}


# ---------------------------------------------------------------- schedule


def decodes_and_a_prompt(impl, seed):
    running = [request("a", 5, 2, 6), request("b", 30, 0, 8), request("c", 4, 1, 4)]
    return planned(impl, state_of(20, 4, 9 + seed % 3, 4, running), 3)


def new_requests_come_in(impl, seed):
    waiting = [request("a", 5), request("b", 11), request("c", 3), request("d", 2)]
    return planned(impl, state_of(20, 4, 13, 3, [], waiting), 4)


def two_tokens_are_a_prompt(impl, seed):
    running = [request("a", 10, 0, 8), request("b", 5, 1, 5), request("c", 9, 3, 11)]
    return planned(impl, state_of(20, 4, 2 + seed % 2, 8, running), 2)


def a_budget_smaller_than_the_decodes(impl, seed):
    running = [request(n, 3, 1, 3) for n in "abcde"]
    return planned(impl, state_of(20, 4, 3, 8, running, [request("f", 4)]), 2)


def no_block_is_left_for_a_decode(impl, seed):
    running = [request("a", 8, 1, 8), request("b", 7, 2, 8), request("c", 4, 1, 4)]
    return planned(impl, state_of(5, 4, 16, 4, running, [request("d", 3)]), 3)


def an_old_prefill_needs_the_blocks_of_a_planned_decode(impl, seed):
    running = [request("a", 20, 0, 4), request("b", 6, 1, 6), request("c", 5, 1, 5)]
    return planned(impl, state_of(6, 4, 12, 4, running), 3)


def an_older_prefill_before_another_and_a_victim(impl, seed):
    """c's token goes back to the budget: a may have it, and nothing is left for b."""
    running = [request("a", 20, 0, 4), request("b", 9, 0, 1), request("c", 5, 1, 5)]
    return planned(impl, state_of(6, 4, 12, 4, running))


def a_step_that_preempts(impl, seed):
    running = [request("a", 8, 1, 8), request("b", 8, 1, 8)]
    return planned(impl, state_of(5, 4, 3, 4, running, [request("c", 2)], cache=False), 3)


def a_request_that_preempts_itself(impl, seed):
    running = [request("a", 12, 1, 12), request("b", 12, 1, 12)]
    state = state_of(6, 4, 16, 4, running)
    state.running = [running[0], running[1]]
    return planned(impl, state, 2)


def the_first_in_the_queue_does_not_fit(impl, seed):
    waiting = [request("b", 14), request("c", 2)]
    return planned(impl, state_of(5, 4, 64, 4, [request("a", 8, 1, 8)], waiting), 2)


def known_beginnings(impl, seed):
    a = request("a", 10, 1, 10)
    again = Request("b", a.tokens[:8] + [1, 2, 3], SamplingParams(max_tokens=5))
    other = Request("c", a.tokens[:8] + [1, 2, 3], SamplingParams(max_tokens=5), tag="adapter")
    return planned(impl, state_of(12, 4, 64, 4, [a], [again, other]), 2)


def twins_that_arrive_together(impl, seed):
    waiting = [request("a", 9), request("a2", 9), request("b", 5)]
    return planned(impl, state_of(12, 4, 30, 4, [], waiting))


def a_failed_admission_after_a_hit(impl, seed):
    a = request("a", 8, 1, 8)
    longer = Request("b", a.tokens[:8] + list(range(9)), SamplingParams(max_tokens=5))
    return planned(impl, state_of(5, 4, 64, 4, [a], [longer]), 2)


def a_hit_when_the_budget_is_spent(impl, seed):
    a = request("a", 8, 1, 8)
    longer = Request("b", a.tokens[:8] + [1, 2, 3], SamplingParams(max_tokens=5))
    return planned(impl, state_of(12, 4, 1, 4, [a], [longer]))


def several_answers_to_one_prompt(impl, seed):
    a = request("a", 6, 1, 6)
    children = [Request(n, list(a.prompt), SamplingParams(max_tokens=5), parent=a) for n in "bc"]
    return planned(impl, state_of(8, 4, 64, 4, [a], children), 2)


def requests_that_have_ended(impl, seed):
    running = [request("a", 5, 2, 6, reason="length"), request("b", 4, 1, 4), request("c", 9, 0, 4, reason="abort")]
    waiting = [request("d", 4, reason="abort"), request("e", 3), request("f", 6, reason="abort")]
    return planned(impl, state_of(8, 4, 16, 3, running, waiting), 2)


def nobody_is_there(impl, seed):
    gone = request("a", 5, 2, 6, reason="stop")
    return planned(impl, state_of(3, 4, 16, 2, [gone]), 2)


def without_a_prefix_cache(impl, seed):
    waiting = [request("a", 9), request("a2", 9), request("b", 7)]
    return planned(impl, state_of(6, 4, 10, 4, [], waiting, cache=False), 4)


def the_step_of_the_workbook(impl, seed):
    running = [request("a", 3, 1, 3), request("b", 40, 0, 16)]
    return planned(impl, state_of(12, 4, 16, 4, running, [request("c", 5)]))


PROBES = {
    "preempt": [
        the_newest_of_three,
        a_victim_that_was_preempted_before,
        the_only_one,
        a_victim_that_shares_its_blocks,
        twice_in_a_row,
    ],
    "schedule": [
        decodes_and_a_prompt,
        new_requests_come_in,
        two_tokens_are_a_prompt,
        a_budget_smaller_than_the_decodes,
        no_block_is_left_for_a_decode,
        an_old_prefill_needs_the_blocks_of_a_planned_decode,
        an_older_prefill_before_another_and_a_victim,
        a_step_that_preempts,
        a_request_that_preempts_itself,
        the_first_in_the_queue_does_not_fit,
        known_beginnings,
        twins_that_arrive_together,
        a_failed_admission_after_a_hit,
        a_hit_when_the_budget_is_spent,
        several_answers_to_one_prompt,
        requests_that_have_ended,
        nobody_is_there,
        without_a_prefix_cache,
        the_step_of_the_workbook,
    ],
}
