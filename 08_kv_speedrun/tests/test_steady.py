"""What must not matter to a right answer: earlier calls, old objects, a second object. The same bytes in every project.

A small task of this file stands in for the project's own.
"""

import functools

import diagnosis
import mistakes
import numpy as np
import pytest
import steady
from attempts import Names, kept, load
from compare import same


def doubled(x, extra=()):
    return x * 2 + sum(extra)


class Total:
    def __init__(self, start):
        self.parts = [start]

    def add(self, x):
        self.parts.append(x)
        return sum(self.parts)


def some_calls(impl, seed):
    draw = np.random.default_rng(seed)
    counted = [impl.doubled(np.arange(float(n))) for n in (4, 2)]
    drawn = [impl.doubled(draw.standard_normal(n)) for n in (3, 3, 5)]
    return [*counted, *drawn, impl.doubled(np.ones(3), extra=[1, 2])]


def iterators(impl, seed):
    return impl.doubled(np.full(2, 7.0), extra=iter([1, 2]))


def a_total(impl, seed):
    total = impl.Total(np.ones(2))
    return [total.add(np.full(2, 3.0)), total.add(np.zeros(2))]


PROBES = {"doubled": [some_calls, iterators], "Total": [a_total]}
REFERENCE = Names({"doubled": doubled, "Total": Total})


@pytest.fixture(autouse=True)
def small_task(monkeypatch):
    monkeypatch.delattr(mistakes, "SOLVE", raising=False)  # the small task is Python
    monkeypatch.setattr(mistakes, "OWN_RESULTS", True, raising=False)
    for module in (diagnosis, steady):
        monkeypatch.setattr(module, "reference", lambda: REFERENCE)
        monkeypatch.setattr(module, "probes", lambda task: PROBES[task])
    monkeypatch.setattr(steady, "right_outputs", lambda task, seed: diagnosis.outputs(REFERENCE, task, seed))
    steady.calls_of_probes.cache_clear()


def said_of(task, implementation):
    return steady.unsteady(Names({task: implementation}), task, 0).sentence


def by_address():
    known = {}

    def doubled_once(x, extra=()):
        return known.setdefault(id(x), (x, doubled(x, extra)))[1]

    return doubled_once


def of_one_buffer():
    room = np.empty(100)

    def doubled_into(x, extra=()):
        room[: len(x)] = doubled(x, extra)
        return room[: len(x)]

    return doubled_into


def of_one_table():
    table = np.arange(0, 200, 2.0)

    def doubled_from_a_table(x, extra=()):
        counted = np.array_equal(x, np.arange(len(x))) and not len(extra)
        return table[: len(x)] if counted else doubled(x, extra)

    return doubled_from_a_table


def collecting(x, extra=(), seen=[]):  # noqa: B006  this is the mistake
    seen.append(1)
    return doubled(x, extra) + (len(seen) > 12)


class SharedTotal(Total):
    parts = []  # noqa: RUF012  this is the mistake

    def __init__(self, start):
        self.parts.clear()
        self.parts.append(start)


class OtherTotal:
    """The same in another way: a sum that is kept as a number."""

    def __init__(self, start):
        self.sum = start

    def add(self, x):
        self.sum = self.sum + x
        return self.sum


def test_what_keeps_nothing_is_steady():
    assert said_of("doubled", doubled) == ""
    assert said_of("doubled", lambda x, extra=(): sum(extra) + x + x) == ""
    assert said_of("Total", Total) == said_of("Total", OtherTotal) == ""


@pytest.mark.parametrize(
    ("made", "said"),
    [(of_one_table, "a result was changed in place"), (by_address, "in the same objects"),
     (of_one_buffer, "changes when it is called again"),
     (lambda: collecting, "called again with the same arguments")],
)  # fmt: skip
def test_what_a_function_keeps_is_told(made, said):
    assert said in said_of("doubled", made())


@functools.lru_cache
def counted(n):
    return np.arange(n)


def test_a_function_with_a_cache_is_asked_as_well(monkeypatch):
    plain = Names({"counted": lambda n: np.arange(n)})
    for module in (diagnosis, steady):
        monkeypatch.setattr(module, "reference", lambda: plain)
    monkeypatch.setitem(PROBES, "counted", [lambda impl, seed: [impl.counted(3), impl.counted(4)]])
    assert "a result was changed in place" in said_of("counted", counted)


