"""Probes of blocks and of the prefix cache."""

import random

from grader import error_of

from serving_stack import BlockAllocator

# ---------------------------------------------------------------- BlockAllocator


def seen(allocator):
    return {"holders": list(allocator.holders), "free blocks": allocator.num_free}


def blocks_taken_and_given_back(impl, seed):
    allocator = impl.BlockAllocator(7)
    first = allocator.allocate(3)
    return {"the first three": first, "after that": seen(allocator), "all that are left": allocator.allocate(4),
            "then": seen(allocator), "none": allocator.allocate(0),
            "one": impl.BlockAllocator(3).allocate(1)}  # fmt: skip


def the_order_in_which_blocks_come_back(impl, seed):
    allocator = impl.BlockAllocator(5)
    allocator.allocate(5)
    tables = [[1, 3, 0], [4], [2]] if seed % 2 else [[4, 2], [0, 3, 1]]
    for table in tables:
        allocator.free(table)
    taken = allocator.allocate(3)
    return {"taken again": taken, "it is a list": isinstance(taken, list), "and then": allocator.allocate(2),
            "the lists that were given": tables}  # fmt: skip


def a_block_with_several_holders(impl, seed):
    allocator = impl.BlockAllocator(4)
    table = allocator.allocate(2)
    allocator.share(table)
    allocator.share(table[:1])
    found = {"shared": seen(allocator)}
    allocator.free(table)
    found["one holder less"] = seen(allocator)
    allocator.free(table)
    found["two holders less"] = seen(allocator)
    allocator.free(table[:1])
    return {**found, "three holders less": seen(allocator), "the table": table}


def a_free_block_is_found_by_a_cache_and_shared(impl, seed):
    allocator = impl.BlockAllocator(4)
    allocator.free(allocator.allocate(3))
    allocator.share([1])
    found = {"after the hit": seen(allocator), "the others": allocator.allocate(3)}
    allocator.free([1])
    return {**found, "given back": seen(allocator)}


def more_blocks_than_are_free(impl, seed):
    allocator = impl.BlockAllocator(5)
    allocator.allocate(2)
    error = error_of(lambda: allocator.allocate(4))
    return {"the error": error, "after it": seen(allocator), "as many as there are": allocator.allocate(3)}


def blocks_freed_once_too_often(impl, seed):
    allocator = impl.BlockAllocator(5)
    allocator.allocate(3)
    errors = {
        "a free block": error_of(lambda: allocator.free([4])),
        "a free block among others": error_of(lambda: allocator.free([4, 1, 0])),
        "one block twice": error_of(lambda: allocator.free([2, 2])),
    }
    after = seen(allocator)
    allocator = impl.BlockAllocator(3)
    allocator.share(allocator.allocate(3))
    errors["with two holders"] = error_of(lambda: allocator.free([2, 2]))
    return {**errors, "after the errors": after, "twice, with two holders": seen(allocator)}


# ---------------------------------------------------------------- copy_on_write


def written(impl, allocator, table, index):
    copies = []
    given = list(table)
    new = impl.copy_on_write(given, index, allocator, lambda source, target: copies.append([source, target]))
    return {"the new table": new, "it is a list": isinstance(new, list), "copies": copies, "the given table": given,
            "another list": new is not given, **seen(allocator)}  # fmt: skip


def a_shared_block_in_the_middle(impl, seed):
    allocator = BlockAllocator(9)
    allocator.free(allocator.allocate(1 + seed % 3))
    table = allocator.allocate(4)
    allocator.share(table)
    return written(impl, allocator, table, 2)


def a_block_that_nobody_else_holds(impl, seed):
    allocator = BlockAllocator(5)
    table = allocator.allocate(3)
    allocator.share(table[:2])
    return written(impl, allocator, table, 2)


