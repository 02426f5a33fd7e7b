"""The smallest case of a mistake that random inputs meet now and then only."""

import pytest


@pytest.mark.task("BlockAllocator")
def test_a_shared_block_is_free_when_both_have_let_it_go(impl):
    allocator = impl.BlockAllocator(3)
    held = allocator.allocate(1)
    allocator.share(held)
    allocator.free(held)
    assert allocator.num_free == 2
    allocator.free(held)
    assert allocator.num_free == 3


@pytest.mark.task("StreamDetokenizer")
def test_a_stop_string_may_lie_in_two_tokens(impl):
    detokenizer = impl.StreamDetokenizer([b"ab", b"cd"], ["bc"])
    assert detokenizer.push(0) + detokenizer.push(1) == "a" and detokenizer.stopped


@pytest.mark.task("PrefixCache")
def test_behind_a_block_that_is_missing_nothing_is_found(impl):
    cache = impl.PrefixCache(2)
    cache.insert([1, 2, 3, 4, 5, 6], [0, 1, 2])
    cache.evict([1])
    assert cache.lookup([1, 2, 3, 4, 5, 6, 7]) == [0]


@pytest.mark.task("PrefixCache")
def test_ids_of_two_digits_are_not_two_ids(impl):
    cache = impl.PrefixCache(2)
    cache.insert([1, 23], [0])
    assert cache.lookup([12, 3, 4]) == [] and cache.lookup([1, 23, 4]) == [0]


@pytest.mark.task("PrefixCache")
def test_a_block_that_is_not_full_is_not_found(impl):
    cache = impl.PrefixCache(3)
    cache.insert([1, 2, 3, 4, 5], [0, 1])
    assert cache.lookup([1, 2, 3, 4, 5, 6, 7]) == [0]
