"""The scheduler: random schedules in a simulation that knows what each slot must hold."""

import pytest
from probes_engine import request, state_of

from serving_stack import Engine, EngineConfig, Request, SamplingParams
from serving_stack.engine import scheduler
from serving_stack.engine.simulate import Fault, SymbolicRunner, run_schedule


def engine_with(policy):
    def made(runner, config, keep_log):
        engine = Engine(runner, config, keep_log)
        engine.schedule = policy
        return engine

    return made


@pytest.mark.task("schedule")
def test_property_random_schedules(impl, seed):
    for trial in range(25):
        run_schedule(10_000 * seed + trial, engine_with(impl.schedule))


@pytest.mark.task("schedule")
def test_property_a_step_fills_its_budget(impl):
    """Two decodes and sixteen tokens of budget: fourteen are left for prompts, in the order of arrival."""
    running = [request("a", 5, 1, 5), request("b", 40, 0, 8), request("c", 6, 2, 7)]
    state = state_of(30, 4, 16, 8, running, [request("d", 9)])
    assert [(r.id, n) for r, n in impl.schedule(state)] == [("a", 1), ("c", 1), ("b", 14)]
    assert [r.id for r in state.waiting] == ["d"] and not state.waiting[0].table
    state = state_of(30, 4, 16, 8, running[:1], [request("d", 9), request("e", 9), request("f", 1)])
    assert [(r.id, n) for r, n in impl.schedule(state)] == [("a", 1), ("d", 9), ("e", 6)]
    state = state_of(30, 4, 16, 2, running[:1], [request("d", 3), request("e", 3)])
    assert [(r.id, n) for r, n in impl.schedule(state)] == [("a", 1), ("d", 3)]


@pytest.mark.task("schedule")
def test_property_who_has_ended_leaves_from_anywhere(impl):
    gone = [request("a", 5, 1, 5, reason="stop"), request("c", 3, reason="abort")]
    state = state_of(9, 4, 16, 4, [gone[0], request("b", 4, 1, 4)], [gone[1], request("d", 4)])
    assert [(r.id, n) for r, n in impl.schedule(state)] == [("b", 1), ("d", 4)]
    assert state.allocator.num_free == 9 - 2 - 1


@pytest.mark.task("schedule")
def test_property_nobody_overtakes_and_a_step_that_preempts_admits_nobody(impl):
    state = state_of(4, 4, 64, 4, [request("a", 7, 1, 7)], [request("b", 12), request("c", 2)])
    assert [(r.id, n) for r, n in impl.schedule(state)] == [("a", 1)]
    assert [r.id for r in state.waiting] == ["b", "c"] and state.allocator.num_free == 2
    state = state_of(6, 4, 64, 4, [request("a", 8, 1, 8), request("b", 10, 1, 10)], [request("c", 1)])
    assert [(r.id, n) for r, n in impl.schedule(state)] == [("a", 1), ("b", 1)]
    state = state_of(4, 4, 64, 4, [request("a", 8, 1, 8), request("b", 8, 1, 8)], [request("c", 1)])
    assert [(r.id, n) for r, n in impl.schedule(state)] == [("a", 1)]
    assert [r.id for r in state.waiting] == ["b", "c"]


@pytest.mark.task("schedule")
def test_property_a_victim_leaves_the_plan_and_its_token_the_budget(impl):
    """a needs blocks that c holds, whose decode is planned already."""
    running = [request("a", 20, 0, 4), request("b", 6, 1, 6), request("c", 5, 1, 5)]
    state = state_of(6, 4, 12, 4, running)
    assert [(r.id, n) for r, n in impl.schedule(state)] == [("b", 1), ("a", 11)]
    assert [r.id for r in state.waiting] == ["c"] and not running[2].table


