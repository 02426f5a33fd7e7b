"""Probes of paged attention."""

import torch


def randn(seed, *shape, dtype=torch.float32):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


def pools(seed, blocks, G, S, D, dtype=torch.float32):
    return randn(seed, blocks, G, S, D, dtype=dtype), randn(seed + 1, blocks, G, S, D, dtype=dtype)


def prompts_and_decodes_together(impl, seed):
    k, v = pools(seed, 11, 2, 3, 5)
    return impl.paged_attention(randn(seed + 2, 7, 6, 5), k, v, [[7, 2, 9], [4, 0], [10, 3, 1]], [1, 4, 2], [7, 4, 8])


def blocks_in_any_order(impl, seed):
    k, v = pools(seed, 7, 3, 4, 7)
    return impl.paged_attention(randn(seed + 2, 5, 3, 7), k, v, [[6, 1, 3]], [5], [9])


def a_block_that_is_exactly_full(impl, seed):
    k, v = pools(seed, 6, 1, 4, 5)
    return impl.paged_attention(randn(seed + 2, 2, 2, 5), k, v, [[3, 5], [0]], [1, 1], [8, 4])


def a_shared_block_and_a_longer_table(impl, seed):
    k, v = pools(seed, 6, 2, 3, 5)
    return impl.paged_attention(randn(seed + 2, 3, 4, 5), k, v, [[2, 4, 1], [2, 5, 0, 3]], [1, 2], [5, 5])


def a_request_of_one_token(impl, seed):
    k, v = pools(seed, 3, 2, 5, 3)
    return impl.paged_attention(randn(seed + 2, 1, 6, 3), k, v, [[2]], [1], [1])


def numbers_of_float64(impl, seed):
    k, v = pools(seed, 5, 2, 3, 5, torch.float64)
    return impl.paged_attention(randn(seed + 2, 4, 4, 5, dtype=torch.float64), k, v, [[1, 4], [3, 0]], [3, 1], [5, 4])


def very_large_scores(impl, seed):
    k, v = pools(seed, 5, 2, 3, 5, torch.float64)
    q = 30_000 * randn(seed + 2, 4, 4, 5, dtype=torch.float64)
    found = {}
    for name, queries, keys in (("of both signs", q, k), ("all negative", -q.abs(), k.abs())):
        found[name] = impl.paged_attention(queries, keys, v, [[1, 4], [3, 0]], [3, 1], [5, 4])
    return found


def the_two_blocks_of_the_workbook(impl, seed):
    keys = torch.zeros(3, 1, 2, 1)
    values = torch.tensor([[7.0, 8.0], [3.0, 100.0], [1.0, 2.0]]).view(3, 1, 2, 1)
    return impl.paged_attention(torch.zeros(2, 1, 1), keys, values, [[2, 1]], [2], [3])


PROBES = {
    "paged_attention": [
        prompts_and_decodes_together,
        blocks_in_any_order,
        a_block_that_is_exactly_full,
        a_shared_block_and_a_longer_table,
        a_request_of_one_token,
        numbers_of_float64,
        very_large_scores,
        the_two_blocks_of_the_workbook,
    ],
}
