"""An encoder-decoder (Sutskever et al. 2014; Cho et al. 2014), its bottleneck, and attention.

Without attention the decoder gets the encoder's last state and nothing else: H numbers, however long the input is.
With attention it looks at every encoder state before each output.

Dimensions:
    B   sequences      S   source length      T   target length
    V   vocabulary     E   embedding width    H   hidden width
"""

import torch
from torch import Tensor, nn

from .bptt import Recurrent
from .cells import CELLS
from .scores import AdditiveScore, MultiplicativeScore, attend

ATTENTIONS = ("none", "additive", "multiplicative")


class Seq2Seq(nn.Module):
    """Reads a source and writes a target. Token 0 starts every target."""

    def __init__(self, vocab_size: int, hidden: int, attention: str = "none", kind: str = "gru"):
        """Raises ValueError for an attention that is none of ATTENTIONS."""
        super().__init__()
        if attention not in ATTENTIONS:
            raise ValueError(f"attention={attention!r}: choose one of {', '.join(ATTENTIONS)}")
        self.attention, self.kind = attention, kind
        self.embedding = nn.Embedding(vocab_size, hidden)
        self.encoder = Recurrent(kind, hidden, hidden)
        self.decoder = Recurrent(kind, hidden, hidden)
        self.score = {
            "none": lambda: None,
            "additive": lambda: AdditiveScore(hidden, hidden),
            "multiplicative": lambda: MultiplicativeScore(hidden),
        }[attention]()
        self.combine = nn.Linear(hidden if self.score is None else 2 * hidden, hidden)
        self.head = nn.Linear(hidden, vocab_size)

    def forward(self, source: Tensor, target: Tensor) -> tuple[Tensor, Tensor | None]:
        """Teacher forcing: the decoder reads the right previous token, not its own. Logits (B, T, V) and weights.

        The states do not depend on the attention (Luong's order), so all steps are attended to at once.
        """
        states, last = self.encoder(self.embedding(source))  # B S H
        outputs, _ = self.decoder(self.embedding(self.shifted(target)), last)  # B T H
        return self.answer(outputs, states)

    def shifted(self, target: Tensor) -> Tensor:
        """The decoder's input: a start token, then all but the last target."""
        return torch.cat((torch.zeros_like(target[:, :1]), target[:, :-1]), dim=1)

    def answer(self, outputs: Tensor, states: Tensor) -> tuple[Tensor, Tensor | None]:
        """Decoder outputs (B, T, H) into logits, with a look at the encoder's states where there is attention."""
        weights = None
        if self.score is not None:
            context, weights = attend(self.score(outputs, states), states)  # B T H, B T S
            outputs = torch.cat((outputs, context), dim=-1)
        return self.head(torch.tanh(self.combine(outputs))), weights

    @torch.no_grad()
    def generate(self, source: Tensor, length: int) -> Tensor:
        """Greedy decoding: the decoder reads its own last token."""
        states, state = self.encoder(self.embedding(source))
        step, weights = CELLS[self.kind].step, self.decoder.weights
        token, made = torch.zeros_like(source[:, 0]), []
        for _ in range(length):
            state = step(self.embedding(token) @ weights.ih.T + weights.bias_ih, state, weights)
            logits, _ = self.answer(state[0][:, None], states)
            token = logits[:, 0].argmax(-1)
            made.append(token)
        return torch.stack(made, dim=1)  # B length
