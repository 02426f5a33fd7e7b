"""Bytes: what the keys and values of a token cost, and how many texts fit beside the weights on a card.

Sources of the shapes: the models' papers and published configuration files.
"""

from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Shape:
    """The sizes of a model that its cache depends on.

    With multi-head latent attention, `latent_dim` is the width of the compressed latent (kv_lora_rank) and `rope_dim`
    that of the rotated key (qk_rope_head_dim); all heads share both. Without it, both are 0.
    """

    name: str
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    parameters: int
    latent_dim: int = 0
    rope_dim: int = 0

    def as_mha(self) -> "Shape":
        """The same model with keys and values for every query head."""
        return replace(self, kv_heads=self.heads, latent_dim=0, rope_dim=0)


PUBLISHED = (
    Shape("GPT-2", 12, 12, 12, 64, 124_000_000),
    Shape("GPT-3", 96, 96, 96, 128, 175_000_000_000),
    Shape("Llama 2 7B", 32, 32, 32, 128, 6_740_000_000),
    Shape("Llama 2 70B", 80, 64, 8, 128, 69_000_000_000),
    Shape("Llama 3 8B", 32, 32, 8, 128, 8_030_000_000),
    Shape("Llama 3 70B", 80, 64, 8, 128, 70_600_000_000),
    Shape("Mistral 7B", 32, 32, 8, 128, 7_240_000_000),
    Shape("SmolLM2-135M", 30, 9, 3, 64, 134_500_000),
    Shape("DeepSeek-V3", 61, 128, 128, 128, 671_000_000_000, latent_dim=512, rope_dim=64),
)


def cache_bytes_per_token(shape: Shape, bytes_per_element: int = 2) -> int:
    """Bytes that one token adds to the cache, in all layers. Two bytes an element are float16 or bfloat16."""
    if shape.latent_dim:
        elements = shape.latent_dim + shape.rope_dim
    else:
        elements = 2 * shape.kv_heads * shape.head_dim  # a key and a value
    return shape.layers * elements * bytes_per_element


def largest_batch(shape: Shape, context: int, memory_bytes: int, bytes_per_element: int = 2) -> int:
    """How many texts of `context` tokens fit into the memory that the weights leave. 0 if not even one does.

    Weights and cache have the same number of bytes an element. Activations are not counted.

    Raises:
        ValueError: the weights alone do not fit.
    """
    free = memory_bytes - shape.parameters * bytes_per_element
    if free < 0:
        raise ValueError(f"memory_bytes={memory_bytes}: the weights need {-free:.3g} more; use more cards")
    return free // (context * cache_bytes_per_token(shape, bytes_per_element))
