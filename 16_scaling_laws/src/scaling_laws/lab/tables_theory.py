"""The theory's recorded results as markdown."""

from .markdown import meta_line, section, spread, table


def theory(content: dict | None = None) -> str:
    """Each page's numbers beside its formula."""
    r = content or section("theory")
    rows = [("page", "measured", "formula")]
    for lr, run in r["edge_of_stability"]["runs"].items():
        last = run["sharpness"][-10:]
        rows.append((f"sharpness at the end, rate {lr}", spread(last), f"2 / {lr} = {2 / float(lr):.2f}"))
    plain = [r["slices"][f"rescaled by {f}"]["plain"][-1] for f in (1, 4)]
    same = [r["slices"][f"rescaled by {f}"]["filter-normalised"][-1] for f in (1, 4)]
    sharp = [r["slices"][f"rescaled by {f}"]["sharpness"] for f in (1, 4)]
    rows.append(("slice's end, × 1 and × 4, plain", f"{plain[0]:.2f}, {plain[1]:.2f}", ""))
    rows.append(("slice's end, × 1 and × 4, filter-normalised", f"{same[0]:.3f}, {same[1]:.3f}", "equal"))
    rows.append(("sharpness of both", f"{sharp[0]:.2f}, {sharp[1]:.2f}", "not equal"))
    saddles = r["saddle_points"]
    for d, share in saddles["shares"].items():
        rows.append((f"share of minima, {d} dimensions", f"{share:.6g}", f"{saddles['exact'].get(d, ''):.6}"
                     if d in saddles["exact"] else ""))  # fmt: skip
    for name, unit in r["compression"]["unit"].items():
        for i in (0, 2, len(unit["exact"]) - 1):
            weight = r["compression"]["weights"][i]
            rows.append(
                (f"bits of a {name} unit, weight {weight:g}", f"{unit['estimate'][i]:.2f}", f"{unit['exact'][i]:.2f}")
            )
    for row in (r["approximation"]["wide"][4], r["approximation"]["deep"][3]):
        name = "one layer, 16 units" if "layers" not in row else f"{row['layers']} layers, {row['units']} units"
        rows.append((f"largest error of x², {name}", f"{row['error']:.3e}", f"{row['formula']:.3e}"))
    for row in r["tickets"]["rows"][::3]:
        rows.append((f"nearest subset of {row['weights']} weights", f"{row['error']:.2e}", f"{row['formula']:.2e}"))
    return f"{table(rows)}\n\n{promises(r['promises'])}\n\n{information(r['compression'])}\n\n{meta_line(r)}\n"


def promises(r: dict) -> str:
    """The bounds with their numbers."""
    names = ("train error", "test error", "test set", "PAC-Bayes", "Rademacher", "parameter count")
    words = (
        "train error",
        "test error",
        "test set + Hoeffding",
        "PAC-Bayes",
        "Rademacher, margin",
        "parameters × 32 bits",
    )
    rows = [("training samples", *words)]
    rows += [(row["samples"], *(f"{row[name]:.3f}" for name in names)) for row in r["rows"]]
    note = f"Odd or even digits; {r['parameters']:,} parameters. PAC-Bayes is about the network with noise."
    return f"{table(rows)}\n\n{note}"


def information(r: dict) -> str:
    """Both informations of the layer before and after training, by bin width."""
    rows = [("hidden layer", "bins", "I(X; T) before", "after", "I(T; Y) before", "after")]
    for name, layer in r["layers"].items():
        for width, pairs in layer["by width"].items():
            (x0, y0), (x1, y1) = pairs[0], pairs[-1]
            rows.append((name, width, *(f"{v:.2f}" for v in (x0, x1, y0, y1))))
    return table(rows)