def a_table_beside_others(impl, seed):
    allocator = BlockAllocator(12)
    others = allocator.allocate(4 + seed % 2)
    table = allocator.allocate(3)
    allocator.share(table[:2])
    allocator.share([others[2]])
    return {"shared": written(impl, allocator, table, 1), "not shared": written(impl, allocator, table, 2)}


def the_first_and_the_last_block(impl, seed):
    allocator = BlockAllocator(8)
    table = allocator.allocate(3)
    allocator.share([table[0], table[2], table[2]])
    return {"first": written(impl, allocator, table, 0), "last": written(impl, allocator, table, 2)}


def two_requests_write_one_after_the_other(impl, seed):
    allocator = BlockAllocator(6)
    table = allocator.allocate(2)
    allocator.share(table)
    return {"the first to write": written(impl, allocator, table, 1), "the second": written(impl, allocator, table, 1)}


def no_block_is_free_for_the_copy(impl, seed):
    allocator = BlockAllocator(2)
    table = allocator.allocate(2)
    allocator.share(table)
    return {"the error": error_of(lambda: impl.copy_on_write(table, 0, allocator, lambda s, t: None)),
            **seen(allocator)}  # fmt: skip


# ---------------------------------------------------------------- PrefixCache


def ids(seed, n, vocab=50):
    return random.Random(seed).choices(range(vocab), k=n)


def the_longest_known_beginning(impl, seed):
    cache, tokens = impl.PrefixCache(4), ids(seed, 14)
    cache.insert(tokens, [5, 2, 8])
    return {
        "the same text": cache.lookup(tokens),
        "the same beginning": cache.lookup(tokens[:9] + [99, 98, 97, 96]),
        "another first token": cache.lookup([99, *tokens[1:]]),
        "another token in the middle": cache.lookup([*tokens[:5], 99, *tokens[6:], 1, 2]),
        "shorter than a block": cache.lookup(tokens[:3]),
        "nothing": cache.lookup([]),
        "tokens in a block": cache.block_size,
        "it is a list": isinstance(cache.lookup(tokens), list),
    }


def a_prompt_that_is_known_whole(impl, seed):
    cache, tokens = impl.PrefixCache(3), ids(seed, 9)
    cache.insert(tokens, [4, 1, 7])
    return {f"{n} tokens": cache.lookup(tokens[:n]) for n in (1, 3, 4, 6, 7, 9)} | {
        "one token more": cache.lookup([*tokens, 5])
    }


def the_same_tokens_after_another_beginning(impl, seed):
    cache, a, b, c = impl.PrefixCache(4), ids(seed, 4), ids(seed + 1, 4), ids(seed + 2, 4)
    cache.insert(a + c, [0, 1])
    cache.insert(b, [2])
    return {"known": cache.lookup(a + c + [0]), "another beginning": cache.lookup(b + c + [0]),
            "in front": cache.lookup(c + a + [0])}  # fmt: skip


def tags(impl, seed):
    cache, tokens = impl.PrefixCache(4), ids(seed, 9)
    cache.insert(tokens, [3, 4], "adapter a")
    cache.insert(tokens, [1, 2], "adapter b")
    return {tag or "no tag": cache.lookup(tokens, tag) for tag in ("adapter a", "adapter b", "adapter c", "")}


def a_tag_that_looks_like_an_id(impl, seed):
    cache = impl.PrefixCache(2)
    cache.insert([12, 3, 4], [0])
    cache.insert([2, 3, 4], [1], "9")
    asked = {"tag 1, id 2": ([2, 3, 4], "1"), "no tag, id 92": ([92, 3, 4], ""), "tag 9, id 2": ([2, 3, 4], "9")}
    return {name: cache.lookup(*what) for name, what in asked.items()}


def ids_that_look_alike(impl, seed):
    cache = impl.PrefixCache(2)
    cache.insert([1, 23, 4, 5], [0, 1])
    cache.insert([300, 7], [2])
    asked = ([12, 3, 4, 5, 9], [1, 234, 5, 5, 9], [44, 7, 9], [300, 263, 9], [1, 23, 4, 5, 9])
    return {str(tokens): cache.lookup(tokens) for tokens in asked}


