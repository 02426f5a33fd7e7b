"""Unigram's training beside SentencePiece's, on the same words and to the same vocabulary size.

SentencePiece (Kudo & Richardson 2018) writes the space before a word as U+2581 and cuts its sentences there. Its other
habits (normalisation, a space put before each line, cuts between scripts and digits) are switched off.
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

from ..pretokenize import pretokenize
from .corpus_lattice import CorpusLattice
from .unigram_training import learn_unigram, maximise

SPACED = r"▁?[^▁\n]+|▁"
POLISH = 5


def lines_of(text: str) -> list[str]:
    return [line for line in text.split("\n") if line]


def words_of(lines: Sequence[str]) -> Counter[str]:
    """The words as SentencePiece sees them, with their counts."""
    return Counter(word for line in lines for word in pretokenize(line.replace(" ", "▁"), SPACED))


def train_sentencepiece(lines: Sequence[str], vocab_size: int) -> bytes:
    """Train a Unigram model of `vocab_size` pieces, <unk> counted; the model file comes back.

    Raises:
        ModuleNotFoundError: SentencePiece is not installed; the message says how to get it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # its SWIG types carry no __module__
            import sentencepiece
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("this comparison needs SentencePiece: pip install sentencepiece") from error
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
    """Training's objective, per character: all segmentations summed, after a few EM steps.

    The EM steps are for SentencePiece, whose scores do not quite sum to one: what is compared is the choice of pieces.
    """
    lattice = CorpusLattice(words, pieces)
    for _ in range(POLISH):
        log_probs = maximise(lattice.expect(log_probs).counts)
    found = lattice.expect(log_probs)
    return -found.log_likelihood / (math.log(2) * sum(len(word) * n for word, n in words.items()))


def beside_sentencepiece(text: str, sizes: Sequence[int], repeats: int) -> list[dict]:
    """For each vocabulary size: bits per character and training CPU seconds, ours and theirs, alternating."""
    lines = lines_of(text)
    words = words_of(lines)
    found = []
    for size in sizes:
        times: dict[str, list[float]] = {"ours": [], "sentencepiece": []}
        for _ in range(repeats):
            start = time.process_time()
            ours = learn_unigram(words_of(lines), size - 1, 20_000, 16, 0.75, 2)
            between = time.process_time()
            model = train_sentencepiece(lines, size)
            times["ours"].append(between - start)
            times["sentencepiece"].append(time.process_time() - between)
        pieces, scores = pieces_and_scores(model)
        found.append({
            "vocabulary": size,
            "bits_per_character": bits_per_character(words, ours[0], ours[1]),
            "bits_per_character_sentencepiece": bits_per_character(words, pieces, np.array(scores)),
            "shared_pieces": len(set(pieces) & set(ours[0])) / len(pieces),
            "cpu_s": {k: {"median": statistics.median(v), "low": min(v), "high": max(v)} for k, v in times.items()},
        })
    return found
