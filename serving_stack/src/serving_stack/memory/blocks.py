"""Who holds which block (Kwon et al. 2023, section 4.3): counts of holders, and copy-on-write.

A block holds the keys and values of `block_size` tokens, in every layer. A request's block table lists its blocks in
the order of its tokens. Two requests with a common beginning hold the same blocks.
"""

from collections import Counter
from collections.abc import Callable
from itertools import islice


def blocks_for(num_tokens: int, block_size: int) -> int:
    """How many blocks hold so many tokens."""
    return -(-num_tokens // block_size)


class BlockAllocator:
    """Hands out blocks 0 ... num_blocks - 1 and counts the holders of each.

    Free blocks wait in a queue. A free block keeps its content until it is allocated again, so that a prefix cache can
    still find it. That is why the block that was freed the longest ago is allocated first.
    """

    def __init__(self, num_blocks: int):
        self.holders = [0] * num_blocks
        self._free = dict.fromkeys(range(num_blocks))  # a queue from which any block can be taken

    @property
    def num_free(self) -> int:
        """Blocks that nobody holds."""
        return len(self._free)

    def allocate(self, count: int) -> list[int]:
        """Take `count` free blocks, those that were freed the longest ago, in that order. Each has one holder.

        Raises:
            ValueError: so many are not free. Nothing is taken.
        """
        if count > len(self._free):
            raise ValueError(f"count={count}: only {len(self._free)} blocks are free; preempt a request first")
        blocks = list(islice(self._free, count))
        for block in blocks:
            del self._free[block]
            self.holders[block] = 1
        return blocks

    def share(self, blocks: list[int]) -> None:
        """One more holder for each block. A block that was free is free no longer."""
        for block in blocks:
            self._free.pop(block, None)
            self.holders[block] += 1

    def free(self, blocks: list[int]) -> None:
        """One holder less for each block; without a holder it is free.

        Of the blocks of one call, the last is the first to be allocated again: the end of a text is worth less to
        others than its beginning.

        Raises:
            ValueError: a block has fewer holders than it is to lose. Nothing is freed.
        """
        for block, times in Counter(blocks).items():
            if times > self.holders[block]:
                raise ValueError(f"blocks={blocks}: block {block} has {self.holders[block]} holders; free it once each")
        for block in reversed(blocks):
            self.holders[block] -= 1
            if self.holders[block] == 0:
                self._free[block] = None


def copy_on_write(
    table: list[int], index: int, allocator: BlockAllocator, copy_block: Callable[[int, int], None]
) -> list[int]:
    """A block table whose block `index` may be written, because nobody else holds it.

    A block with other holders is copied (`copy_block(source, target)`) into a new one, and the request lets go of the
    old one. A block without other holders stays where it is. The result is a new list; the given one is not changed.
    """
    block = table[index]
    if allocator.holders[block] == 1:
        return list(table)
    [fresh] = allocator.allocate(1)
    copy_block(block, fresh)
    allocator.free([block])
    return [*table[:index], fresh, *table[index + 1 :]]
