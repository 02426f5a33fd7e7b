"""What a model weighs, what its cache weighs, and what a card can do.

Dimensions: L layers, H query heads, G key/value heads, D width of a head.
"""

from dataclasses import dataclass

Number = int | float


@dataclass(frozen=True)
class ModelShape:
    """A decoder of Llama's shape: RMSNorm, grouped-query attention, SwiGLU, no biases but those of q, k and v."""

    name: str
    layers: int
    d_model: int
    heads: int
    kv_heads: int
    ffn: int
    vocab_size: int
    tied: bool = False  # the head is the embedding
    qkv_bias: bool = False
    weight_bytes: Number = 2  # a weight; 2 is bfloat16, 1 is eight bits
    cache_bytes: Number = 2  # a number of the cache

    def __post_init__(self):
        for name in ("layers", "d_model", "heads", "kv_heads", "ffn", "vocab_size", "weight_bytes", "cache_bytes"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name}={getattr(self, name)}: more than 0")
        if self.d_model % self.heads or self.heads % self.kv_heads:
            raise ValueError(
                f"heads={self.heads}: divides d_model={self.d_model}, and kv_heads={self.kv_heads} divides it"
            )

    @property
    def head_dim(self) -> int:
        return self.d_model // self.heads

    @property
    def parameters(self) -> int:
        """All weights, counted matrix by matrix."""
        kv = self.kv_heads * self.head_dim
        attention = 2 * self.d_model**2 + 2 * self.d_model * kv
        bias = (self.d_model + 2 * kv) if self.qkv_bias else 0
        layer = attention + bias + 3 * self.d_model * self.ffn + 2 * self.d_model
        embedding = self.vocab_size * self.d_model * (1 if self.tied else 2)
        return self.layers * layer + self.d_model + embedding

    @property
    def multiplied(self) -> int:
        """The weights that a token is multiplied with: all but the embedding, from which a row is only read."""
        return self.parameters - (0 if self.tied else self.vocab_size * self.d_model)

    @property
    def bytes_of_weights(self) -> Number:
        return self.parameters * self.weight_bytes

    @property
    def cache_per_token(self) -> Number:
        """Bytes of keys and values of a token: 2 L G D, times the bytes of a number."""
        return 2 * self.layers * self.kv_heads * self.head_dim * self.cache_bytes

    def flops(self, tokens: Number, context: Number) -> Number:
        """Operations for `tokens` tokens that each look back at `context` tokens.

        Two for each weight and token, and 4 L H D for each pair of a query and a key (scores, then values).
        """
        return tokens * (2 * self.multiplied + 4 * self.layers * self.d_model * context)


@dataclass(frozen=True)
class Gpu:
    """A card: bytes, bytes a second, and dense operations a second at sixteen bits, as its maker states them."""

    name: str
    memory: Number
    bandwidth: Number
    flops: Number
    source: str

    def __post_init__(self):
        for name in ("memory", "bandwidth", "flops"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name}={getattr(self, name)}: more than 0")


# Shapes as in each model's published config.json.
MODELS: dict[str, ModelShape] = {
    shape.name: shape
    for shape in (
        ModelShape("Llama-2-7B", 32, 4096, 32, 32, 11008, 32000),
        ModelShape("Llama-3.1-8B", 32, 4096, 32, 8, 14336, 128256),
        ModelShape("Llama-3.1-70B", 80, 8192, 64, 8, 28672, 128256),
        ModelShape("Qwen2.5-1.5B", 28, 1536, 12, 2, 8960, 151936, tied=True, qkv_bias=True),
        ModelShape("Qwen2.5-7B", 28, 3584, 28, 4, 18944, 152064, qkv_bias=True),
    )
}

# Dense operations: the maker's figure with sparsity, halved.
GPUS: dict[str, Gpu] = {
    card.name: card
    for card in (
        Gpu("H100 SXM", 80e9, 3.35e12, 989e12, "NVIDIA, H100 Tensor Core GPU datasheet"),
        Gpu("A100 SXM 80GB", 80e9, 2.039e12, 312e12, "NVIDIA, A100 Tensor Core GPU datasheet"),
        Gpu("L4", 24e9, 300e9, 121e12, "NVIDIA, L4 Tensor Core GPU datasheet"),
    )
}
