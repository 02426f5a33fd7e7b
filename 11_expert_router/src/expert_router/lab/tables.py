"""One table for each section, for the terminal, README and REPORT. Without a section, of the committed one."""

import math
from statistics import median

from .bench import BF16, GOALS, GROUPED, PEER
from .experiment import BIAS, DENSE, NONE, PAPER, SHAZEER, SWITCH, shazeer_name
from .markdown import goals, meta_line, section, spread, table
from .parallel import LAYERS


def summary() -> str:
    """The README's table: at most six rows."""
    head, race, two = section("headline"), section("bench"), section("parallel")
    runs, teacher, ratios = head["collapse"]["runs"], head["teacher"], race["ratios"]
    dense, moe, large = (spread(values, 4) for values in teacher.values())
    bytes_, slower = two["bytes"], 1 / ratios["of the dense floor"]
    even = f"{spread(runs[SWITCH]['max/mean'])}; {spread(runs[BIAS]['max/mean'])}"
    sent = [f"{bytes_[name] / 1e6:.2f}" for name in ("measured", "formula")]
    rows = [
        ("", "ours", "peer or limit"),
        ("busiest expert / mean, no balance", spread(runs[NONE]["max/mean"]), "4 at most"),
        ("the same with Switch's loss; with a bias", even, "1 at least"),
        ("error on a teacher of 8 clusters", moe, f"{dense} (dense, equal FLOPs), {large} (dense, 8×)"),
        (
            "ms, 2,048 tokens to 2 of 8 experts",
            spread(race["milliseconds"][GROUPED], 1),
            f"ours takes {slower:.2f}× the time of one dense layer on as many rows",
        ),
        (f"times {PEER}, router included", f"{ratios[f'times {PEER}']:.2f}", "1"),
        ("MB between two processes", sent[0], f"{sent[1]} by the formula"),
    ]
    return f"{table(rows)}\n\n{meta_line(race)}\n"


def headline(content: dict | None = None) -> str:
    """The load, Shazeer's table beside ours, and where experts win."""
    content = content or section("headline")
    parts = (load(content["collapse"]), shazeer(content["collapse"]), winners(content), meta_line(content))
    return "\n\n".join(parts) + "\n"


def load(c: dict) -> str:
    """How even the load is on unseen text, without noise."""
    rows = [("balance", "CV(load)", "busiest / mean", "dead experts of 8", "loss, nats a byte")]
    for name, run in c["runs"].items():
        if name != DENSE:
            dead = spread(run["dead"], 1)
            rows.append((name, spread(run["CV(load)"]), spread(run["max/mean"]), dead, spread(run["loss"], 3)))
    return table(rows)


def shazeer(c: dict) -> str:
    """Table 6 of Shazeer et al. 2017 beside ours: perplexity of words there, of bytes here."""
    head = ("weights of importance, load", "paper: perplexity", "CV(imp.)", "CV(load)", "max/mean")
    rows = [(*head, "ours: perplexity", "CV(imp.)", "CV(load)", "max/mean")]
    for pair in SHAZEER:
        run, (perplexity, *paper) = c["runs"][shazeer_name(*pair)], PAPER[pair]
        ours = [f"{median(run[key]):.2f}" for key in ("CV(importance)", "CV(load)", "max/mean")]
        cells = [f"{perplexity:g}", *(f"{value:.2f}" for value in paper)]
        rows.append((f"{pair[0]:g}, {pair[1]:g}", *cells, f"{math.exp(median(run['loss'])):.1f}", *ours))
    return table(rows)


def winners(content: dict) -> str:
    """Errors on the teacher; the language model's losses at equal FLOPs."""
    rows = [("a teacher of 8 clusters", "error / variance")]
    rows += [(name, spread(values, 4)) for name, values in content["teacher"].items()]
    runs = content["collapse"]["runs"]
    text = [("language model", "loss, nats a byte")]
    text += [(name, spread(runs[name]["loss"], 3)) for name in (DENSE, NONE, SWITCH, BIAS)]
    return f"{table(rows)}\n\n{table(text)}"


def sentence(content: dict | None = None) -> str:
    """The measured gain, and where there is none."""
    content = content or section("headline")
    dense, moe, _ = content["teacher"].values()
    gains = [d / m for d, m in zip(dense, moe, strict=True)]
    runs, steps = content["collapse"]["runs"], content["collapse"]["steps"]
    losses = {name: spread(runs[name]["loss"], 3) for name in (DENSE, NONE, SWITCH)}
    return (
        f"On the teacher of clusters, the mixture's error is {min(gains):.0f} to {max(gains):.0f} times smaller than "
        f"that of the dense layer with equal FLOPs. On text, after {steps} steps, the dense model has a loss of "
        f"{losses[DENSE]} nats, the balanced mixture {losses[SWITCH]}, and the collapsed one {losses[NONE]}."
    )


def bench(content: dict | None = None) -> str:
    """Milliseconds, ratios and goals."""
    content = content or section("bench")
    rows = [("", "ms", "GFLOP/s of the experts")]
    for name, times in content["milliseconds"].items():
        rows.append((name, spread(times, 1), f"{content['flops'] / median(times) / 1e6:.0f}"))
    wanted = [(name, GOALS[name], content["ratios"][name], "") for name in GOALS]
    other = (
        f"The grouped product is {content['ratios']['times the bf16 loop, bf16 grouped product']:.2f} times as fast "
    )
    other += f"as a loop in bf16; its error is {content['errors'][BF16]:.1e} of the largest output."
    other += f" {PEER} agrees with ours to {content['errors'][PEER]:.0e}."
    return f"{table(rows)}\n\n{other}\n\n{goals(wanted)}\n\n{meta_line(content)}\n"


