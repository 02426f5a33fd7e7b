"""GPT-1 (Radford et al. 2018): pre-train a writer, then fine-tune it with the language-modelling loss kept beside.

Dimensions:
    B sentences, T tokens, D width, C classes, V tokens of the vocabulary
"""

import copy
from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ..bert.finetune import Sentences
from ..causal import causal_attention_mask, causal_labels
from ..model import Transformer


def language_model_loss(
    hidden: Float[Tensor, "B T D"], model: Transformer, ids: Int[Tensor, "B T"], attention_mask: Bool[Tensor, "B T"]
) -> Float[Tensor, ""]:
    """The next-token loss, with scores for those positions alone that count."""
    labels = causal_labels(ids, attention_mask)
    counts = labels != -100
    return F.cross_entropy(hidden[counts] @ model.wte.weight.T, labels[counts])


class WriterClassifier(nn.Module):
    """A causal transformer and a linear layer that reads the last token: only it has seen the whole sentence."""

    def __init__(self, model: Transformer, classes: int = 2, seed: int = 0):
        super().__init__()
        self.model = copy.deepcopy(model)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.head = nn.Linear(model.config.d_model, classes)

    def hidden(self, ids: Int[Tensor, "B T"]) -> Float[Tensor, "B T D"]:
        return self.model.hidden(ids, causal_attention_mask(ids.shape[1]))

    def classify(self, hidden: Float[Tensor, "B T D"], attention_mask: Bool[Tensor, "B T"]) -> Float[Tensor, "B C"]:
        """Scores of the classes. Padding is on the right: causal tokens never look at it."""
        last = attention_mask.sum(1) - 1
        return self.head(hidden[torch.arange(len(last)), last])

    def forward(
        self, ids: Int[Tensor, "B T"], attention_mask: Bool[Tensor, "B T"], token_types: Int[Tensor, "B T"]
    ) -> Float[Tensor, "B C"]:
        return self.classify(self.hidden(ids), attention_mask)


def pretrain_writer(
    model: Transformer,
    sentences: Sentences,
    steps: int,
    B: int = 32,
    lr: float = 2e-3,
    seed: int = 0,
    log: Callable[[str], None] = lambda line: None,
) -> list[float]:
    """Next-token training on sentences without labels. Returns the losses."""
    generator, losses = torch.Generator().manual_seed(seed), []
    optimizer = torch.optim.AdamW(model.parameters(), lr, (0.9, 0.98), weight_decay=0.01)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = lr * min((step + 1) / max(1, steps // 10), (steps - step) / steps * 1.1)
        ids, mask, _ = sentences.rows(torch.randint(len(sentences.ids), (B,), generator=generator))
        loss = language_model_loss(model.hidden(ids, causal_attention_mask(ids.shape[1])), model, ids, mask)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
        if step % 200 == 0:
            log(f"pre-training a writer, step {step} of {steps}: loss {loss:.2f}")
    return losses


def finetune_writer(
    classifier: WriterClassifier,
    sentences: Sentences,
    labels: Int[Tensor, " N"],
    epochs: int,
    auxiliary: float = 0.5,
    B: int = 32,
    lr: float = 1e-3,
    seed: int = 0,
) -> WriterClassifier:
    """Minimise the class loss plus `auxiliary` times the language-modelling loss (λ = 0.5 in the paper)."""
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(classifier.parameters(), lr, weight_decay=0.01)
    batches = -(-len(labels) // B)
    for epoch in range(epochs):
        for i, index in enumerate(torch.randperm(len(labels), generator=generator).split(B)):
            optimizer.param_groups[0]["lr"] = lr * (1 - (epoch * batches + i) / (epochs * batches))
            ids, mask, _ = sentences.rows(index)
            hidden = classifier.hidden(ids)
            loss = F.cross_entropy(classifier.classify(hidden, mask), labels[index])
            if auxiliary:
                loss = loss + auxiliary * language_model_loss(hidden, classifier.model, ids, mask)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return classifier
