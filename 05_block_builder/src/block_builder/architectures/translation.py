"""A toy language: other words, adjectives after their nouns, the verb at the end of the sentence."""

import torch
from jaxtyping import Bool, Int
from torch import Tensor

PAD, START, END = 0, 1, 2
NOUNS = {"cat": "miru", "dog": "hundo", "bird": "talo", "fish": "pesa", "tree": "arva"}
ADJECTIVES = {"red": "ruba", "old": "vesta", "small": "pika", "wise": "sofa"}
VERBS = {"sees": "vidas", "likes": "amas", "follows": "sekas", "hears": "audas"}
ENGLISH = ["the", *NOUNS, *ADJECTIVES, *VERBS]
FOREIGN = ["lo", *NOUNS.values(), *ADJECTIVES.values(), *VERBS.values()]
WORDS = ["<pad>", "<start>", "<end>", *ENGLISH, *FOREIGN]
SOURCE_LENGTH, TARGET_LENGTH = 8, 10


def choose(words: dict[str, str], generator: torch.Generator) -> str:
    return list(words)[int(torch.randint(len(words), (), generator=generator))]


def noun_phrase(generator: torch.Generator) -> list[str]:
    """ "the cat" or "the old cat"."""
    described = int(torch.randint(2, (), generator=generator))
    adjective = [choose(ADJECTIVES, generator)] if described else []
    return ["the", *adjective, choose(NOUNS, generator)]


def foreign_phrase(words: list[str]) -> list[str]:
    """The adjective follows its noun."""
    dictionary = {"the": "lo", **NOUNS, **ADJECTIVES}
    article, *adjective, noun = [dictionary[word] for word in words]
    return [article, noun, *adjective]


def translation_of(sentence: list[str]) -> list[str]:
    """Subject, object, verb."""
    verb = next(i for i, word in enumerate(sentence) if word in VERBS)
    subject, object_ = sentence[:verb], sentence[verb + 1 :]
    return [*foreign_phrase(subject), *foreign_phrase(object_), VERBS[sentence[verb]]]


def padded(rows: list[list[int]], length: int) -> Int[Tensor, "B length"]:
    return torch.tensor([row + [PAD] * (length - len(row)) for row in rows])


def translation_batch(
    size: int, generator: torch.Generator
) -> tuple[Int[Tensor, "B S"], Bool[Tensor, "B S"], Int[Tensor, "B T"]]:
    """(source, source_mask, target): the target begins with START and ends with END."""
    sources, targets = [], []
    for _ in range(size):
        sentence = [*noun_phrase(generator), choose(VERBS, generator), *noun_phrase(generator)]
        sources.append([WORDS.index(word) for word in sentence])
        targets.append([START, *(WORDS.index(word) for word in translation_of(sentence)), END])
    source = padded(sources, SOURCE_LENGTH)
    return source, source != PAD, padded(targets, TARGET_LENGTH)
