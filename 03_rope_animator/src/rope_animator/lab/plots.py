"""Figures, drawn from the recorded results only."""

from pathlib import Path

from matplotlib.axes import Axes

from .bench import LIMITS
from .style import BLACK, BLUE, GREEN, GREY, ORANGE, PURPLE, SKY, VERMILION, figure, label, save

OLIVE = "#B8A000"  # a darker yellow, readable as text on white
COLORS = {
    "none": GREY,
    "learned": BLACK,
    "sinusoidal": PURPLE,
    "t5": OLIVE,
    "alibi": GREEN,
    "rope": VERMILION,
    "rope + interpolation": ORANGE,
    "rope + NTK-aware": BLUE,
}
NAMES = {"none": "no positions", "t5": "T5 buckets", "alibi": "ALiBi"}


def name(method: str) -> str:
    """How a method is written in figures and tables."""
    return NAMES.get(method, method.replace("rope", "RoPE"))


def draw(results: dict, folder: Path) -> list[Path]:
    """Every figure whose section is there."""
    drawn = []
    if section := results.get("headline"):
        drawn += [figure_of(section, folder) for figure_of in (extrapolation, by_position, decay, spectrum)]
    if section := results.get("smollm2"):
        drawn.append(real_context(section, folder))
    if section := results.get("bench"):
        drawn.append(bench(section, folder))
    if section := results.get("break_it"):
        drawn.append(break_it(section, folder))
    return drawn


def label_ends(axes: Axes, ends: list[tuple], gap: float) -> None:
    """Names at the right ends of curves, (x, y, text, color). They are moved apart to at least `gap` of the height."""
    low, high = axes.get_ylim()
    previous = -float("inf")
    for x, y, text, color in sorted(ends, key=lambda end: end[1]):
        previous = max(y, previous + gap * (high - low))
        label(axes, x, previous, text, color)


def extrapolation(section: dict, folder: Path) -> Path:
    """Loss against the length of the text."""
    made = figure("ALiBi reads on, RoPE fails at four times its length, a larger base delays that", (8.2, 4.8))
    axes, length, ends = made.add_subplot(), section["trained_len"], []
    for method, color in COLORS.items():
        if not (entry := section["extrapolation"].get(method)):
            continue
        x, y = [int(f) * length for f in entry["mean"]], list(entry["mean"].values())
        line = "--" if method == "none" else "-"
        bars = {"marker": "o", "markersize": 4, "capsize": 3, "lw": 1.8}
        axes.errorbar(x, y, list(entry["sd"].values()), color=color, linestyle=line, **bars)
        if method == "learned":
            arrow = {"arrowstyle": "-", "color": GREY}
            text = "learned: there is\nno row beyond"
            axes.annotate(text, (x[0], y[0]), (8, 62), textcoords="offset points", arrowprops=arrow)
        else:
            ends.append((x[-1], y[-1], name(method), color))
    label_ends(axes, ends, 0.045)
    axes.axvline(length, color="#bbbbbb", lw=1, zorder=0)
    axes.set_xscale("log", base=2)
    ticks = [length * f for f in (1, 2, 4, 8)]
    axes.set_xticks(ticks, [f"{t}\ntrained" if t == length else str(t) for t in ticks])
    axes.set(xlabel="characters read", ylabel="validation loss, nats a character", xlim=(length * 0.88, length * 15))
    return save(made, folder / "extrapolation.png")


