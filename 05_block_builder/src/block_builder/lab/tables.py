"""One table for each section, for the terminal, README and REPORT. Without a section, of the committed one."""

from statistics import median

from .bench import PEERS, flops
from .break_it import EXPERIMENTS
from .markdown import goals, meta_line, section, spread, table


def summary() -> str:
    """The README's table: at most six rows."""
    head, race = section("headline"), section("bench")
    init, runs, conv = head["initialization"], head["training"]["runs"], head["convolution"]
    ratios = {peer: [r for row in speed(race).values() for r in [row[peer]]] for peer in PEERS}
    rows = [
        ("", "ours", "theory, limit or peer"),
        *[
            (f"slope of the last gradient against depth, {name}", spread(init[f"{name}, normal"]["slopes"]), theory)
            for name, theory in (("Pre-LN", "-0.5 (theory)"), ("Post-LN", "0 (theory)"))
        ],
        (
            f"loss of {head['training']['layers']} blocks after {head['training']['steps']} steps, Pre-LN and Post-LN",
            f"{spread(runs['Pre-LN']['unseen'])} and {spread(runs['Post-LN']['unseen'])}",
            f"{head['training']['unigram']:.2f} (counting characters)",
        ),
        (
            f"accuracy of {conv['depths'][-1]} convolutions, with and without skips",
            f"{spread(conv['residual']['accuracy'][-1])} and {spread(conv['plain']['accuracy'][-1])}",
            "0.10 (guessing)",
        ),
        *[(f"speed, times {peer}, T = 128 to 1,024", spread(values), "1.00 (peer)") for peer, values in ratios.items()],
    ]
    return f"{table(rows)}\n\n{meta_line(head)}\n"


def headline(content: dict | None = None) -> str:
    """Gradients, losses and accuracies."""
    content = content or section("headline")
    init = content["initialization"]
    kinds = [name for name in init if name != "depths"]
    rows = [("blocks", *kinds)]
    for i, depth in enumerate(init["depths"]):
        rows.append((depth, *(spread(init[name]["gradients"][i], 3) for name in kinds)))
    rows.append(("slope", *(spread(init[name]["slopes"]) for name in kinds)))
    train = content["training"]
    losses = [("blocks", "loss on unseen text, nats")]
    losses += [(name, spread(run["unseen"], 3)) for name, run in train["runs"].items()]
    losses.append(("counting characters", f"{train['unigram']:.3f}"))
    conv = content["convolution"]
    nets = [("convolutions", *(f"{kind}, {what}" for kind in ("residual", "plain") for what in ("accuracy", "loss")))]
    for i, depth in enumerate(conv["depths"]):
        cells = [spread(conv[k][w][i], 3) for k in ("residual", "plain") for w in ("accuracy", "loss")]
        nets.append((depth, *cells))
    return "\n\n".join([table(rows), table(losses), table(nets), meta_line(content)]) + "\n"


def speed(content: dict) -> dict[str, dict[str, float]]:
    """{length: {peer: how many times faster our fast block is}}, of medians."""
    found = {}
    for T, row in content["lengths"].items():
        ours = median(row["ms"]["ours, fast"])
        found[T] = {peer: median(row["ms"][peer]) / ours for peer in PEERS}
    return found


def bench(content: dict | None = None) -> str:
    """Milliseconds and the share of the roof, then the goals."""
    content = content or section("bench")
    names = list(next(iter(content["lengths"].values()))["ms"])
    rows = [("T", *(f"{name}, ms" for name in names), "ours, share of the matrix product's speed")]
    for T, row in content["lengths"].items():
        rate = flops(int(T)) / median(row["ms"]["ours, fast"]) / 1e6
        rows.append((T, *(spread(row["ms"][name]) for name in names), f"{rate / content['roof']:.0%}"))
    wanted = [
        (f"{peer}, T = {T}", 1.0, ratio, "times its speed, forward and backward")
        for T, row in speed(content).items()
        for peer, ratio in row.items()
    ]
    return f"{table(rows)}\n\n{goals(wanted)}\n\n{meta_line(content)}\n"


def predictions() -> str:
    """What to predict."""
    return table([("experiment", "predict"), *((e.title, e.predict) for e in EXPERIMENTS)]) + "\n"


def break_it(content: dict | None = None) -> str:
    """What each mistake did."""
    content = content or section("break_it")
    rows = [("experiment", "what happens", "measured")]
    for e in EXPERIMENTS:
        if e.name in content["outcomes"]:
            measured = "; ".join(f"{key}: {value:,.4g}" for key, value in content["outcomes"][e.name].items())
            rows.append((e.title, e.answer, measured))
    return f"{table(rows)}\n\n{meta_line(content)}\n"


def architectures(content: dict | None = None) -> str:
    """Three models and their scores."""
    content = content or section("architectures")
    rows = [("architecture", "task", "parameters", "score", "CPU seconds")]
    for name, m in content["models"].items():
        cells = (f"{m['parameters']:,}", spread(m["score"], 3), spread(m["seconds"], 1))
        rows.append((name, m["task"], *cells))
    return f"{table(rows)}\n\n{meta_line(content)}\n"


def convolutions(content: dict | None = None) -> str:
    """Four networks under equal conditions."""
    content = content or section("convolutions")
    rows = [(f"network, {content['epochs']} epochs of {content['train']:,} {content['images']}", "parameters",
             "accuracy", "loss after the first epoch", "after the last", "CPU seconds")]  # fmt: skip
    for name, net in content["nets"].items():
        first, last = ([curve[i] for curve in net["curves"]] for i in (0, -1))
        cells = (spread(net["accuracy"], 3), spread(first), spread(last, 3), spread(net["seconds"], 1))
        rows.append((name, f"{net['parameters']:,}", *cells))
    return f"{table(rows)}\n\n{meta_line(content)}\n"


def stream(content: dict | None = None) -> str:
    """Every third layer of the real model, in numbers."""
    content = content or section("stream")
    rows = [("block", "norm before it, first token", "norm, other tokens", "size of what it adds", "its cosine",
             "loss if the head reads here", "loss without it", "loss with it and the next exchanged")]  # fmt: skip
    count = len(content["without"])
    for i in range(count):
        swapped = f"{content['swapped'][i]:.2f}" if i < len(content["swapped"]) else ""
        rows.append((i, f"{content['first token'][i]:,.0f}", f"{content['other tokens'][i]:.0f}",
                     f"{content['relative size'][i]:.2f}", f"{content['cosine'][i]:+.2f}",
                     f"{content['early loss'][i]:.2f}", f"{content['without'][i]:.2f}", swapped))  # fmt: skip
    whole = f"The whole model: {content['loss']:.3f} nats, on {content['windows']} × {content['length']} tokens."
    return f"{table(rows)}\n\n{whole}\n\n{meta_line(content)}\n"
