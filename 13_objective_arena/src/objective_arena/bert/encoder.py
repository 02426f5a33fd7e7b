"""BERT (Devlin et al. 2018): a post-norm encoder with token types, and the two heads of its pre-training.

The names follow Hugging Face's, so that its weights can be copied (`from_huggingface`).

Dimensions:
    B texts, T tokens, D width, H heads, V tokens of the vocabulary
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

EPS = 1e-12  # of BERT's norms


@dataclass(frozen=True)
class BertConfig:
    """Sizes of the encoder."""

    vocab_size: int
    d_model: int = 64
    layers: int = 2
    heads: int = 4
    max_len: int = 48
    dropout: float = 0.1


class EncoderLayer(nn.Module):
    """Attention in both directions, then a feed-forward layer; each is added, then normalised (post-norm)."""

    def __init__(self, config: BertConfig):
        super().__init__()
        D = config.d_model
        self.heads, self.dropout = config.heads, nn.Dropout(config.dropout)
        self.query, self.key, self.value, self.output = (nn.Linear(D, D) for _ in range(4))
        self.intermediate, self.down = nn.Linear(D, 4 * D), nn.Linear(4 * D, D)
        self.attention_norm, self.output_norm = nn.LayerNorm(D, EPS), nn.LayerNorm(D, EPS)

    def forward(self, x: Float[Tensor, "B T D"], mask: Bool[Tensor, "B 1 1 T"]) -> Float[Tensor, "B T D"]:
        B, T, D = x.shape
        q, k, v = (f(x).view(B, T, self.heads, -1).transpose(1, 2) for f in (self.query, self.key, self.value))
        attn_out = F.scaled_dot_product_attention(q, k, v, mask).transpose(1, 2).reshape(B, T, D)
        x = self.attention_norm(x + self.dropout(self.output(attn_out)))
        return self.output_norm(x + self.dropout(self.down(F.gelu(self.intermediate(x)))))


class Bert(nn.Module):
    """The encoder, its pooler, and the heads for masked tokens and for sentence pairs."""

    def __init__(self, config: BertConfig, seed: int = 0):
        super().__init__()
        D, V = config.d_model, config.vocab_size
        self.config = config
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.word, self.position, self.token_type = (
                nn.Embedding(V, D),
                nn.Embedding(config.max_len, D),
                nn.Embedding(2, D),
            )
            self.norm, self.dropout = nn.LayerNorm(D, EPS), nn.Dropout(config.dropout)
            self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(config.layers))
            self.pooler = nn.Linear(D, D)
            self.transform, self.transform_norm = nn.Linear(D, D), nn.LayerNorm(D, EPS)
            self.decoder_bias = nn.Parameter(torch.zeros(V))
            self.next_sentence = nn.Linear(D, 2)
            for module in self.modules():
                if isinstance(module, (nn.Linear, nn.Embedding)):
                    nn.init.normal_(module.weight, std=0.06)

    def forward(
        self, ids: Int[Tensor, "B T"], attention_mask: Bool[Tensor, "B T"], token_types: Int[Tensor, "B T"]
    ) -> Float[Tensor, "B T D"]:
        """The last layer. No query looks at padding (False in `attention_mask`)."""
        x = self.word(ids) + self.position.weight[: ids.shape[1]] + self.token_type(token_types)
        x = self.dropout(self.norm(x))
        for layer in self.layers:
            x = layer(x, attention_mask[:, None, None])
        return x

    def pooled(self, hidden: Float[Tensor, "B T D"]) -> Float[Tensor, "B D"]:
        """[CLS] through a layer with tanh: what sentence heads read."""
        return torch.tanh(self.pooler(hidden[:, 0]))

    def masked_logits(self, hidden: Float[Tensor, "N D"]) -> Float[Tensor, "N V"]:
        """Scores of every token, for those positions that are asked for."""
        return self.transform_norm(F.gelu(self.transform(hidden))) @ self.word.weight.T + self.decoder_bias


def pretraining_loss(
    bert: Bert,
    ids: Int[Tensor, "B T"],
    attention_mask: Bool[Tensor, "B T"],
    token_types: Int[Tensor, "B T"],
    labels: Int[Tensor, "B T"],
    next_labels: Int[Tensor, " B"] | None = None,
) -> Float[Tensor, ""]:
    """Masked-token loss, plus next-sentence loss where there are labels for it.

    The head runs at the asked positions only: 15 % of the largest matrix product.
    """
    hidden = bert(ids, attention_mask, token_types)
    asked = labels != -100
    loss = F.cross_entropy(bert.masked_logits(hidden[asked]), labels[asked])
    if next_labels is not None:
        loss = loss + F.cross_entropy(bert.next_sentence(bert.pooled(hidden)), next_labels)
    return loss