def a_block_is_reused(impl, seed):
    cache, tokens = impl.PrefixCache(4), ids(seed, 13)
    cache.insert(tokens, [5, 2, 8])
    cache.evict([2, 6])
    found = {"after block 2 is gone": cache.lookup(tokens)}
    cache.insert([*tokens[:8], 1], [5, 3])
    return {**found, "another block in its place": cache.lookup(tokens)}


def a_reused_block_gets_other_tokens(impl, seed):
    cache, a, b = impl.PrefixCache(4), ids(seed, 5), ids(seed + 1, 5)
    cache.insert(a, [3])
    cache.evict([3])
    cache.insert(b, [3])
    return {"the old tokens": cache.lookup(a), "the new tokens": cache.lookup(b)}


def two_blocks_with_the_same_tokens(impl, seed):
    found, tokens = {}, ids(seed, 9)
    for name, first, second in (("the older", 1, 2), ("the newer", 7, 6)):
        cache = impl.PrefixCache(4)
        cache.insert(tokens, [1, 2])
        cache.insert(tokens, [6, 7])
        cache.insert(tokens[:5], [1])
        found["both"] = cache.lookup(tokens)
        cache.evict([first])
        found[f"one of {name} is reused"] = cache.lookup(tokens)
        cache.evict([second])
        found[f"{name} are reused"] = cache.lookup(tokens)
    return found


def the_first_of_two_is_reused(impl, seed):
    cache, tokens = impl.PrefixCache(4), ids(seed, 5)
    cache.insert(tokens, [6])
    cache.insert(tokens, [1])
    cache.evict([6])
    return {"the second": cache.lookup(tokens)}


def a_text_that_grows(impl, seed):
    cache, tokens, table = impl.PrefixCache(4), ids(seed, 12), [9, 8, 7, 6]
    cache.insert(tokens[:7], table)
    found = {"seven tokens": cache.lookup([*tokens, 0])}
    cache.insert(tokens[:8], table)
    cache.insert(tokens, table)
    found["twelve tokens"] = cache.lookup([*tokens, 0])
    cache.evict([9])
    return {**found, "the first block is gone": cache.lookup([*tokens, 0]), "the table": table}


def a_remembered_block_is_listed_for_other_tokens(impl, seed):
    """Nobody has evicted block 3: it stays what it was."""
    cache, a, b = impl.PrefixCache(2), [10, 11, 12, 13, 14], [20, 21, 22, 23, 24]
    cache.insert(a, [3, 5])
    cache.insert(b, [3, 6])
    return {"the first text": cache.lookup(a), "the second text": cache.lookup(b)}


PROBES = {
    "BlockAllocator": [
        blocks_taken_and_given_back,
        the_order_in_which_blocks_come_back,
        a_block_with_several_holders,
        a_free_block_is_found_by_a_cache_and_shared,
        more_blocks_than_are_free,
        blocks_freed_once_too_often,
    ],
    "copy_on_write": [
        a_shared_block_in_the_middle,
        a_block_that_nobody_else_holds,
        a_table_beside_others,
        the_first_and_the_last_block,
        two_requests_write_one_after_the_other,
        no_block_is_free_for_the_copy,
    ],
    "PrefixCache": [
        the_longest_known_beginning,
        a_prompt_that_is_known_whole,
        the_same_tokens_after_another_beginning,
        tags,
        a_tag_that_looks_like_an_id,
        ids_that_look_alike,
        a_block_is_reused,
        a_reused_block_gets_other_tokens,
        two_blocks_with_the_same_tokens,
        the_first_of_two_is_reused,
        a_text_that_grows,
        a_remembered_block_is_listed_for_other_tokens,
    ],
}
