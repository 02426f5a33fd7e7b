"""Blocks found again by the tokens that they hold, and by all tokens before them.

A key depends on every earlier token, so a block may be reused only after the same beginning. Its hash therefore
contains the hash of the block before it. The first link is the tag: the model, its adapter, and the user's salt.
"""

from array import array
from collections.abc import Iterator
from hashlib import sha256


def block_hashes(tokens: list[int], block_size: int, tag: str = "") -> Iterator[bytes]:
    """One hash for each full block of the tokens. A hash stands for the block and all before it.

    Ids have a fixed width of eight bytes: in a text, "1, 23" and "12, 3" could become the same.
    """
    parent = sha256(tag.encode()).digest()
    for end in range(block_size, len(tokens) + 1, block_size):
        content = array("q", tokens[end - block_size : end]).tobytes()
        parent = sha256(parent + content).digest()
        yield parent


class PrefixCache:
    """Which block holds which tokens. It holds no block itself: `BlockAllocator` says which are free.

    Several blocks may hold the same tokens, where two requests computed them at the same time. The one that came first
    is found.
    """

    def __init__(self, block_size: int):
        self.block_size = block_size
        self._blocks: dict[bytes, list[int]] = {}
        self._hash_of: dict[int, bytes] = {}

    def lookup(self, tokens: list[int], tag: str = "") -> list[int]:
        """The blocks of the longest known beginning, in order.

        The last token is never taken from the cache: its logits are needed, so it must be computed.
        """
        found = []
        for key in block_hashes(tokens[:-1], self.block_size, tag):
            if key not in self._blocks:
                break
            found.append(self._blocks[key][0])
        return found

    def insert(self, tokens: list[int], table: list[int], tag: str = "") -> None:
        """Remember the full blocks of `tokens`, whose keys and values are computed; `table` lists their blocks."""
        for block, key in zip(table, block_hashes(tokens, self.block_size, tag), strict=False):
            if block not in self._hash_of:
                self._hash_of[block] = key
                self._blocks.setdefault(key, []).append(block)

    def evict(self, blocks: list[int]) -> None:
        """Forget blocks that will be written again. Other blocks with the same tokens stay known."""
        for block in blocks:
            if block in self._hash_of:
                key = self._hash_of.pop(block)
                self._blocks[key].remove(block)
                if not self._blocks[key]:
                    del self._blocks[key]