def by_position(section: dict, folder: Path) -> Path:
    """Loss at each position of the longest text."""
    made = figure("RoPE fails soon after its trained length; a larger base moves that point outwards", (8.2, 4.2))
    axes, width, length, ends = made.add_subplot(), section["bin"], section["trained_len"], []
    for method in ("none", "alibi", "rope", "rope + NTK-aware", "rope + interpolation"):
        if not (entry := section["extrapolation"].get(method)):
            continue
        curve = entry["curve"]
        x = [(i + 0.5) * width for i in range(len(curve))]
        axes.plot(x, curve, color=COLORS[method], lw=1.6, linestyle="--" if method == "none" else "-")
        ends.append((x[-1], sum(curve[-4:]) / 4, name(method), COLORS[method]))
    label_ends(axes, ends, 0.055)
    axes.axvline(length, color="#bbbbbb", lw=1, zorder=0)
    top = (length, axes.get_ylim()[1])
    axes.annotate("trained length", top, (4, -4), va="top", textcoords="offset points", color=GREY)
    axes.set(xlabel="position in a text of 8 times the trained length", ylabel="validation loss, nats a character")
    axes.set_xlim(0, 8 * length * 1.34)
    axes.set_xticks(range(0, 8 * length + 1, 2 * length))
    return save(made, folder / "by_position.png")


def real_context(section: dict, folder: Path) -> Path:
    """Loss of the real model at each position, for every scheme."""
    length, block, curves = section["trained_len"], section["block"], section["curves"]
    best = min((name for name in curves if name != "RoPE as trained"), key=lambda name: curves[name][-1])
    claim = f"SmolLM2 breaks down beyond its trained length; {best} reads four times as far, without training"
    made = figure(claim, (8.2, 4.6))
    axes, ends = made.add_subplot(), []
    colors = dict(zip(curves, (VERMILION, ORANGE, BLUE, SKY, PURPLE, GREEN), strict=True))
    for scheme, curve in curves.items():
        x = [(i + 0.5) * block for i in range(len(curve))]
        axes.plot(x, curve, color=colors[scheme], lw=1.8)
        ends.append((x[-1], sum(curve[-3:]) / 3, scheme, colors[scheme]))
    label_ends(axes, ends, 0.055)
    axes.axvline(length, color="#bbbbbb", lw=1, zorder=0)
    top = (length, axes.get_ylim()[1])
    axes.annotate("trained length", top, (4, -4), va="top", textcoords="offset points", color=GREY)
    axes.set(xlabel="position in a novel, tokens", ylabel="loss, nats a token (mean of 1,024)")
    axes.set_xlim(0, section["factor"] * length * 1.24)
    axes.set_xticks([i * length for i in range(section["factor"] + 1)])
    return save(made, folder / "smollm2.png")


def decay(section: dict, folder: Path) -> Path:
    """The bound on the rotary score against distance, for three bases."""
    entry = section["decay"]
    made = figure(f"The larger the base, the slower the bound on the score falls (d = {entry['dim']})", (7.6, 4.4))
    axes, ends = made.add_subplot(), []
    start = (entry["dim"] / 2 + 1) / 2
    for (base, curve), color in zip(entry["bound"].items(), (VERMILION, BLUE, GREEN), strict=True):
        axes.plot(curve, color=color, lw=1.8)
        ends.append((len(curve) - 1, curve[-1], f"base {float(base):,.0f}", color))
    axes.set(xlabel="distance in tokens", ylabel="bound on the score: mean of |S| over pairs", ylim=(0, start * 1.05))
    axes.set_xlim(0, len(curve) * 1.24)
    axes.set_xticks(range(0, len(curve), 32))
    label_ends(axes, ends, 0.055)
    axes.axhline(start, color=GREY, lw=1, linestyle=":")
    text, middle = f"no rotation: (d/2 + 1)/2 = {start:g}", len(curve) / 2
    axes.annotate(text, (middle, start), (0, -12), textcoords="offset points", color=GREY)
    return save(made, folder / "decay.png")


