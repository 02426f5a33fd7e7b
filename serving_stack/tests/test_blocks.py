"""Blocks: a naive allocator as the oracle, under random operations."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving_stack import BlockAllocator, blocks_for


class Naive:
    """The same promises, without any structure: a list of free blocks, and a list of holders."""

    def __init__(self, num_blocks):
        self.free_list = list(range(num_blocks))
        self.holders = [0] * num_blocks

    def allocate(self, count):
        if count > len(self.free_list):
            raise ValueError
        taken, self.free_list = self.free_list[:count], self.free_list[count:]
        for block in taken:
            self.holders[block] = 1
        return taken

    def share(self, blocks):
        for block in blocks:
            self.free_list = [b for b in self.free_list if b != block]
            self.holders[block] += 1

    def free(self, blocks):
        if any(blocks.count(block) > self.holders[block] for block in blocks):
            raise ValueError
        for block in reversed(blocks):
            self.holders[block] -= 1
            if self.holders[block] == 0:
                self.free_list.append(block)


def both(operation, ours, naive, argument):
    """The same call on both; returns the result, or "ValueError"."""
    found = []
    for allocator in (ours, naive):
        try:
            found.append(getattr(allocator, operation)(argument))
        except ValueError:
            found.append("ValueError")
    assert found[0] == found[1], f"{operation}({argument})"


@pytest.mark.task("BlockAllocator")
def test_oracle_random_operations(impl):
    @settings(deadline=None, max_examples=30)
    @given(st.integers(1, 7), st.lists(st.tuples(st.sampled_from(["allocate", "share", "free"]), st.integers(0, 999)),
                                       max_size=40))  # fmt: skip
    def holds(num_blocks, operations):
        ours, naive = impl.BlockAllocator(num_blocks), Naive(num_blocks)
        for operation, number in operations:
            blocks = [(number + i * (number % 5)) % num_blocks for i in range(number % 4)]
            passed = list(blocks)
            both(operation, ours, naive, number % (num_blocks + 2) if operation == "allocate" else passed)
            assert passed == blocks, f"{operation} changes the list that it was given"
            assert list(ours.holders) == naive.holders
            assert ours.num_free == len(naive.free_list)

    holds()


@pytest.mark.task("BlockAllocator")
def test_property_the_order_and_the_errors(impl):
    allocator = impl.BlockAllocator(6)
    table = allocator.allocate(6)
    assert table == [0, 1, 2, 3, 4, 5]
    for blocks in ([4, 1], [3, 0, 5]):
        before = list(blocks)
        allocator.free(blocks)
        assert blocks == before, "the list is the caller's"
    with pytest.raises(ValueError):
        allocator.allocate(6)
    assert allocator.num_free == 5, "what is refused takes nothing"
    assert allocator.allocate(5) == [1, 4, 5, 0, 3]
    with pytest.raises(ValueError):
        allocator.allocate(1)
    allocator.free([2])
    for blocks in ([2], [0, 2, 1], [0, 0]):
        with pytest.raises(ValueError):
            allocator.free(blocks)
    assert list(allocator.holders) == [1, 1, 0, 1, 1, 1]
    allocator.share([2])
    assert allocator.num_free == 0


@pytest.mark.task("copy_on_write")
@pytest.mark.parametrize("index", [0, 1, 2])
def test_property_only_a_shared_block_is_copied(impl, index):
    allocator = BlockAllocator(8)
    table = allocator.allocate(3)
    other = list(table)
    allocator.share(other)
    content = {block: f"content {block}" for block in table}

    def copy_block(source, target):
        content[target] = content[source]

    mine = impl.copy_on_write(table, index, allocator, copy_block)
    assert table == other, "the given table is as it was"
    assert mine[index] not in table and mine[:index] + mine[index + 1 :] == table[:index] + table[index + 1 :]
    assert content[mine[index]] == content[table[index]]
    assert allocator.num_free == 4 and len(content) == 4
    again = impl.copy_on_write(mine, index, allocator, copy_block)
    theirs = impl.copy_on_write(other, index, allocator, copy_block)
    assert again == mine and theirs == other, "now each has one holder"
    allocator.free(mine)
    allocator.free(other)
    assert allocator.num_free == 8


@pytest.mark.task("copy_on_write")
def test_property_the_result_is_a_new_list_and_an_error_changes_nothing(impl):
    allocator = BlockAllocator(2)
    table = allocator.allocate(2)
    allocator.share(table[:1])
    mine = impl.copy_on_write(table, 1, allocator, lambda source, target: None)
    assert mine == table and mine is not table
    with pytest.raises(ValueError):
        impl.copy_on_write(table, 0, allocator, lambda source, target: None)
    assert table == [0, 1] and list(allocator.holders) == [2, 1]


def test_cost_a_block_is_taken_from_the_queue_without_a_search():
    """A dictionary is the queue: sharing one of a million free blocks takes microseconds."""
    allocator = BlockAllocator(1_000_000)
    for block in range(500_000, 501_000):
        allocator.share([block])
    assert allocator.num_free == 999_000


@pytest.mark.parametrize("tokens, size, blocks", [(0, 16, 0), (1, 16, 1), (16, 16, 1), (17, 16, 2), (5, 1, 5)])
def test_blocks_for(tokens, size, blocks):
    assert blocks_for(tokens, size) == blocks


def test_the_error_says_what_to_do():
    with pytest.raises(ValueError, match="count=3: only 2 blocks are free; preempt a request first"):
        BlockAllocator(2).allocate(3)
