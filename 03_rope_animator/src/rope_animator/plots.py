"""Figures, drawn from the recorded results and nothing else. Colours: Okabe and Ito's, safe for colour-blind eyes."""

import os
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLOURS = {
    "none": "#7f7f7f",
    "learned": "#000000",
    "sinusoidal": "#CC79A7",
    "t5": "#B8A000",
    "alibi": "#009E73",
    "rope": "#D55E00",
    "rope + interpolation": "#E69F00",
    "rope + NTK-aware": "#0072B2",
    "rope + YaRN": "#56B4E9",
}
NAMES = {"none": "no positions", "t5": "T5 buckets", "alibi": "ALiBi", "rope": "RoPE", "rope + YaRN": "RoPE + YaRN"}
STYLE = {
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#444444",
    "font.size": 10,
}


def name(method: str) -> str:
    """How a method is written."""
    return NAMES.get(method, method.replace("rope", "RoPE"))


def canvas(width: float = 7.6, height: float = 4.4) -> tuple[Figure, Axes]:
    """An empty figure in the house's style."""
    with plt.rc_context(STYLE):
        return plt.subplots(figsize=(width, height), layout="constrained")


def save(figure: Figure, path: Path) -> Path:
    """Write beside and rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.stem}.{os.getpid()}.tmp.png")
    figure.savefig(beside, dpi=150)
    plt.close(figure)
    os.replace(beside, path)
    return path


def label_ends(axes: Axes, ends: list[tuple], gap: float) -> None:
    """Names at the right ends of curves, (x, y, text, colour), moved apart to at least `gap` in y."""
    last = -float("inf")
    for x, y, text, colour in sorted(ends, key=lambda e: e[1]):
        last = max(y, last + gap)
        axes.annotate(
            text, (x, last), xytext=(8, 0), textcoords="offset points", color=colour, va="center", fontsize=9.5
        )


def extrapolation(headline: dict, path: Path) -> Path:
    """Loss against the length of the text, as multiples of the trained length."""
    figure, axes = canvas(8.2, 4.8)
    length, ends = headline["length"], []
    bars = {"marker": "o", "markersize": 4, "capsize": 3, "lw": 1.8}
    for method, colour in COLOURS.items():
        found = headline["extrapolation"].get(method)
        if not found or method == "rope + YaRN":
            continue
        x = [int(f) * length for f in found["mean"]]
        y, sd = list(found["mean"].values()), list(found["sd"].values())
        axes.errorbar(x, y, sd, color=colour, linestyle="--" if method == "none" else "-", **bars)
        if method == "learned":
            line = {"arrowstyle": "-", "color": "#999999"}
            text = "learned: there is\nno row beyond"
            axes.annotate(text, (x[0], y[0]), (8, 62), textcoords="offset points", arrowprops=line, fontsize=9.5)
        else:
            ends.append((x[-1], y[-1], name(method), colour))
    low, high = axes.get_ylim()
    label_ends(axes, ends, (high - low) * 0.045)
    axes.axvline(length, color="#bbbbbb", lw=1, zorder=0)
    axes.set_xscale("log", base=2)
    ticks = [length * f for f in (1, 2, 4, 8)]
    axes.set_xticks(ticks, [f"{t}\ntrained" if t == length else str(t) for t in ticks])
    axes.set(xlabel="characters read", ylabel="validation loss, nats a character", xlim=(length * 0.88, length * 15))
    axes.set_title("ALiBi reads on, RoPE breaks at four times its length, a larger base postpones that", loc="left")
    return save(figure, path)


def by_position(headline: dict, path: Path) -> Path:
    """Loss at each position of the longest text."""
    figure, axes = canvas(8.2, 4.2)
    ends, width = [], headline["bin"]
    for method in ("none", "alibi", "rope", "rope + NTK-aware", "rope + interpolation"):
        if method in headline["extrapolation"]:
            curve = headline["extrapolation"][method]["curve"]
            x = [(i + 0.5) * width for i in range(len(curve))]
            axes.plot(x, curve, color=COLOURS[method], lw=1.6, linestyle="--" if method == "none" else "-")
            ends.append((x[-1], sum(curve[-4:]) / 4, name(method), COLOURS[method]))
    label_ends(axes, ends, (axes.get_ylim()[1] - axes.get_ylim()[0]) * 0.05)
    axes.axvline(headline["length"], color="#bbbbbb", lw=1, zorder=0)
    axes.annotate(
        "trained length",
        (headline["length"], axes.get_ylim()[1]),
        xytext=(4, -4),
        va="top",
        textcoords="offset points",
        fontsize=9,
        color="#777777",
    )
    axes.set(xlabel="position in a text of 8 times the trained length", ylabel="validation loss, nats a character")
    axes.set_xlim(0, x[-1] * 1.32)
    axes.set_xticks(range(0, 8 * headline["length"] + 1, 2 * headline["length"]))
    axes.set_title("RoPE fails soon after its trained length; a larger base moves that point outwards", loc="left")
    return save(figure, path)


def decay(headline: dict, path: Path) -> Path:
    """Su's long-term decay, in closed form, for three bases."""
    figure, axes = canvas()
    found, colours = headline["decay"], ("#D55E00", "#0072B2", "#009E73")
    start = (found["dim"] / 2 + 1) / 2
    ends = []
    for (base, curve), colour in zip(found["bound"].items(), colours, strict=True):
        axes.plot(curve, color=colour, lw=1.8)
        ends.append((len(curve) - 1, curve[-1], f"base {float(base):,.0f}", colour))
    label_ends(axes, ends, start * 0.055)
    axes.axhline(start, color="#999999", lw=1, linestyle=":")
    axes.annotate(
        f"no rotation: (d/2 + 1)/2 = {start:g}",
        (len(curve) / 2, start),
        xytext=(0, -12),
        fontsize=9,
        textcoords="offset points",
        color="#777777",
    )
    axes.set(xlabel="distance in tokens", ylabel="bound on the score: mean of |S| over pairs", ylim=(0, start * 1.05))
    axes.set_xlim(0, len(curve) * 1.22)
    axes.set_xticks(range(0, len(curve), 32))
    axes.set_title(f"The larger the base, the slower the rotary score may fade (d = {found['dim']})", loc="left")
    return save(figure, path)