def spectrum(section: dict, folder: Path) -> Path:
    """Wavelength of every pair, before and after each scheme."""
    claim = "Interpolation slows every pair; the other schemes spare the fast ones"
    made, entry = figure(claim, (8.2, 4.6)), section["spectrum"]
    axes = made.add_subplot()
    colors = (VERMILION, ORANGE, BLUE, SKY, GREEN)
    places = ((58, 4, -14), (16, -85, 10), (20, 70, -70), (29, 55, -42), (38, 45, -32))  # pair, and offset of its name
    for (scheme, waves), color, (pair, *shift) in zip(entry["wavelengths"].items(), colors, places, strict=True):
        axes.plot(waves, color=color, lw=1.9, zorder=3 if scheme == "rope" else 2)
        line = {"arrowstyle": "-", "color": color, "lw": 0.8} if shift[0] > 10 else None
        axes.annotate(
            name(scheme), (pair, waves[pair]), shift, textcoords="offset points", color=color, arrowprops=line
        )
    axes.set_yscale("log")
    wanted = int(entry["factor"] * entry["trained_len"])
    for tokens, text in ((entry["trained_len"], "trained length"), (wanted, "wanted length")):
        axes.axhline(tokens, color=GREY, lw=1, linestyle=":")
        axes.annotate(f"{text}, {tokens:,} tokens", (0, tokens), (2, 3), textcoords="offset points", color=GREY)
    axes.set(xlabel="pair of coordinates, fastest first", ylabel="wavelength, tokens in one rotation")
    axes.set_xlim(0, len(waves) + 3)
    return save(made, folder / "spectrum.png")


def bench(section: dict, folder: Path) -> Path:
    """Seconds to rotate q and k: fresh results and reused memory, each beside its limit."""
    made = figure("Rotation is memory traffic: most of the peer's time goes into temporaries", (8.2, 3.8))
    axes = made.add_subplot()
    rows = [(condition, contender) for condition in LIMITS for contender in section[condition]]
    for y, (condition, contender) in enumerate(rows):
        entry = section[condition][contender]
        is_limit = contender == LIMITS[condition]
        color = GREY if is_limit else BLUE if contender.startswith("ours") else VERMILION
        axes.barh(y, entry["median"], color=color, height=0.62)
        axes.plot([entry["low"], entry["high"]], [y, y], color=BLACK, lw=1)
        text = f"{1000 * entry['median']:.0f} ms, {section['bytes_moved'] / entry['median'] / 2**30:.1f} GiB/s"
        axes.annotate(text, (entry["high"], y), (6, 0), textcoords="offset points", va="center", fontsize=9)
    axes.set_yticks(range(len(rows)), [f"{c} ({'limit' if c == LIMITS[w] else w})" for w, c in rows])
    axes.invert_yaxis()
    axes.set(xlabel=f"CPU seconds for q and k of {'×'.join(map(str, section['shape']))}, median and range")
    axes.set_xlim(0, max(entry["high"] for entry in section["fresh"].values()) * 1.3)
    return save(made, folder / "bench.png")


def break_it(section: dict, folder: Path) -> Path:
    """Three bases and a quarter of the coordinates, at 1, 2 and 4 times the trained length."""
    made = figure("The base hardly matters at the trained length, and decides what happens beyond it", (7.6, 4.4))
    axes, ends = made.add_subplot(), []
    bases, quarter = "base 10, 10,000 and 1,000,000", "a quarter of the coordinates rotated"
    runs = {
        "base 10": (bases, VERMILION),
        "base 10,000": (bases, BLUE),
        "base 1,000,000": (bases, GREEN),
        "a quarter rotated": (quarter, PURPLE),
    }
    for run, (experiment, color) in runs.items():
        losses = section["mean"][experiment][run]
        values = [outcome[run] for outcome in section["values"][experiment]]
        x = [int(f) for f in losses]
        axes.plot(x, list(losses.values()), color=color, marker="o", markersize=4, lw=1.8)
        low = [min(v[f] for v in values) for f in losses]
        high = [max(v[f] for v in values) for f in losses]
        axes.vlines(x, low, high, color=color, lw=1.2)
        ends.append((4, losses["4"], run, color))
    label_ends(axes, ends, 0.055)
    axes.set_xscale("log", base=2)
    axes.set_xticks([1, 2, 4], ["trained", "2 times", "4 times"])
    axes.set(xlabel="length of the text", ylabel="validation loss, nats a character", xlim=(0.92, 6.8))
    return save(made, folder / "break_it.png")
