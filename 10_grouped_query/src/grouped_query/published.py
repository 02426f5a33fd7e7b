"""The shapes of published models, from their papers and configuration files."""

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
