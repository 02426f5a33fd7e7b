"""The tables of the side quest: how the families tokenize, and what they cost a model."""

from . import markdown

SHOWN = 3  # the n-gram order of the main columns


def percent(share: float) -> str:
    """A share as a percentage. One that rounds to nothing is shown as "< 0.1 %"."""
    return "0" if share == 0 else "< 0.1 %" if share < 0.001 else f"{share:.1%}".replace("%", " %")


def tokenization(section: dict) -> str:
    """How each family splits the held-out text, and the share of bytes that is unknown. Medians over the divisions."""
    rows = [["family", "vocabulary", "tokens per word", "bytes per token", "unknown, held out", "German", "Russian"]]
    for name, family in section["families"].items():
        lengths = [f"{family['tokens_per_word']['median']:.2f}", f"{family['bytes_per_token']['median']:.2f}"]
        unknown = [percent(share["median"]) for share in family["unknown"].values()]
        rows.append([name, f"{family['vocabulary']['median']:.0f}", *lengths, *unknown])
    return markdown.table(rows)


def loss(section: dict) -> str:
    """The n-gram losses: medians over the divisions. The range is that of the column before it."""
    rows = [["family", "1-gram, bits per byte", "3-gram, bits per token", "3-gram, bits per byte, `<unk>` free",
             "3-gram, bits per byte", "range", "best order, bits per byte"]]  # fmt: skip
    at = SHOWN - 1
    for name, family in section["families"].items():
        per_byte = family["bits_per_byte"]
        medians = [value["median"] for value in per_byte]
        best = min(range(len(medians)), key=medians.__getitem__)
        columns = [medians[0], family["bits_per_token"][at]["median"]]
        columns += [family["bits_per_byte_unknowns_free"][at]["median"], medians[at]]
        spread = f"{per_byte[at]['low']:.2f} to {per_byte[at]['high']:.2f}"
        rows.append([name, *(f"{v:.2f}" for v in columns), spread, f"{medians[best]:.2f} (n = {best + 1})"])
    return markdown.table(rows)


def likelihood(section: dict) -> str:
    """What Viterbi leaves out, and some sampled segmentations."""
    u = section["unigram"]
    draws = "  ".join("|".join(draw) for draw in section["sampled"])
    return (
        f"Unigram: {u['bits_per_byte_viterbi']['median']:.3f} bits per byte by the best segmentation alone, "
        f"{u['bits_per_byte_all']['median']:.3f} over all of them. Sampled at θ = 0.1: `{draws}`"
    )


def sentencepiece(section: dict) -> str:
    """Unigram beside SentencePiece: the objective in bits per character, and CPU seconds. Needs a run with --peer."""
    if "sentencepiece" not in section:
        return ""
    rows = [["vocabulary", "ours, bits per character", "SentencePiece", "ratio", "pieces shared", "ours, CPU s",
             "SentencePiece, CPU s"]]  # fmt: skip
    for row in section["sentencepiece"]:
        ours, theirs = row["bits_per_character"], row["bits_per_character_sentencepiece"]
        times = [f"{t['median']:.2f} ({t['low']:.2f} to {t['high']:.2f})" for t in row["cpu_s"].values()]
        ratio = f"{ours / theirs:.3f}"
        cells = [row["vocabulary"], f"{ours:.3f}", f"{theirs:.3f}", ratio, percent(row["shared_pieces"])]
        rows.append([*cells, *times])
    return markdown.table(rows)
