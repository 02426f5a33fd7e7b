"""The router: the completion time of a queue is the oracle."""

import random

import pytest

from serving_stack import PrefixCache, Worker


@pytest.mark.task("route")
def test_oracle_the_worker_that_is_done_first(impl, seed):
    """Each worker's queue is played out token by token: its load, then what its cache does not know."""
    g = random.Random(seed)
    for _ in range(100):
        prompt = [g.randrange(9) for _ in range(g.randint(1, 40))]
        workers = []
        for _ in range(g.randint(1, 5)):
            cache = PrefixCache(4)
            known = prompt[: g.randint(0, len(prompt))]
            cache.insert(known, list(range(20)), g.choice(["", "t"]))
            workers.append(Worker(cache, g.randrange(30), g.random() < 0.8))
        if not any(w.ready for w in workers):
            with pytest.raises(ValueError):
                impl.route(prompt, workers, "t")
            continue
        clocks = []
        for w in workers:
            done = w.remaining_tokens
            for _ in range(4 * len(w.cache.lookup(prompt, "t")), len(prompt)):
                done += 1
            clocks.append(done if w.ready else float("inf"))
        assert impl.route(prompt, workers, "t") == clocks.index(min(clocks))


@pytest.mark.task("route")
def test_bad_input_nobody(impl):
    with pytest.raises(ValueError):
        impl.route([1], [])


@pytest.mark.task("route")
def test_property_ties_and_tags(impl):
    cache = PrefixCache(2)
    cache.insert([1, 2, 3, 4], [0, 1], "a")
    assert impl.route([1, 2, 3, 4, 5], [Worker(PrefixCache(2), 3), Worker(PrefixCache(2), 3), Worker(cache, 7)]) == 0
    assert impl.route([1, 2, 3, 4, 5], [Worker(PrefixCache(2), 3), Worker(cache, 6)], "a") == 1
    assert impl.route([1, 2, 3, 4, 5], [Worker(cache, 0, ready=False), Worker(cache, 9)], "a") == 1


@pytest.mark.task("route")
def test_property_known_tokens_are_counted_in_blocks_of_each_cache(impl):
    """Nine tokens: blocks of 2 and of 4 know eight of them, and the ninth is the last."""
    small, large = PrefixCache(2), PrefixCache(4)
    small.insert(list(range(8)), [0, 1, 2, 3])
    large.insert(list(range(8)), [0, 1])
    for cache in (small, large):
        for load, want in ((9, 1), (7, 0)):
            assert impl.route(list(range(9)), [Worker(cache, load), Worker(PrefixCache(4), 0)]) == want