@pytest.mark.task("schedule")
def test_property_the_request_that_preempts_may_have_its_victims_tokens(impl):
    running = [request("a", 20, 0, 4), request("b", 9, 0, 1), request("c", 5, 1, 5)]
    state = state_of(6, 4, 12, 4, running)
    assert [(r.id, n) for r, n in impl.schedule(state)] == [("a", 12)]
    assert [r.id for r in state.running] == ["a", "b"]


@pytest.mark.task("schedule")
def test_property_nobody_comes_in_where_somebody_was_put_out(impl):
    running = [request("a", 8, 1, 8), request("b", 8, 1, 8)]
    state = state_of(5, 4, 3, 4, running, [request("c", 2)], cache=False)
    assert [(r.id, n) for r, n in impl.schedule(state)] == [("a", 1)]
    assert [r.id for r in state.waiting] == ["b", "c"] and state.allocator.num_free == 2


@pytest.mark.task("schedule")
def test_property_a_known_beginning_is_shared(impl):
    a = request("a", 10, 1, 10)
    again = Request("b", [*a.tokens[:8], 1, 2, 3], SamplingParams(max_tokens=5))
    state = state_of(12, 4, 64, 4, [a], [again])
    assert [(r.id, n) for r, n in impl.schedule(state)] == [("a", 1), ("b", 3)]
    assert again.num_cached == 8 and again.table[:2] == a.table[:2]


@pytest.mark.task("schedule")
def test_property_who_finds_the_budget_spent_gives_back_what_it_shared(impl):
    a = request("a", 8, 1, 8)
    again = Request("b", [*a.tokens[:8], 1, 2, 3], SamplingParams(max_tokens=5))
    state = state_of(12, 4, 1, 4, [a], [again])
    assert [(r.id, n) for r, n in impl.schedule(state)] == [("a", 1)]
    assert not again.table and [state.allocator.holders[block] for block in a.table] == [1, 1, 1]


@pytest.mark.task("schedule")
def test_property_nobody_shares_what_is_not_computed(impl):
    """Two equal prompts arrive together: both are computed. A step later the blocks are known, and a third shares."""
    engine = engine_of(12, 4, token_budget=30)
    engine.schedule = impl.schedule
    prompt, params = [1, 2, 3, 4, 5, 6, 7, 8, 9], SamplingParams(max_tokens=3)
    first, second, third = (Request(name, list(prompt), params) for name in "abc")
    engine.add(first)
    engine.add(second)
    engine.step()
    assert (first.num_cached, second.num_cached) == (0, 0) and not set(first.table) & set(second.table)
    engine.add(third)
    engine.step()
    assert third.num_cached == 8 and third.table[:2] == first.table[:2]


@pytest.mark.task("schedule")
def test_property_prompts_come_in_the_order_of_running_whatever_they_miss(impl):
    running = [request("a", 20, 0, 4), request("b", 9, 0, 4), request("c", 5, 1, 5)]
    plan = impl.schedule(state_of(20, 4, 12, 4, running))
    assert [(r.id, count) for r, count in plan] == [("c", 1), ("a", 11)]


@pytest.mark.task("preempt")
def test_property_the_newest_goes_to_the_front_with_its_output(impl):
    running = [request("a", 9, 1, 9), request("b", 3, 2, 4)]
    output, running[1].logprobs = list(running[1].output), [(-0.5, [])]
    state = state_of(9, 4, 16, 4, running, [request("c", 3)])
    victim = impl.preempt(state)
    assert victim is running[1] and [r.id for r in state.running] == ["a"]
    assert [r.id for r in state.waiting] == ["b", "c"]
    assert victim.output == output and victim.logprobs == [(-0.5, [])] and len(victim.prompt) == 3
    assert (victim.table, victim.num_computed, victim.num_preemptions) == ([], 0, 1)
    assert state.allocator.num_free == 9 - 3


@pytest.mark.task("preempt")
def test_property_each_preemption_is_counted(impl):
    request_ = request("a", 6, 2, 7)
    request_.num_preemptions = 2
    impl.preempt(state_of(9, 4, 16, 4, [request_]))
    assert request_.num_preemptions == 3


