"""Unigram's training beside SentencePiece's, on the same pre-tokens and to the same vocabulary size.

SentencePiece (Kudo & Richardson 2018) writes the space before a word as U+2581 and splits sentences there. Its other
steps are switched off: normalization, a space before each line, splits between scripts and digits.
"""

import io
import math
import statistics
import time
import warnings
from collections import Counter
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from ..families.lattice_fast import CorpusLattice
from ..families.unigram_train import learn_unigram, maximize
from ..pretokenize import pretokenize

SENTENCEPIECE_SPLIT = r"▁?[^▁\n]+|▁"
EM_STEPS = 5


def lines_of(text: str) -> list[str]:
    """The lines of a text that are not empty."""
    return [line for line in text.split("\n") if line]


def pre_tokens_of(lines: Sequence[str]) -> Counter[str]:
    """The pre-tokens of SentencePiece, with their counts."""
    return Counter(word for line in lines for word in pretokenize(line.replace(" ", "▁"), SENTENCEPIECE_SPLIT))


def train_sentencepiece(lines: Sequence[str], vocab_size: int) -> bytes:
    """Train a Unigram model of `vocab_size` pieces, <unk> counted. Returns the model file.

    Raises:
        ModuleNotFoundError: SentencePiece is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # its SWIG types carry no __module__
            import sentencepiece
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "SentencePiece is not installed: pip install sentencepiece", name="sentencepiece"
        ) from error
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines),
        model_writer=model,
        model_type="unigram",
        vocab_size=vocab_size,
        character_coverage=1.0,
        normalization_rule_name="identity",
        add_dummy_prefix=False,
        remove_extra_whitespaces=False,
        split_by_unicode_script=False,
        split_by_number=False,
        bos_id=-1,
        eos_id=-1,
        num_threads=1,
        minloglevel=3,
    )
    return model.getvalue()


def pieces_and_scores(model: bytes) -> tuple[list[str], list[float]]:
    """The pieces of a SentencePiece model file, <unk> left out, with their scores (float32, in nats)."""
    import sentencepiece

    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    ids = [i for i in range(len(processor)) if not processor.is_unknown(i)]
    return [processor.id_to_piece(i) for i in ids], [processor.get_score(i) for i in ids]


def bits_per_character(words: Counter[str], pieces: Sequence[str], log_probs: Float[np.ndarray, "P"]) -> float:
    """The objective of training, per character: all segmentations summed, after a few EM steps.

    The EM steps are for SentencePiece, whose scores do not quite sum to one. So the choice of pieces is compared.
    """
    lattice = CorpusLattice(words, pieces)
    for _ in range(EM_STEPS):
        log_probs = maximize(lattice.expect(log_probs).counts)
    expectation = lattice.expect(log_probs)
    return -expectation.log_likelihood / (math.log(2) * sum(len(word) * n for word, n in words.items()))


def beside_sentencepiece(text: str, sizes: Sequence[int], repeats: int) -> list[dict]:
    """For each vocabulary size: bits per character and training CPU seconds, ours and theirs, alternating."""
    lines = lines_of(text)
    words = pre_tokens_of(lines)
    rows = []
    for size in sizes:
        times: dict[str, list[float]] = {"ours": [], "sentencepiece": []}
        for _ in range(repeats):
            start = time.process_time()
            ours = learn_unigram(pre_tokens_of(lines), size - 1, 20_000, 16, 0.75, 2)
            between = time.process_time()
            model = train_sentencepiece(lines, size)
            times["ours"].append(between - start)
            times["sentencepiece"].append(time.process_time() - between)
        pieces, scores = pieces_and_scores(model)
        rows.append(
            {
                "vocabulary": size,
                "bits_per_character": bits_per_character(words, ours[0], ours[1]),
                "bits_per_character_sentencepiece": bits_per_character(words, pieces, np.array(scores)),
                "shared_pieces": len(set(pieces) & set(ours[0])) / len(pieces),
                "cpu_s": {k: {"median": statistics.median(v), "low": min(v), "high": max(v)} for k, v in times.items()},
            }
        )
    return rows
