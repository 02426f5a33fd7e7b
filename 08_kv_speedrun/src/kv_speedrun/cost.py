"""What a step costs, by formula: operations, bytes, and the speed limit that follows from the two.

A product of an (m, k) by a (k, n) matrix counts 2·m·k·n FLOPs, as torch.utils.flop_counter does. Softmax, LayerNorm,
GELU and embedding look-ups are not counted. They are under one percent of the work.

Dimensions: L layers, B batch, T tokens, H heads, D width of a head, C = H·D width of the model, V vocabulary.
"""

from .config import Config


def cache_bytes(config: Config, batch_size: int, seq_len: int, itemsize: int) -> int:
    """Bytes of the keys and values of `seq_len` tokens: 2 · L · B · T · H · D · itemsize. The 2: keys and values."""
    return 2 * config.layers * batch_size * seq_len * config.heads * config.head_dim * itemsize


def decode_flops(config: Config, position: int, batch_size: int = 1) -> int:
    """FLOPs of the step that feeds ONE token per row while the cache holds `position` tokens. The head is included.

    Per layer: the projections (C → 3C, C → C) and the MLP (C → 4C → C) make 12 C² multiply-adds. The new query meets
    position + 1 keys and as many values, C multiply-adds each. The head adds C·V.
    """
    C = config.width
    layer = 12 * C * C + 2 * C * (position + 1)
    return 2 * batch_size * (config.layers * layer + C * config.vocab_size)


def forward_flops(config: Config, tokens: int, batch_size: int = 1, position: int = 0, last_only: bool = False) -> int:
    """FLOPs of a forward pass over `tokens` tokens per row, after `position` cached ones.

    Without a cache, `position` is 0 and attention costs the whole square: every query is multiplied with every key,
    and the keys after it are masked afterwards. `last_only` computes the head for the last token alone.
    """
    C = config.width
    layer = tokens * (12 * C * C + 2 * C * (position + tokens))
    head = (1 if last_only else tokens) * C * config.vocab_size
    return 2 * batch_size * (config.layers * layer + head)


def matmul_tokens(prompt_len: int, max_new_tokens: int) -> tuple[int, int]:
    """Tokens that pass through the model's matrices during generation: (without a cache, with one).

    Without: T + (T + 1) + ... once per new token. With: the prompt, then every new token but the last.
    """
    without = max_new_tokens * prompt_len + max_new_tokens * (max_new_tokens - 1) // 2
    return without, prompt_len + max_new_tokens - 1 if max_new_tokens else 0


def roofline(weight_bytes: int, cache_bytes: int, bandwidth: float, batch_size: int = 1) -> float:
    """The most tokens/s that memory allows: each step reads every weight once, and the cache of every row.

    `weight_bytes` and `cache_bytes` are bytes read per step, `bandwidth` is bytes/s. Decoding does two FLOPs per weight
    and row. A core could do far more in the time a weight takes to arrive, so bandwidth is the limit
    (Williams et al. 2009; Pope et al. 2022, §2).

    Raises:
        ValueError: no bytes are read, or the bandwidth is not positive.
    """
    if weight_bytes < 0 or cache_bytes < 0 or weight_bytes + cache_bytes == 0 or bandwidth <= 0:
        raise ValueError(
            f"weight_bytes={weight_bytes}, cache_bytes={cache_bytes}, bandwidth={bandwidth}: "
            "bytes read per step and bandwidth must be positive"
        )
    return batch_size * bandwidth / (weight_bytes + cache_bytes)
