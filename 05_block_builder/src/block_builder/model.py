"""Three models of the same blocks: GPT (decoder only), BERT-like (encoder only), and encoder-decoder.

Dimensions:
    B   sequences in a batch
    T   positions, S positions of the source text
    C   width of the stream
    V   tokens in the vocabulary
"""

from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from .block import Block
from .config import Config
from .encoder_decoder import DecoderBlock, EncoderBlock


def final_norm(config: Config) -> nn.Module:
    """The norm after the last block. Post-LN has normalized there already."""
    return nn.LayerNorm(config.width) if config.norm_first else nn.Identity()


class GPT(nn.Module):
    """A decoder-only model: tokens in, logits of the next token out (Radford et al. 2019).

    The head is the token table itself (Press and Wolf 2017): one matrix, shared.
    """

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.wte = nn.Embedding(config.vocab_size, config.width)
        self.wpe = nn.Embedding(config.context_length, config.width)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.ln_f = final_norm(config)
        self.lm_head = nn.Linear(config.width, config.vocab_size, bias=False)
        self.lm_head.weight = self.wte.weight

    def forward(self, tokens: Int[Tensor, "B T"]) -> Float[Tensor, "B T V"]:
        """Logits at every position.

        Raises:
            ValueError: the text is longer than `context_length`.
        """
        T = tokens.shape[1]
        if T > self.config.context_length:
            raise ValueError(f"tokens={T} positions: the context has {self.config.context_length}; give fewer tokens")
        x = self.dropout(self.wte(tokens) + self.wpe.weight[:T])  # B T C
        for block in self.blocks:
            x = block(x)
        return self.lm_head(self.ln_f(x))  # B T V


class Encoder(nn.Module):
    """Tokens in, one vector a position out. Every position has seen the whole text."""

    def __init__(self, config: Config):
        super().__init__()
        self.wte = nn.Embedding(config.vocab_size, config.width)
        self.wpe = nn.Embedding(config.context_length, config.width)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(EncoderBlock(config) for _ in range(config.layers))
        self.ln_f = final_norm(config)

    def forward(
        self, tokens: Int[Tensor, "B S"], attention_mask: Bool[Tensor, "B S"] | None = None
    ) -> Float[Tensor, "B S C"]:
        x = self.dropout(self.wte(tokens) + self.wpe.weight[: tokens.shape[1]])
        for block in self.blocks:
            x = block(x, attention_mask)
        return self.ln_f(x)


class EncoderClassifier(nn.Module):
    """An encoder with a linear layer on the first position (Devlin et al. 2018 put a [CLS] token there)."""

    def __init__(self, config: Config, classes: int):
        super().__init__()
        self.encoder = Encoder(config)
        self.head = nn.Linear(config.width, classes)

    def forward(
        self, tokens: Int[Tensor, "B S"], attention_mask: Bool[Tensor, "B S"] | None = None
    ) -> Float[Tensor, "B classes"]:
        return self.head(self.encoder(tokens, attention_mask)[:, 0])


class EncoderDecoder(nn.Module):
    """A source text in, the next token of a target text out (Vaswani et al. 2017, figure 1).

    One vocabulary and one token table for source, target and head.
    """

    def __init__(self, config: Config):
        super().__init__()
        self.encoder = Encoder(config)
        self.wpe = nn.Embedding(config.context_length, config.width)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(DecoderBlock(config) for _ in range(config.layers))
        self.ln_f = final_norm(config)

    def decode(
        self,
        target: Int[Tensor, "B T"],
        memory: Float[Tensor, "B S C"],
        memory_mask: Bool[Tensor, "B S"] | None = None,
    ) -> Float[Tensor, "B T V"]:
        """The decoder alone, for a memory that is known already."""
        x = self.dropout(self.encoder.wte(target) + self.wpe.weight[: target.shape[1]])  # B T C
        for block in self.blocks:
            x = block(x, memory, memory_mask)
        return self.ln_f(x) @ self.encoder.wte.weight.T  # B T V

    def forward(
        self,
        source: Int[Tensor, "B S"],
        target: Int[Tensor, "B T"],
        source_mask: Bool[Tensor, "B S"] | None = None,
    ) -> Float[Tensor, "B T V"]:
        return self.decode(target, self.encoder(source, source_mask), source_mask)
