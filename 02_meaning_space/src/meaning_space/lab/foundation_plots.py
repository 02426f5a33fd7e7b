"""Figures of the foundations: estimation, descent, PCA in the plane."""

import numpy as np
from matplotlib.figure import Figure

from .style import BLACK, BLUE, GREY, ORANGE, SKY, VERMILION, figure


def estimation(content: dict) -> Figure:
    """Likelihood and prior for a coin and for a Gaussian; the central limit theorem."""
    fig = figure("A prior steadies estimates from little data; means of anything turn Gaussian", (11, 3.4))
    coin_ax, gauss_ax, clt_ax = fig.subplots(1, 3)
    throws = range(1, len(content["coin"]["mle"]) + 1)
    coin_ax.axhline(0.5, color=GREY, lw=0.8, ls="--")
    coin_ax.plot(throws, content["coin"]["mle"], color=VERMILION)
    coin_ax.plot(throws, content["coin"]["map"], color=BLUE)
    coin_ax.text(20, 0.92, "MLE", color=VERMILION)
    coin_ax.text(20, 0.82, "MAP, prior Beta(5, 5)", color=BLUE)
    coin_ax.set(xlabel="throws of a fair coin", ylabel="estimated chance of heads", ylim=(-0.05, 1.05))
    x = np.linspace(-3, 5, 200)
    g = content["gaussian"]
    curves = {"prior": (0.0, 1.0, GREY), "likelihood": (g["mle"], 1 / len(g["x"]), VERMILION),
              "posterior": (g["map"], g["variance"], BLUE)}  # fmt: skip
    for i, (name, (mean, variance, color)) in enumerate(curves.items()):
        gauss_ax.plot(x, np.exp(-((x - mean) ** 2) / 2 / variance) / np.sqrt(2 * np.pi * variance), color=color)
        gauss_ax.text(0.03, 0.92 - 0.1 * i, name, color=color, transform=gauss_ax.transAxes)
    gauss_ax.plot(g["x"], [0] * len(g["x"]), "|", color=BLACK, ms=12)
    gauss_ax.set(xlabel="mean (strokes: the five numbers)", ylabel="density")
    edges = np.array(content["central_limit"]["edges"])
    for i, (row, color) in enumerate(zip(content["central_limit"]["rows"], (SKY, ORANGE, BLUE), strict=True)):
        clt_ax.stairs(row["density"], edges, color=color)
        clt_ax.text(0.55, 0.92 - 0.1 * i, f"n = {row['n']}", color=color, transform=clt_ax.transAxes)
    z = np.linspace(-3, 5, 200)
    clt_ax.plot(z, np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi), color=GREY, ls="--")
    clt_ax.set(xlabel="standardized mean of n numbers", ylabel="density (dashes: Gaussian)")
    return fig


def descent(content: dict) -> Figure:
    """A convex valley, a double well, batches of rows, and principal components in the plane."""
    steps = {name: content["valley"][name]["steps"] for name in ("descent", "momentum")}
    fig = figure(f"Momentum crosses a narrow valley in {steps['momentum']} steps, plain descent in {steps['descent']}; "
                 "without convexity the start decides", (9, 5))  # fmt: skip
    (valley_ax, well_ax), (rows_ax, plane_ax) = fig.subplots(2, 2)
    x, y = np.meshgrid(np.linspace(-0.5, 1.1, 80), np.linspace(-2, 2, 80))
    valley_ax.contour(
        x, y, (x**2 + 100 * y**2) / 2, levels=np.array([1, 10, 50, 150]), colors="#DDDDDD", linewidths=0.7
    )
    for i, (name, color) in enumerate((("descent", VERMILION), ("momentum", BLUE))):
        path = np.array(content["valley"][name]["path"])
        valley_ax.plot(*path.T, ".-", color=color, lw=0.8, ms=3)
        valley_ax.text(0.02, 0.9 - 0.1 * i, f"{name}, first {len(path) - 1} steps", color=color,
                       transform=valley_ax.transAxes)  # fmt: skip
    valley_ax.set(xlabel="x", ylabel="y  (curvature 100 times that of x)")
    w = np.linspace(-1.4, 1.4, 200)
    height = lambda w: (w**2 - 1) ** 2 + w / 4  # noqa: E731
    well_ax.plot(w, height(w), color=GREY)
    for path, color in zip(content["double_well"]["paths"], (BLUE, VERMILION), strict=True):
        well_ax.plot(path, height(np.array(path)), ".", color=color, ms=5)
        well_ax.annotate(
            f"start {path[0]}", (path[0], height(path[0])), (0, 8), textcoords="offset points", color=color
        )
    well_ax.set(xlabel="x", ylabel="a function that is not convex")
    for i, ((name, values), color) in enumerate(zip(content["rows"].items(), (GREY, BLUE, VERMILION), strict=True)):
        rows_ax.semilogy(np.maximum(values, 1e-12), color=color)
        rows_ax.text(0.55, 0.92 - 0.1 * i, name, color=color, transform=rows_ax.transAxes)
    rows_ax.set(xlabel="epochs, the same step length", ylabel="loss above the minimum")
    plane = content["plane"]
    plane_ax.plot(*np.array(plane["points"]).T, ".", color=GREY, ms=4)
    for component, variance, color in zip(plane["components"], plane["variance"], (BLUE, VERMILION), strict=True):
        arrow = 2 * np.sqrt(variance) * np.array(component) * np.sign(component[0])
        end = np.array(plane["mean"]) + arrow
        plane_ax.annotate("", end, plane["mean"], arrowprops={"arrowstyle": "->", "color": color, "lw": 2})
        plane_ax.text(*end, f" variance {variance:.2f}", color=color)
    plane_ax.set(xlabel="principal components: two deviations long", aspect="equal")
    return fig