def parallel(content: dict | None = None) -> str:
    """Bytes, the calibrated machine, and the plans."""
    c = content or section("parallel")
    b, m = c["bytes"], c["machine"]
    rows = [("two processes", "")]
    rows.append(("largest difference from one process, float64", f"{c['difference']:.0e}"))
    rows.append(("bytes, 4 exchanges, both processes", f"{b['measured']:,}"))
    rows.append(("bytes of the rows whose expert is elsewhere", f"{b['rows that travel']:,}"))
    rows.append(("bytes by the formula, even load", f"{b['formula']:,.0f}"))
    rows.append(("latency", f"{1e6 * m['latency']:.0f} µs"))
    rows.append(("bandwidth", f"{m['bandwidth'] / 1e9:.2f} GB/s"))
    rows.append(("experts' speed", f"{m['flops'] / 1e9:.0f} GFLOP/s"))
    expected = sum(c["predicted"].values())
    rows.append(("a step, forward and backward", f"{spread([1e3 * s for s in c['step']], 1)} ms"))
    rows.append(("the same by the model", f"{1e3 * expected:.1f} ms"))
    return f"{table(rows)}\n\n{plans(c)}\n\n{meta_line(c)}\n"


def plans(c: dict) -> str:
    """The paper plan: one layer on 8 and 64 devices."""
    head = ("machine", "layer", "devices", "experts a device", "weights, GB", "GB sent", "compute, ms", "exchange, ms")
    rows = [(*head, "communication")]
    for p in c["plans"]:
        cells = (f"{p['weight_bytes'] / 1e9:.2f}", f"{p['bytes_sent'] / 1e9:.2f}")
        times = (f"{1e3 * p['compute_seconds']:,.0f}", f"{1e3 * p['exchange_seconds']:,.1f}")
        of = (p["machine"], p["layer"], p["devices"], p["experts_per_device"])
        rows.append((*of, *cells, *times, f"{p['communication']:.0%}"))
    sizes = "; ".join(
        f"{name}: {s['k']} of {s['num_experts']} experts of {s['d_model']:,} × {s['ffn']:,}"
        for name, s in LAYERS.items()
    )
    return f"{table(rows)}\n\n<sub>{sizes}. 4,096 tokens a device, forward and backward, nothing overlaps.</sub>"


def quests(content: dict | None = None) -> str:
    """Upcycling, and the leak of expert choice."""
    c = content or section("quests")
    rows = [("", "loss at step 0", f"after {c['steps']} steps more")]
    rows += [(name, spread(v["0"], 3), spread(v["after"], 3)) for name, v in c["upcycling"].items()]
    leak = [("expert choice: capacity", "past tokens whose experts the future changes")]
    leak += [(name, f"{100 * median(values):.0f}%") for name, values in c["leak"].items()]
    parts = (table(rows), table(leak), layouts(c), stability(c), meta_line(c))
    return "\n\n".join(part.strip() for part in parts) + "\n"


def layouts(content: dict | None = None) -> str:
    """Hybrids of dense and MoE blocks."""
    c = content or section("quests")
    rows = [("blocks", "parameters", "used by a token", f"loss after {c['steps']} steps")]
    rows += [(name, f"{v['parameters']:,}", f"{v['used']:,}", spread(v["loss"], 3)) for name, v in c["layouts"].items()]
    return f"{table(rows)}\n"


def stability(content: dict | None = None) -> str:
    """What the z-loss does to the router's logits."""
    c = content or section("quests")
    rows = [("weight of the z-loss", "largest logit", "mean logsumexp²", "loss")]
    for name, v in c["stability"].items():
        rows.append((name, spread(v["largest logit"], 1), spread(v["mean logsumexp squared"]), spread(v["loss"], 3)))
    return f"{table(rows)}\n"


def break_it(content: dict | None = None) -> str:
    """What happened in the five experiments."""
    c = content or section("break_it")
    weights, gates = c["balance weights"], c["normalized"]
    hot, equal = c["hot expert"], c["equal experts"]
    losses = {name: f"busiest / mean {run['max/mean']:.2f}, loss {run['loss']:.2f}" for name, run in weights.items()}
    rows = [("experiment", "what happens")]
    rows.append(("no balance loss", f"{losses['0']}; with weight 0.01: {losses['0.01']}"))
    rows.append(("k = 1, gate always 1", f"The router moves by {gates['always 1']['router moved']:.0e}, loss "
                 f"{gates['always 1']['loss']:.2f}; as it is: by {gates['as it is']['router moved']:.2f}, loss "
                 f"{gates['as it is']['loss']:.2f}"))  # fmt: skip
    rows.append(("capacity 1.0 with a hot expert", "; ".join(
        f"{name}: busiest / mean {run['max/mean']:.1f}, dropped "
        + ", ".join(f"{share:.0%} at {factor}" for factor, share in run["dropped"].items())
        for name, run in hot.items())))  # fmt: skip
    rows.append(("all experts equal at the start", "; ".join(
        f"{name}: they differ by {value:.1g}" for name, value in equal.items())))  # fmt: skip
    rows.append(("balance weight 10", losses["10"]))
    note = f"Each model is trained for {c['steps']} steps, with one seed."
    return f"{table(rows)}\n\n{note}\n\n{meta_line(c)}\n"
