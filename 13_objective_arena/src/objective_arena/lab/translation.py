"""Translation: BLEU of greedy and beam search on the made language, and on English to French (a file)."""

import argparse
import re
import zipfile
from collections.abc import Callable

from torch import Tensor

from ..translate import Translator, Vocabulary, beam_search, corpus, greedy, train_translator
from .catalogue import FRENCH_ENGLISH
from .cli import seeds_of
from .fetch import fetch

Log = Callable[[str], None]
STEPS, TEST, BEAM_TEST = 300, 400, 100
SIZES = (400, 2000, 8000)  # training pairs
FRENCH_STEPS, FRENCH_WORDS = 1200, 7
MAX_NEW_TOKENS = 16


def translation(options: argparse.Namespace, log: Log) -> dict:
    """BLEU against the number of training pairs; and of a subset of French where the file is on this machine."""
    seeds, steps = seeds_of(options, 1 if options.quick else 2), 10 if options.quick else STEPS
    pairs = corpus(max(SIZES) + TEST, seed=0)
    test, train = pairs[:TEST], pairs[TEST:]
    found = {"seeds": seeds, "steps": steps, "made": {}}
    for size in SIZES[:1] if options.quick else SIZES:
        rows = [translated(train[:size], test, steps, seed, log) for seed in seeds]
        found["made"][str(size)] = {key: [row[key] for row in rows] for key in rows[0] if key != "examples"}
        found["examples"] = rows[0]["examples"]
    return found


def french(options: argparse.Namespace, log: Log) -> dict:
    """English to French: short sentences, words that were seen three times.

    Raises:
        OSError: the file is not on this machine and cannot be downloaded.
    """
    pairs = load_french()
    test = pairs[:: len(pairs) // TEST][:TEST]
    known = {english for english, _ in test}
    train = [pair for pair in pairs if pair[0] not in known]
    steps = 10 if options.quick else FRENCH_STEPS
    row = translated(train, test, steps, options.seed, log, at_least=3)
    return {"steps": steps, "pairs": len(train), **row}


def load_french() -> list[tuple[str, str]]:
    """Pairs of at most seven words on both sides, in lower case, punctuation apart, in the order of the file."""
    with zipfile.ZipFile(fetch(FRENCH_ENGLISH)) as file:
        lines = file.read("fra.txt").decode("utf-8").splitlines()
    pairs = []
    for line in lines:
        texts = line.split("\t")[:2]
        if max(len(text.split()) for text in texts) > FRENCH_WORDS:
            continue  # punctuation apart makes more words, never fewer
        english, other = map(words, texts)
        if max(len(english.split()), len(other.split())) <= FRENCH_WORDS:
            pairs.append((english, other))
    return pairs


def words(text: str) -> str:
    text = text.lower().replace("\u202f", " ").replace("\xa0", " ").replace("’", "'")
    return " ".join(re.findall(r"[\w'-]+|[^\w\s]", text))


def translated(
    train: list[tuple[str, str]], test: list[tuple[str, str]], steps: int, seed: int, log: Log, at_least: int = 1
) -> dict:
    """Train, translate, score. Raises ImportError without sacrebleu."""
    import sacrebleu

    vocabulary = Vocabulary.of(train, at_least)
    model, _ = train_translator(train, vocabulary, steps, seed=seed, log=log)
    model.eval()
    source, wanted = vocabulary.encode([a for a, _ in test]), [b for _, b in test]
    by_greedy = [vocabulary.decode(ids) for ids in greedy(model, source, MAX_NEW_TOKENS)]
    by_beam = searched(model, vocabulary, source[:BEAM_TEST])

    def bleu(texts: list[str]) -> float:
        return sacrebleu.corpus_bleu(texts, [wanted[: len(texts)]], tokenize="none").score

    exact = sum(a == b for a, b in zip(by_greedy, wanted, strict=True)) / len(wanted)
    return {
        "greedy": bleu(by_greedy),
        "greedy, the beam's sentences": bleu(by_greedy[:BEAM_TEST]),
        "beam 4": bleu(by_beam),
        "exact": exact,
        "examples": [(test[i][0], by_greedy[i], wanted[i]) for i in range(3)],
    }


def searched(model: Translator, vocabulary: Vocabulary, source: Tensor) -> list[str]:
    rows = [row[row != model.config.pad_id][None] for row in source]
    return [vocabulary.decode(beam_search(model, row, MAX_NEW_TOKENS)) for row in rows]
