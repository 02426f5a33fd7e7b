"""The comparison's tables and figure, drawn from its results alone."""

import os
from pathlib import Path

from matplotlib.figure import Figure

BLUE, ORANGE, INK = "#0072B2", "#E69F00", "#222222"
WHITE = {"facecolor": "white", "edgecolor": "none", "pad": 0.8}
SHOWN = 3  # the n-gram order of the main columns


def rows(header: list[str], lines: list[list[str]]) -> str:
    """A markdown table whose first column is text and whose others are numbers."""
    rule = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join("| " + " | ".join(line) + " |" for line in [header, rule, *lines])


def percent(share: float) -> str:
    """A share as a percentage; what is there but rounds to nothing is shown as such."""
    return "0" if share == 0 else "< 0.1 %" if share < 0.001 else f"{share:.1%}".replace("%", " %")


def cutting_table(results: dict) -> str:
    """How each family cuts the held-out text, and the share of bytes it cannot say; medians over the divisions."""
    header = ["family", "vocabulary", "tokens per word", "bytes per token"]
    header += ["unknown bytes, held out", "German", "Russian"]
    lines = []
    for name, found in results["families"].items():
        shape = [f"{found['tokens_per_word']['median']:.2f}", f"{found['bytes_per_token']['median']:.2f}"]
        unknown = [percent(share["median"]) for share in found["unknown"].values()]
        lines.append([name, f"{found['vocabulary']['median']:.0f}", *shape, *unknown])
    return rows(header, lines)


def loss_table(results: dict) -> str:
    """The n-gram losses, as medians over the divisions; the range is that of the column before it."""
    header = ["family", "1-gram, bits per byte", "3-gram, bits per token", "3-gram, bits per byte, `<unk>` free"]
    header += ["3-gram, bits per byte", "range", "best order, bits per byte"]
    lines = []
    for name, found in results["families"].items():
        per_byte, at = found["bits_per_byte"], SHOWN - 1
        medians = [loss["median"] for loss in per_byte]
        best = min(range(len(medians)), key=medians.__getitem__)
        columns = [medians[0], found["bits_per_token"][at]["median"]]
        columns += [found["bits_per_byte_unknowns_free"][at]["median"], medians[at]]
        spread = f"{per_byte[at]['low']:.2f} to {per_byte[at]['high']:.2f}"
        lines.append([name, *(f"{v:.2f}" for v in columns), spread, f"{medians[best]:.2f} (n = {best + 1})"])
    return rows(header, lines)


def peer_table(results: dict) -> str:
    """Unigram beside SentencePiece: what training maximises, in bits per character, and what it takes."""
    header = ["vocabulary", "ours, bits per character", "SentencePiece", "ratio", "pieces shared"]
    header += ["ours, CPU s", "SentencePiece, CPU s"]
    lines = []
    for found in results["sentencepiece"]:
        ours, theirs = found["bits_per_character"], found["bits_per_character_sentencepiece"]
        times = [f"{t['median']:.2f} ({t['low']:.2f} to {t['high']:.2f})" for t in found["cpu_s"].values()]
        shared = percent(found["shared_pieces"])
        lines.append([str(found["vocabulary"]), f"{ours:.3f}", f"{theirs:.3f}", f"{ours / theirs:.3f}", shared, *times])
    return rows(header, lines)


def figure(results: dict, path: str | os.PathLike) -> None:
    """Loss per token beside bits per byte, family by family; written beside `path` and renamed."""
    families, at = results["families"], SHOWN - 1
    places = range(len(families), 0, -1)
    fig = Figure(figsize=(9.5, 4.4))
    left, right = fig.subplots(1, 2, sharey=True)
    for place, found in zip(places, families.values(), strict=True):
        whole, free = found["bits_per_byte"][at], found["bits_per_byte_unknowns_free"][at]["median"]
        bar(left, place, found["bits_per_token"][at], BLUE)
        spelled = whole["median"] - free
        bar(right, place, whole, ORANGE, f", {spelled:.2f} of it to spell <unk>" if spelled > 0.01 else "")
        right.barh(place, free, height=0.62, color=BLUE)
    longest = min(loss["median"] for loss in families["bytes"]["bits_per_byte"])
    right.axvline(longest, color=INK, linestyle=":", linewidth=1)
    right.text(longest, len(families) + 0.45, f" bytes, {results['order']}-gram: {longest:.2f}", fontsize=8.5)
    left.set(xlabel="3-gram loss, bits per token", xlim=(0, 1.12 * left.get_xlim()[1]))
    right.set(xlabel="3-gram loss, bits per byte of held-out text", xlim=(0, 1.12 * right.get_xlim()[1]))
    left.set_yticks(list(places), list(families))
    left.set_ylim(0.4, len(families) + 0.8)
    for axis in (left, right):
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(axis="y", length=0)
    fig.suptitle("Loss per token ranks tokenizers backwards; bits per byte can be compared", fontsize=12)
    fig.tight_layout()
    beside = Path(path).with_suffix(".partial.png")
    beside.parent.mkdir(parents=True, exist_ok=True)
    fig.savefig(beside, dpi=150)
    os.replace(beside, path)


def bar(axis, place: int, value: dict, colour: str, note: str = "") -> None:
    """One bar at the median, its range as a whisker, its value written at the end."""
    middle = value["median"]
    axis.barh(place, middle, height=0.62, color=colour)
    axis.plot([value["low"], value["high"]], [place, place], color=INK, linewidth=1.4)
    end = (max(middle, value["high"]), place)
    axis.annotate(f"{middle:.2f}{note}", end, (5, 0), textcoords="offset points", va="center", fontsize=9, bbox=WHITE)
