"""The comparison's tables and figure, drawn from its results alone."""

import os
from pathlib import Path

from matplotlib.figure import Figure

BLUE, ORANGE, GREY = "#0072B2", "#E69F00", "#555555"
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


def figure(results: dict, path: str | os.PathLike) -> None:
    """Loss per token beside bits per byte, family by family; written beside `path` and renamed."""
    families, at = results["families"], SHOWN - 1
    names, places = list(families), range(len(families), 0, -1)
    fig = Figure(figsize=(9.5, 4.2))
    left, right = fig.subplots(1, 2, sharey=True)
    for place, found in zip(places, families.values(), strict=True):
        per_token, whole = found["bits_per_token"][at], found["bits_per_byte"][at]
        free = found["bits_per_byte_unknowns_free"][at]["median"]
        bar(left, place, per_token, BLUE)
        bar(right, place, whole, ORANGE)
        right.barh(place, free, height=0.62, color=BLUE)
    left.set(title="Bits per token: which is lowest says nothing", xlabel="3-gram loss, bits per token")
    right.set(title="Bits per byte: can be compared", xlabel="3-gram loss, bits per byte of text")
    right.text(0.98, 0.03, "orange: spelling out each <unk>", color="#B26F00", ha="right", transform=right.transAxes)
    left.set_yticks(list(places), names)
    for axis in (left, right):
        axis.spines[["top", "right"]].set_visible(False)
        axis.tick_params(axis="y", length=0)
        axis.title.set_fontsize(10.5)
    fig.suptitle("A tokenizer changes the unit of the loss, so that loss per token ranks models backwards", fontsize=12)
    fig.tight_layout()
    beside = Path(path).with_suffix(".partial.png")
    beside.parent.mkdir(parents=True, exist_ok=True)
    fig.savefig(beside, dpi=150)
    os.replace(beside, path)


def bar(axis, place: int, value: dict, colour: str) -> None:
    """One bar at the median, its range as a whisker, its value written at the end."""
    middle = value["median"]
    axis.barh(place, middle, height=0.62, color=colour)
    axis.plot([value["low"], value["high"]], [place, place], color=GREY, linewidth=1.4)
    axis.text(value["high"], place, f"  {middle:.2f}", va="center", fontsize=9)