def spectrum(headline: dict, path: Path) -> Path:
    """Wavelength of every pair, plain and stretched."""
    figure, axes = canvas(8.2, 4.6)
    found = headline["spectrum"]
    colours = ("#D55E00", "#E69F00", "#0072B2", "#56B4E9", "#009E73")
    places = ((58, 4, -14), (16, -85, 10), (20, 70, -70), (29, 55, -42), (38, 45, -32))  # pair, and offset of its name
    for (scheme, waves), colour, (at, *shift) in zip(found["wavelengths"].items(), colours, places, strict=True):
        axes.plot(waves, color=colour, lw=1.9, zorder=3 if scheme == "rope" else 2)
        line = {"arrowstyle": "-", "color": colour, "lw": 0.8} if shift[0] > 10 else None
        text = "RoPE" if scheme == "rope" else scheme
        axes.annotate(text, (at, waves[at]), shift, textcoords="offset points", color=colour, arrowprops=line)
    axes.set_yscale("log")
    wanted = int(found["factor"] * found["trained"])
    for tokens, text in ((found["trained"], "trained length"), (wanted, "wanted length")):
        axes.axhline(tokens, color="#999999", lw=1, linestyle=":")
        text = f"{text}, {tokens:,} tokens"
        axes.annotate(text, (0, tokens), (2, 3), textcoords="offset points", fontsize=9, color="#777777")
    axes.set(xlabel="pair of coordinates, fastest first", ylabel="wavelength, tokens a turn", xlim=(0, len(waves) + 3))
    axes.set_title("Interpolation slows every pair; the others spare the fast ones, which saw every angle", loc="left")
    return save(figure, path)


def bench(found: dict, path: Path) -> Path:
    """Seconds of rotating q and k: fresh results and reused memory, each beside its limit."""
    figure, axes = canvas(8.2, 3.8)
    rows = [("fresh", n) for n in found["fresh"]] + [("reused", n) for n in found["reused"]]
    for y, (where, contender) in enumerate(rows):
        spread, limit = found[where][contender], contender in ("clone", "copy_")
        colour = "#999999" if limit else "#0072B2" if contender.startswith("ours") else "#D55E00"
        axes.barh(y, spread["median"], color=colour, height=0.62)
        axes.plot([spread["low"], spread["high"]], [y, y], color="black", lw=1)
        text = f"{1000 * spread['median']:.0f} ms, {found['moved'] / spread['median'] / 2**30:.1f} GiB/s"
        axes.annotate(text, (spread["high"], y), xytext=(6, 0), textcoords="offset points", va="center", fontsize=9)
    axes.set_yticks(range(len(rows)), [f"{c} ({'the limit' if c in ('clone', 'copy_') else w})" for w, c in rows])
    axes.invert_yaxis()
    axes.set(xlabel=f"CPU seconds for q and k of {'×'.join(map(str, found['shape']))}, median and range")
    axes.set_xlim(0, max(s["high"] for s in found["fresh"].values()) * 1.3)
    figure.suptitle("Rotation is memory traffic: most of the peer's time goes into temporaries",
                    x=0.02, ha="left", fontsize=10.5, fontweight="bold")  # fmt: skip
    return save(figure, path)


def broken(found: dict, path: Path) -> Path:
    """Three bases and a quarter of the coordinates, read at 1, 2 and 4 times the trained length."""
    figure, axes = canvas()
    colours = {
        "base 10,000": "#0072B2",
        "base 10": "#D55E00",
        "base 1,000,000": "#009E73",
        "a quarter turned": "#CC79A7",
    }
    ends = []
    for run, colour in colours.items():
        losses = found[run]["losses"]
        lengths, middle = [int(f) for f in losses], list(losses.values())
        each = [[seed[f] for seed in found["values"][run]] for f in losses]
        axes.plot(lengths, middle, color=colour, marker="o", markersize=4, lw=1.8)
        axes.vlines(lengths, [min(v) for v in each], [max(v) for v in each], color=colour, lw=1.2)
        ends.append((4, losses["4"], run, colour))
    label_ends(axes, ends, (axes.get_ylim()[1] - axes.get_ylim()[0]) * 0.055)
    axes.set_xscale("log", base=2)
    axes.set_xticks([1, 2, 4], ["trained", "2 times", "4 times"])
    axes.set(xlabel="length of the text", ylabel="validation loss, nats a character", xlim=(0.92, 6.4))
    axes.set_title("The base hardly matters at the trained length, and decides what happens beyond it", loc="left")
    return save(figure, path)


def draw(sections: dict, out: Path) -> list[Path]:
    """Every figure whose section is there."""
    drawn = []
    if headline := sections.get("headline"):
        for figure in (extrapolation, by_position, decay, spectrum):
            drawn.append(figure(headline, out / f"{figure.__name__}.png"))
    if "bench" in sections:
        drawn.append(bench(sections["bench"], out / "bench.png"))
    if "break_it" in sections:
        drawn.append(broken(sections["break_it"], out / "break_it.png"))
    return drawn
