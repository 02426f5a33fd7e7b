"""What a step costs, by formula: multiply-adds, bytes, and the speed limit the two imply.

A matrix product of (m, k) by (k, n) counts 2·m·k·n FLOPs, as torch.utils.flop_counter does; softmax, LayerNorm, GELU
and the embedding look-ups are not counted (they are under one percent of the work, and all of linear cost).

Symbols: L layers, B batch, T tokens, H heads, D width of a head, C = H·D width of the model, V vocabulary.
"""

import time

import torch


def cache_bytes(config, batch: int, length: int, itemsize: int) -> int:
    """Bytes of the keys and values of `length` tokens: 2 · L · B · T · H · D · itemsize (2: keys and values)."""
    return 2 * config.layers * batch * length * config.heads * config.head_dim * itemsize


def decode_flops(config, position: int, batch: int = 1) -> int:
    """FLOPs of the step that feeds ONE token per row while `position` tokens lie in the cache, the head included.

    Per layer: the projections (C → 3C, C → C) and the MLP (C → 4C → C) make 12 C² multiply-adds; the new query meets
    position + 1 keys and as many values, C multiply-adds each. The head adds C·V.
    """
    C = config.width
    layer = 12 * C * C + 2 * C * (position + 1)
    return 2 * batch * (config.layers * layer + C * config.vocab_size)


def forward_flops(config, tokens: int, batch: int = 1, position: int = 0, last_only: bool = False) -> int:
    """FLOPs of a forward pass over `tokens` tokens per row behind `position` cached ones.

    Without a cache, `position` is 0 and the attention term is the whole square: every query is multiplied with every
    key, those above the diagonal too, and masked afterwards. `last_only` computes the head for the last token alone.
    """
    C = config.width
    layer = tokens * (12 * C * C + 2 * C * (position + tokens))
    head = (1 if last_only else tokens) * C * config.vocab_size
    return 2 * batch * (config.layers * layer + head)


def matmul_tokens(prompt: int, new: int) -> tuple[int, int]:
    """Tokens that pass through the model's matrices to make `new` tokens: (without a cache, with one).

    Without: prompt + (prompt + 1) + ... once per new token. With: the prompt, then every new token but the last.
    """
    without = new * prompt + new * (new - 1) // 2
    return without, prompt + new - 1 if new else 0


def roofline(weight_bytes: int, cache_bytes: int, bandwidth: float, batch: int = 1) -> float:
    """The most tokens/s that memory allows: each step reads every weight once and the cache of every row.

    weight_bytes and cache_bytes are bytes read per step, bandwidth bytes/s. Decoding does two FLOPs per weight and
    row, far below what a core could do in the time the weight takes to arrive: bandwidth is the limit
    (Williams et al. 2009; Pope et al. 2022, §2).
    """
    if weight_bytes + cache_bytes <= 0 or bandwidth <= 0:
        raise ValueError(f"weight_bytes={weight_bytes}, cache_bytes={cache_bytes}, bandwidth={bandwidth}: "
                         "bytes read and bandwidth must be positive")
    return batch * bandwidth / (weight_bytes + cache_bytes)


def measure_bandwidth(threads: int, megabytes: int = 256, repeats: int = 7) -> float:
    """Bytes/s of a streaming read (a sum) over a buffer that no cache holds: the best of `repeats`.

    The best and not the median, because this is to be a limit: other programs only ever make it slower.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    buffer = torch.ones(megabytes * 2**20 // 4)
    try:
        return max(buffer.nbytes / _seconds(buffer.sum) for _ in range(repeats))
    finally:
        torch.set_num_threads(before)


def _seconds(call) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start