def test_results_may_share_memory_where_nothing_is_said_of_it(monkeypatch):
    monkeypatch.setattr(mistakes, "OWN_RESULTS", False)
    assert said_of("doubled", of_one_table()) == ""


def test_a_slow_right_answer_is_asked_fewer_calls_and_is_right(monkeypatch):
    monkeypatch.setattr(steady, "FIRST_SECONDS", 0.0)
    made = []

    def slow(x, extra=()):
        made.append(len(x))
        return doubled(x, extra)

    assert said_of("doubled", slow) == ""
    assert made == [4] * len(made) and 1 <= len(made) <= 4  # the first call alone, again and again


def test_a_result_that_was_changed_in_place_is_mended():
    table = [np.arange(3.0), [1, 2], {"a": np.ones(2)}]
    calls = [steady.Call((), {}, None)] * 2
    assert steady.spoiled(lambda: table, calls) is not None
    assert same(table, [np.arange(3.0), [1, 2], {"a": np.ones(2)}])


def test_objects_that_share_something_are_told():
    assert "used in turns disturb each other" in said_of("Total", SharedTotal)


def test_one_list_that_is_given_again_and_again_is_compared_as_it_was():
    impl = Names({"doubled": of_one_buffer()})
    alone = kept(diagnosis.output(some_calls, impl, 0))
    assert same(diagnosis.outputs(impl, "doubled", 0)[0], alone)


def test_what_moves_the_reference_too_is_not_asked(monkeypatch):
    monkeypatch.setattr(steady, "reference", lambda: Names({"doubled": by_address(), "Total": SharedTotal}))
    monkeypatch.setattr(diagnosis, "reference", steady.reference)
    assert said_of("doubled", by_address()) == ""
    assert said_of("Total", SharedTotal) == ""


def test_arrays_by_keyword_need_not_have_one_shape(monkeypatch):
    by_name = lambda impl, seed: [impl.doubled(np.full(3, n * 1.0), extra=np.ones(n)) for n in (1, 2, 4)]  # noqa: E731
    monkeypatch.setitem(PROBES, "doubled", [by_name])
    assert said_of("doubled", lambda x, extra=(): x + x + sum(extra)) == ""


def test_calls_with_an_iterator_are_left_out():
    calls = steady.calls_of_probes("doubled", 0)
    assert len(calls) == 12 and all(c.kwargs.get("extra") in (None, [1, 2]) for c in calls)


def of_file(folder, text):
    (folder / "attempt.py").write_text(text)
    return lambda: Names(load(folder / "attempt.py"))


def owed(impl, as_new):
    return steady.disturbed(diagnosis.outputs(impl, "doubled", 0), as_new, "doubled", 0)


def test_a_wrong_answer_that_keeps_something_is_told_so(tmp_path):
    text = "first = []\ndef doubled(x, extra=()):\n    first.append(x)\n    return first[0] * 2 + sum(extra)\n"
    as_new = of_file(tmp_path, text)
    found = owed(as_new(), as_new)
    assert "right alone is wrong after the calls before it" in found.sentence
    assert [line.split(":")[0] for line in found.details][:3] == ["call", "alone", "after"]
    used = as_new()
    used.doubled(np.zeros(3))
    assert "right when nothing was called before" in owed(used, as_new).sentence


def test_a_wrong_answer_that_is_drawn_anew_is_told_so(tmp_path):
    text = "import numpy as np\ndef doubled(x, extra=()):\n    return x + np.random.default_rng().random(x.shape)\n"
    as_new = of_file(tmp_path, text)
    assert "drawn at random" in owed(as_new(), as_new).sentence


def test_a_wrong_answer_by_itself_is_left_to_others(tmp_path):
    text = "calls = []\ndef doubled(x, extra=()):\n    calls.append(1)\n    return x * 3 + sum(extra)\n"
    as_new = of_file(tmp_path, text)
    assert owed(as_new(), as_new).sentence == ""


def test_live_functions_are_defined_a_second_time():
    collecting(np.ones(1), seen=[])
    again = steady.anew({"doubled": collecting, "made": by_address()})._names
    assert again["doubled"] is not collecting and again["doubled"].__defaults__[1] == []
    assert again["made"].__closure__, "what is a closure stays as it is"
