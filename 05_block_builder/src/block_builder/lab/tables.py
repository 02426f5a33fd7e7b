"""One table for each section, for the terminal, README and REPORT. Without a section, of the committed one."""

from statistics import median

from .bench import PEERS, flops
from .break_it import EXPERIMENTS
from .markdown import goals, meta_line, section, spread, table


def summary() -> str:
    """The README's table: at most six rows."""
    head, race = section("headline"), section("bench")
    init, conv = head["initialization"], head["convolution"]
    ratios = {peer: [row[peer] for row in speed(race).values()] for peer in PEERS}
    stuck = {name: stuck_runs(head["training"], name) for name in ("Pre-LN", "Post-LN")}
    depths = ", ".join(map(str, head["training"]["depths"]))
    rows = [
        ("", "ours", "theory, limit or peer"),
        *[
            (f"slope of the last gradient against depth, {name}", spread(init[f"{name}, normal"]["slopes"]), theory)
            for name, theory in (("Pre-LN", "-0.5 (theory)"), ("Post-LN", "0 (theory)"))
        ],
        (
            f"runs of {depths} blocks that learned only to count characters",
            "; ".join(f"{name} {sum(map(sum, rows))} of {sum(map(len, rows))}" for name, rows in stuck.items()),
            f"{head['training']['unigram']:.2f} nats (counting characters)",
        ),
        (
            f"accuracy of {conv['depths'][-1]} convolutions, with and without skips",
            f"{spread(conv['residual']['accuracy'][-1])} and {spread(conv['plain']['accuracy'][-1])}",
            "0.10 (guessing)",
        ),
        *[(f"speed, times {peer}, T = 128 to 1,024", spread(values), "1.00 (peer)") for peer, values in ratios.items()],
    ]
    return f"{table(rows)}\n\n{meta_line(head)}\n"


def stuck_runs(training: dict, name: str) -> list[list[bool]]:
    """For each depth and seed: is the loss within 0.15 nats of counting characters, or above it?"""
    return [[loss > training["unigram"] - 0.15 for loss in losses] for losses in training["runs"][name]["unseen"]]


def headline(content: dict | None = None) -> str:
    """Gradients, losses and accuracies."""
    content = content or section("headline")
    init = content["initialization"]
    kinds = [name for name in init if name != "depths"]
    rows = [("blocks", *kinds)]
    for i, depth in enumerate(init["depths"]):
        rows.append((depth, *(spread(init[name]["gradients"][i], 3) for name in kinds)))
    rows.append(("slope", *(spread(init[name]["slopes"]) for name in kinds)))
    rows.append(("slope, positions apart", *(spread(init[name]["slopes of positions"]) for name in kinds)))
    for i in (0, -1):
        likeness = (spread(init[name]["likeness"][i]) for name in kinds)
        rows.append((f"cosine of positions, {init['depths'][i]} blocks", *likeness))
    train = content["training"]
    losses = [("blocks", "norm", *(f"seed {seed}" for seed in content.get("meta", {}).get("seeds", [])), "stuck")]
    for i, depth in enumerate(train["depths"]):
        for name, run in train["runs"].items():
            stuck = stuck_runs(train, name)[i]
            numbers = [f"{loss:.3f}" for loss in run["unseen"][i]]
            losses.append((depth, name, *numbers, f"{sum(stuck)} of {len(stuck)}"))
    conv = content["convolution"]
    nets = [("convolutions", *(f"{kind}, {what}" for kind in ("residual", "plain") for what in ("accuracy", "loss")))]
    for i, depth in enumerate(conv["depths"]):
        cells = [spread(conv[k][w][i], 3) for k in ("residual", "plain") for w in ("accuracy", "loss")]
        nets.append((depth, *cells))
    words = f"Loss on unseen text after {train['steps']} steps, in nats. Counting characters: {train['unigram']:.3f}."
    return "\n\n".join([table(rows), words, table(losses), table(nets), meta_line(content)]) + "\n"


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
            measured = "; ".join(f"{key}: {brief(values)}" for key, values in content["outcomes"][e.name].items())
            rows.append((e.title, e.answer, measured))
    return f"{table(rows)}\n\n{meta_line(content)}\n"


def brief(values: list[int | float]) -> str:
    """Whole numbers as they are when all are equal, others as median and range."""
    if len(set(values)) == 1 and isinstance(values[0], int):
        return f"{values[0]:,}"
    return spread(values, 2) if len(set(values)) > 1 else f"{values[0]:.2f}"


def signal(content: dict | None = None) -> str:
    """Stream and gradient of six kinds of deep stack, and what they learn."""
    content = content or section("signal")
    rows = [("blocks of", "stream, last over first", "gradient, first over last", "stream after training",
             "gradient after training", "loss")]  # fmt: skip
    for name, kind in content["kinds"].items():
        cells = []
        for when in ("before", "after"):
            cells.append(ratios([one["stream"][-1] / one["stream"][0] for one in kind[when]]))
            cells.append(ratios([one["stream gradient"][0] / one["stream gradient"][-1] for one in kind[when]]))
        rows.append((name, *cells, spread(kind["unseen"], 3)))
    words = f"{content['layers']} blocks, {content['steps']} steps. Counting characters: {content['unigram']:.3f} nats."
    return f"{table(rows)}\n\n{words}\n\n{meta_line(content)}\n"


def ratios(values: list[float]) -> str:
    """Median and range in two digits, of numbers that may be of very different sizes."""
    return f"{median(values):.2g} ({min(values):.2g}–{max(values):.2g})"


def graph(content: dict | None = None) -> str:
    """The size of the graph of each block, the way of the stream, and the first steps back as text."""
    content = content or section("graph")
    rows = [("block", "operations and parameters", "the shortest way from the output to the input")]
    for name, block in content["blocks"].items():
        rows.append((name, block["operations"], ", ".join(block["path"])))
    text = next(iter(content["blocks"].values()))["text"]
    return f"{table(rows)}\n\n```text\n{text}\n```\n\n{meta_line(content)}\n"


def architectures(content: dict | None = None) -> str:
    """Three models and their scores."""
    content = content or section("architectures")
    rows = [("architecture", "task", "parameters", "score", "CPU seconds")]
    for name, m in content["models"].items():
        cells = (f"{m['parameters']:,}", spread(m["score"], 3), spread(m["seconds"], 1))
        rows.append((name, m["task"], *cells))
    return f"{table(rows)}\n\n{meta_line(content)}\n"


def image_set(content: dict) -> str:
    """The name of the images as one writes it."""
    return {"mnist": "MNIST", "cifar10": "CIFAR-10"}.get(content["images"], content["images"])


def convolutions(content: dict | None = None, name: str = "convolutions") -> str:
    """Four networks under equal conditions."""
    content = content or section(name)
    data = f"{content['epochs']} epochs of {content['train']:,} images of {image_set(content)}"
    rows = [(f"network, {data}", "parameters", "accuracy",
             "loss after the first epoch", "after the last", "CPU seconds")]  # fmt: skip
    for name, net in content["nets"].items():
        first, last = ([curve[i] for curve in net["curves"]] for i in (0, -1))
        cells = (spread(net["accuracy"], 3), spread(first), spread(last, 3), spread(net["seconds"], 1))
        rows.append((name, f"{net['parameters']:,}", *cells))
    return f"{table(rows)}\n\n{meta_line(content)}\n"


def stream(content: dict | None = None) -> str:
    """Every block of the real model, in numbers."""
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
