"""A character language model of each kind, with equal numbers of parameters.

    rnn, lstm, gru    the state is all that is known of the past
    attention-lstm    an LSTM whose output also looks at its own earlier states (multiplicative score)
    transformer       no state: masked multi-head attention and a feed-forward layer

Dimensions:
    B   sequences      T   positions
    V   vocabulary     H   width
"""

import torch
from torch import Tensor, nn

from ..masks import causal_mask
from ..transformer import Transformer
from .bptt import Recurrent
from .scores import MultiplicativeScore, attend

KINDS = ("rnn", "lstm", "gru", "attention-lstm", "transformer")


class LanguageModel(nn.Module):
    """Token ids (B, T) -> logits (B, T, V), each position made of those up to it."""

    def __init__(self, kind: str, vocab_size: int, width: int, seq_len: int):
        """Raises ValueError for a kind that is none of KINDS. `seq_len` limits the transformer alone."""
        super().__init__()
        if kind not in KINDS:
            raise ValueError(f"kind={kind!r}: choose one of {', '.join(KINDS)}")
        self.kind = kind
        if kind == "transformer":
            self.body = Transformer(vocab_size, seq_len, width, layers=2, heads=4)
            return
        self.embedding = nn.Embedding(vocab_size, width)
        self.body = Recurrent(kind.removeprefix("attention-"), width, width, forget_bias=1.0)
        self.score = MultiplicativeScore(width) if kind == "attention-lstm" else None
        self.combine = nn.Linear(2 * width, width) if self.score else None
        self.head = nn.Linear(width, vocab_size)

    def forward(self, tokens: Tensor) -> Tensor:
        if self.kind == "transformer":
            return self.body(tokens)
        states, _ = self.body(self.embedding(tokens))  # B T H
        if self.score is not None:
            T = tokens.shape[1]
            earlier = causal_mask(T).tril(-1)  # the state itself is there already
            context, _ = attend(self.score(states, states), states, earlier)
            states = torch.tanh(self.combine(torch.cat((states, context), dim=-1)))
        return self.head(states)

    @torch.no_grad()
    def sample(self, prompt: Tensor, uniforms: Tensor, seq_len: int) -> Tensor:
        """Continue a prompt (T,) by one token for each uniform; the last `seq_len` tokens are read."""
        tokens = prompt
        for uniform in uniforms:
            probabilities = self(tokens[None, -seq_len:])[0, -1].softmax(-1)
            chosen = torch.searchsorted(probabilities.cumsum(0), uniform[None]).clamp(max=len(probabilities) - 1)
            tokens = torch.cat((tokens, chosen))
        return tokens


def width_for(kind: str, parameters: int, vocab_size: int, seq_len: int) -> int:
    """The width whose number of parameters is nearest to `parameters`; a multiple of 4 for the transformer's heads."""
    step = 4 if kind == "transformer" else 1
    sizes = {}
    for width in range(step * 2, 513, step):
        with torch.device("meta"):
            model = LanguageModel(kind, vocab_size, width, seq_len)
        sizes[width] = sum(p.numel() for p in model.parameters())
        if sizes[width] > parameters:
            break
    return min(sizes, key=lambda width: abs(sizes[width] - parameters))