@pytest.mark.task("preempt")
def test_property_random_schedules_with_this_preemption(impl, seed, monkeypatch):
    monkeypatch.setattr(scheduler, "preempt", impl.preempt)
    for trial in range(25):
        run_schedule(10_000 * seed + trial)


def engine_of(blocks=8, size=4, **changes):
    config = EngineConfig(blocks, size, **{"max_running": 4, "token_budget": 16, **changes})
    return Engine(SymbolicRunner(blocks, size), config)


def test_bad_input_a_request_that_can_never_fit():
    """vllm 39734, 35541: such a request must not hang or kill the engine."""
    engine = engine_of()
    with pytest.raises(ValueError, match="33 tokens can never fit into 8 blocks; ask for fewer"):
        engine.add(Request("a", [1] * 20, SamplingParams(max_tokens=13)))
    engine.add(Request("a", [1] * 20, SamplingParams(max_tokens=12)))


def test_bad_input_an_id_twice():
    """vllm 10583, 15041."""
    engine = engine_of()
    engine.add(Request("a", [1]))
    with pytest.raises(ValueError, match="id='a': a request with this id is here already"):
        engine.add(Request("a", [2]))


@pytest.mark.parametrize("name", ["num_blocks", "block_size", "max_running", "token_budget"])
def test_bad_input_sizes_below_one(name):
    with pytest.raises(ValueError, match=f"{name}=0: at least 1"):
        EngineConfig(**{"num_blocks": 4, name: 0})


@pytest.mark.parametrize("changes", [{"temperature": -0.1}, {"temperature": 2.1}, {"top_p": 0.0}, {"top_p": 1.1},
                                     {"max_tokens": 0}])  # fmt: skip
def test_bad_input_sampling_parameters(changes):
    with pytest.raises(ValueError, match=next(iter(changes))):
        SamplingParams(**changes)


def test_bad_input_an_empty_prompt():
    with pytest.raises(ValueError, match="at least one token"):
        Request("a", [])


def test_effect_prefills_do_not_stall_decodes():
    """sglang 32775. While a prompt of 200 tokens is computed, a running answer gets a token in every step."""
    engine = engine_of(80, 4)
    a = Request("a", [1, 2, 3], SamplingParams(max_tokens=40))
    engine.add(a)
    engine.step()
    engine.add(Request("b", [1] * 200, SamplingParams(max_tokens=2)))
    for step in range(10):
        assert [r.id for r, _ in engine.step()] == ["a"], step
    assert len(a.output) == 11


def test_abort_while_waiting_and_while_running():
    """vllm 54947: an aborted request leaves nothing behind."""
    engine = engine_of(6, 4, max_running=1)
    for name in "abc":
        engine.add(Request(name, [1] * 9, SamplingParams(max_tokens=5)))
    engine.step()
    engine.abort("a")
    engine.abort("b")
    engine.abort("nobody")
    engine.step()
    assert [r.id for r in engine.state.running] == ["c"] and not engine.state.waiting
    engine.abort("c")
    engine.step()
    assert not engine.has_work and engine.num_used_blocks == 0 and not engine.requests


def test_children_whose_parent_is_aborted_are_computed_all_the_same():
    engine = engine_of(8, 4, token_budget=4)
    parent = Request("p", [1] * 9, SamplingParams(max_tokens=3))
    children = [Request(n, [1] * 9, SamplingParams(max_tokens=3), parent=parent) for n in "ab"]
    for r in [parent, *children]:
        engine.add(r)
    engine.step()
    assert engine.num_waiting == 2
    engine.abort("p")
    while engine.has_work:
        engine.step()
    assert [len(c.output) for c in children] == [3, 3] and engine.num_used_blocks == 0


def test_the_simulation_knows_its_own_faults():
    def broken(state):
        plan = scheduler.schedule(state)
        return [(r, 0) for r, _ in plan]

    with pytest.raises(Fault, match="without a token"):
        run_schedule(3, engine_with(broken))
