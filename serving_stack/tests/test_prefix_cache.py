"""The prefix cache: a search through all stored texts is the oracle."""

import random

import pytest

from serving_stack.memory.prefix_cache import block_hashes


class Naive:
    """Keeps whole beginnings as tuples, and searches."""

    def __init__(self, block_size):
        self.block_size, self.known = block_size, []  # (tag, beginning, block), in the order of arrival

    def lookup(self, tokens, tag=""):
        found = []
        for end in range(self.block_size, len(tokens), self.block_size):
            fits = [block for t, beginning, block in self.known if (t, beginning) == (tag, tuple(tokens[:end]))]
            if not fits:
                break
            found.append(fits[0])
        return found

    def insert(self, tokens, table, tag=""):
        for i in range(len(tokens) // self.block_size):
            if table[i] not in [block for *_, block in self.known]:
                self.known.append((tag, tuple(tokens[: (i + 1) * self.block_size]), table[i]))

    def evict(self, blocks):
        self.known = [entry for entry in self.known if entry[2] not in blocks]


@pytest.mark.task("PrefixCache")
def test_oracle_random_operations(impl, seed):
    for trial in range(30):
        g = random.Random(1000 * seed + trial)
        size = g.choice([1, 2, 3])
        ours, naive = impl.PrefixCache(size), Naive(size)
        for _ in range(25):
            tokens = [g.choice([1, 12, 2, 21]) for _ in range(g.randrange(9))]
            tag = g.choice(["", "", "a"])
            operation = g.choice(["insert", "insert", "evict", "lookup", "lookup"])
            table = g.sample(range(20), 8)
            if operation == "evict":
                ours.evict(table[:2])
                naive.evict(table[:2])
            elif operation == "insert":
                ours.evict(table)
                naive.evict(table)
                ours.insert(tokens, table, tag)
                naive.insert(tokens, table, tag)
            assert ours.lookup(tokens, tag) == naive.lookup(tokens, tag)
            assert ours.lookup([*tokens, 1], tag) == naive.lookup([*tokens, 1], tag)


@pytest.mark.task("PrefixCache")
def test_property_a_known_prompt_leaves_a_token_to_compute(impl):
    cache = impl.PrefixCache(4)
    tokens = list(range(12))
    cache.insert(tokens, [5, 6, 7])
    for n in range(1, 13):
        assert len(cache.lookup(tokens[:n])) * 4 < n
    assert cache.lookup(tokens) == [5, 6] and cache.lookup([*tokens, 3]) == [5, 6, 7]
    assert cache.lookup([*tokens, 3], "adapter") == []
    cache.insert([50, 51, 52], [9])
    assert cache.lookup([50, 51, 52, 0, 0]) == [], "a block that is not full is not known"


@pytest.mark.task("PrefixCache")
def test_property_a_remembered_block_stays_as_it_is_until_it_is_evicted(impl):
    cache, a, b = impl.PrefixCache(2), [10, 11, 12, 13, 14], [20, 21, 22, 23, 24]
    cache.insert(a, [3, 5])
    cache.insert(b, [3, 6])
    assert cache.lookup(a) == [3, 5] and cache.lookup(b) == []
    cache.evict([3])
    cache.insert(b, [3, 6])
    assert cache.lookup(a) == [] and cache.lookup(b) == [3, 6]


@pytest.mark.task("PrefixCache")
def test_property_ids_above_a_byte_are_told_apart(impl):
    cache = impl.PrefixCache(2)
    cache.insert([300, 7], [2])
    assert cache.lookup([300, 7, 9]) == [2]
    assert cache.lookup([44, 7, 9]) == [] and cache.lookup([300, 263, 9]) == []


@pytest.mark.task("PrefixCache")
def test_property_a_tag_is_no_id(impl):
    cache = impl.PrefixCache(2)
    cache.insert([12, 3, 4], [0])
    assert cache.lookup([2, 3, 4], "1") == [] and cache.lookup([12, 3, 4]) == [0]


def test_property_hashes_differ_where_pythons_own_do_not():
    """hash((-1,)) == hash((-2,)) in CPython, and a text of ids can be read in two ways."""
    assert hash((-1,)) == hash((-2,))
    assert list(block_hashes([-1], 1)) != list(block_hashes([-2], 1))
    assert list(block_hashes([1, 23], 2)) != list(block_hashes([12, 3], 2))
    assert list(block_hashes([1, 2], 1, "a")) != list(block_hashes([1, 2], 1, "b"))
    assert len({h for i in range(20_000) for h in block_hashes([i], 1)}) == 20_000
