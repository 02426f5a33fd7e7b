"""A toy language of product reviews, and its judge.

A prompt is a product and a verb. An answer is a few words and a stop token. The judge likes praise, each word of it
once. In the corpus praise is rare, so a word of praise is hardly ever said twice, and a reward model that is trained on
such answers has seen little of what happens then.
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ..rollout import EOS, PAD, Rollout

PRODUCTS = ["lamp", "chair", "radio", "kettle"]
VERBS = ["is", "seems"]
PRAISE = ["bright", "sturdy", "quiet", "cheap", "lovely"]
PLAIN = ["and", "very", "quite", "a", "bit", "small", "brown", "old"]
COMPLAINTS = ["broken", "ugly", "loud"]
WORDS = ["<pad>", "<eos>", *PRODUCTS, *VERBS, *PRAISE, *PLAIN, *COMPLAINTS]


def ids(words: list[str]) -> Tensor:
    return torch.tensor([WORDS.index(word) for word in words])


class World:
    """The language's statistics, from a seed; prompts, corpus and judge."""

    vocab_size = len(WORDS)
    prompt_len = 2
    max_new_tokens = 8

    def __init__(self, seed: int = 0):
        generator = torch.Generator().manual_seed(seed)
        V = self.vocab_size
        weights = torch.rand(V, V, generator=generator) + 0.5  # word to next word
        weights[:, ids(["<pad>", *PRODUCTS, *VERBS])] = 0
        weights[:, ids(PRAISE)] *= 0.35
        weights[:, ids(COMPLAINTS)] *= 0.8
        weights[:, EOS] = 1.6
        weights[ids(VERBS), EOS] = 0  # an answer has at least one word
        weights.fill_diagonal_(0)  # no word twice in a row
        self.transitions = weights / weights.sum(1, keepdim=True).clamp(min=1e-9)

    def prompts(self, count: int, generator: torch.Generator) -> Int[Tensor, "B P"]:
        """Random products and verbs."""
        columns = [ids(words)[torch.randint(len(words), (count,), generator=generator)] for words in (PRODUCTS, VERBS)]
        return torch.stack(columns, 1)

    def corpus(self, count: int, generator: torch.Generator) -> tuple[Int[Tensor, "B T"], Tensor]:
        """Prompts with answers as people write them, and the mask of the answers' tokens."""
        tokens = torch.full((count, self.prompt_len + self.max_new_tokens), PAD)
        tokens[:, : self.prompt_len] = self.prompts(count, generator)
        running = torch.ones(count, dtype=torch.bool)
        mask = torch.zeros(count, self.max_new_tokens, dtype=torch.bool)
        for n in range(self.max_new_tokens):
            previous = tokens[:, self.prompt_len + n - 1]
            rows = torch.where(running[:, None], self.transitions[previous], torch.ones(self.vocab_size))
            new = torch.multinomial(rows, 1, generator=generator)[:, 0]
            if n == self.max_new_tokens - 1:
                new = torch.full_like(new, EOS)
            tokens[:, self.prompt_len + n] = torch.where(running, new, PAD)
            mask[:, n] = running
            running = running & (new != EOS)
        return tokens, mask

    def judge(self, rollout: Rollout) -> Float[Tensor, "B"]:
        """+1 for each different word of praise, -1 for each repeated word, -1 for a complaint, -1 without an end."""
        answer = rollout.tokens[:, rollout.prompt_len :]
        counts = torch.zeros(len(answer), self.vocab_size).scatter_add_(1, answer, rollout.mask.float())
        counts[:, [PAD, EOS]] = 0
        praise = (counts[:, ids(PRAISE)] > 0).sum(1)
        repeats = (counts - 1).clamp(min=0).sum(1)
        complaints = counts[:, ids(COMPLAINTS)].sum(1)
        return praise - repeats - complaints - (~rollout.ended).float()


def to_text(tokens: Int[Tensor, "T"]) -> str:
    """The words of a text, without padding."""
    return " ".join(WORDS[i] for i in tokens.tolist() if i != PAD)
