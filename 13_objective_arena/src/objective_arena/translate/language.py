"""A made language, so that translation works without a file: the words move, and their forms depend on other words.

English: "the red cat sees three dogs".  Made: "kat-o rug-o tri hund-i-n vid-as".
The adjective follows its noun and takes its ending. The object is marked by n, many by i and one by o. The verb comes
last.
"""

import random

NOUNS = "cat kat dog hund bird bird horse ceval fish fis mouse mus cow bov wolf lup bear urs fox vulp".split()
ADJECTIVES = "red rug big grand small et old maljun young jun black nigr white blank fast rapid".split()
VERBS = "sees vid hears aud eats mang likes sat follows sekv finds trov wants vol helps help".split()
NUMBERS = "two du three tri four kvar five kvin six ses".split()


def pairs_of(words: list[str]) -> list[tuple[str, str]]:
    return list(zip(words[::2], words[1::2], strict=True))


def noun_phrase(rng: random.Random, is_object: bool) -> tuple[list[str], list[str]]:
    """An English phrase and its translation."""
    noun, stem = rng.choice(pairs_of(NOUNS))
    end = "n" if is_object else ""
    many = rng.random() < 0.5
    ending = ("i" if many else "o") + end
    if many:
        number, numeral = rng.choice(pairs_of(NUMBERS))
        plural = {"mouse": "mice", "wolf": "wolves", "fish": "fishes", "fox": "foxes"}.get(noun, f"{noun}s")
        english, made = [number], [numeral]
    else:
        plural, english, made = noun, ["the"], []
    adjectives = rng.sample(pairs_of(ADJECTIVES), rng.choice((0, 1, 1, 2)))
    english += [adjective for adjective, _ in adjectives] + [plural]
    return english, [*made, stem + ending, *(root + ending for _, root in adjectives)]


def sentence(rng: random.Random) -> tuple[str, str]:
    """An English sentence and its translation: subject, object, verb."""
    subject, made_subject = noun_phrase(rng, False)
    target, made_target = noun_phrase(rng, True)
    verb, root = rng.choice(pairs_of(VERBS))
    return " ".join([*subject, verb, *target]), " ".join([*made_subject, *made_target, f"{root}as"])


def corpus(size: int, seed: int = 0) -> list[tuple[str, str]]:
    """Different pairs, in random order."""
    rng, found = random.Random(seed), {}
    while len(found) < size:
        english, made = sentence(rng)
        found[english] = made
    return list(found.items())
