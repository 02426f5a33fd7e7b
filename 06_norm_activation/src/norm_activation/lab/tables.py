"""One table for each section, for the terminal, README and REPORT. Without a section, of the committed one."""

import math
from statistics import fmean, median

from .markdown import goals, meta_line, section, spread, table


def _named(content: dict | None, name: str) -> dict:
    return content or section(name)


def headline(content: dict | None = None) -> str:
    """Loss, leak and loss with a batch of one, by variant; the differences with intervals."""
    content = _named(content, "headline")
    rows = [
        ("variant", "validation loss, nats", "batch of one, training mode", "earlier logits moved by the last token")
    ]
    for name, run in content["runs"].items():
        rows.append((name, spread(run["loss"], 3), spread(run["one"], 3), spread(run["leak"], 3)))
    weights = next(iter(content["runs"].values()))["weights"]
    lines = [table(rows), "", f"All variants have {weights:,} weights in their matrices; {content['steps']} steps.", ""]
    return "\n".join([*lines, differences(content), "", meta_line(content), ""])


def differences(content: dict) -> str:
    rows = [("difference in loss, paired by seed", "mean", "95 % interval", "by seed")]
    for name, found in content["differences"].items():
        values = found["values"]
        interval = f"{found['low']:+.3f} to {found['high']:+.3f}" if "low" in found else "one seed"
        rows.append((name, f"{fmean(values):+.3f}", interval, ", ".join(f"{v:+.3f}" for v in values)))
    rows.append(("SwiGLU - GELU in Shazeer 2020", f"{content['paper']['gap']:+.3f}", "", "one run each"))
    return table(rows)


def short(content: dict | None = None) -> str:
    """README's table: ours, peer, limit."""
    top, timed, real = section("headline"), section("bench"), section("smollm2")
    ratio, limit = timed["ratios"], timed["limit"]
    runs, found = top["runs"], top["differences"]
    ours = median(timed["milliseconds"]["out of cache"]["RMSNorm, by hand"])
    rows = [
        ("what", "ours", "peer or paper", "limit"),
        ("BatchNorm: earlier logits moved by the last token", spread(runs["BatchNorm, GELU"]["leak"], 2),
         f"LayerNorm, RMSNorm {max(runs['LayerNorm, GELU']['leak'] + runs['RMSNorm, GELU']['leak']):.0f}", "0"),
        ("SwiGLU - GELU at equal weights, nats", f"{fmean(found['SwiGLU - GELU']['values']):+.3f}",
         f"{top['paper']['gap']:+.3f} (Shazeer 2020)", ""),
        ("RMSNorm - LayerNorm, nats", f"{fmean(found['RMSNorm - LayerNorm']['values']):+.3f}", "0 (the claim)", ""),
        ("RMSNorm by hand, 4096 × 768, forward and backward", f"{ours:.1f} ms",
         f"`F.rms_norm` takes {median(ratio['RMSNorm, by hand, out of cache']):.2f}× as long", f"{limit:.1f} ms"),
        ("SmolLM2's loss with our layers", f"{real['ours']['loss']:.4f}", f"{real['base']:.4f}", "equal"),
    ]  # fmt: skip
    return table(rows) + "\n"


def bench(content: dict | None = None) -> str:
    """CPU milliseconds, ratios, goals."""
    content = _named(content, "bench")
    names = list(content["milliseconds"])
    shapes = {name: " × ".join(map(str, content["shapes"][name])) for name in names}
    head = ("forward and backward, CPU ms", *(f"{shapes[n]}, {n}" for n in names), "largest relative error")
    rows = [head]
    for contender in content["milliseconds"][names[0]]:
        times = (spread(content["milliseconds"][n][contender], 2) for n in names)
        rows.append((contender, *times, f"{max(content['errors'][n][contender] for n in names):.0e}"))
    limit = f"limit: five passes at {content['bandwidth']:.1f} GiB/s"
    rows.append((limit, f"{content['limit']:.2f}", *[""] * (len(names) - 1), ""))
    ratio = content["ratios"]
    rms, layer = (median(ratio[f"{name}, by hand, out of cache"]) for name in ("RMSNorm", "LayerNorm"))
    reached = goals(
        [
            ("F.rms_norm ÷ RMSNorm by hand, 4096 × 768", 1.8, rms, "one node, blocks of 256 rows"),
            (
                "F.layer_norm ÷ LayerNorm by hand, 4096 × 768",
                0.5,
                layer,
                "17 sweeps over the cache beside one fused kernel",
            ),
        ]
    )
    return f"{table(rows)}\n\n{reached}\n\n{meta_line(content)}\n"


def break_it(content: dict | None = None) -> str:
    """Every outcome by seed."""
    content = _named(content, "break_it")
    rows = [("experiment", "what is measured", "outcome")]
    for name, found in content.items():
        if isinstance(found, dict) and name != "meta":
            for what, values in found.items():
                digits = 0 if all(float(v).is_integer() for v in values) and "accuracy" not in what else 2
                text = f"{median(values):.0e}" if 0 < max(values) < 0.02 else spread(values, digits)
                rows.append((name, what, text))
    return f"{table(rows)}\n\n{meta_line(content)}\n"


def dynamics(content: dict | None = None) -> str:
    """The last layer's signal over the first's, and the first layer's gradient over the last's."""
    content = _named(content, "dynamics")
    rows = [
        (
            "24 layers: activation, init, norm",
            "signal, last ÷ first",
            "gradient, first ÷ last",
            "dead units, last layer",
        )
    ]
    for name, found in content["by layer"].items():
        signal = [s[-1] / s[0] if s[0] else 0.0 for s in found["signal"]]
        gradient = [g[0] / g[-1] if g[-1] else 0.0 for g in found["gradient"]]
        rows.append((name, f"{median(signal):.1e}", f"{median(gradient):.1e}", f"{median(found['dead']):.0%}"))
    alike = [("mean of x, in standard deviations", *content["gradients"])]
    alike.append(
        ("cosine of LayerNorm's dx and RMSNorm's", *(f"{median(v):.4f}" for v in content["gradients"].values()))
    )
    return f"{table(rows)}\n\n{table(alike)}\n\n{meta_line(content)}\n"


def framework(content: dict | None = None) -> str:
    """Beside PyTorch; optimizers; sensitivity."""
    content = _named(content, "framework")
    curves = content["curves"]
    first = [("Adam, same weights, same batches, float64", "ours", "PyTorch")]
    first.append(("loss of the last step", *(f"{curves['losses'][n][-1]:.6f}" for n in ("ours", "PyTorch"))))
    first.append(("accuracy on unseen images", *(f"{curves['accuracy'][n]:.2%}" for n in ("ours", "PyTorch"))))
    first.append(("CPU seconds", *(f"{curves['CPU seconds'][n]:.2f}" for n in ("ours", "PyTorch"))))
    first.append(
        (f"largest difference of {len(curves['losses']['ours'])} losses", f"{curves['largest difference']:.0e}", "")
    )
    second = [("optimizer", "accuracy on unseen images", "training loss, last epoch")]
    for name, runs in content["optimizers"].items():
        second.append((name, spread([100 * r["test_accuracy"][-1] for r in runs], 1, "%"),
                       spread([r["training_loss"][-1] for r in runs], 4)))  # fmt: skip
    parts = [table(first), table(second)]
    if "rates" in content:
        parts += sensitivity(content)
    return "\n\n".join([*parts, meta_line(content)]) + "\n"


def sensitivity(content: dict) -> list[str]:
    rows = [("accuracy by learning rate", "1e-4", "1e-3", "1e-2", "1e-1", "1")]
    rows += [(name, *(f"{100 * median(v):.0f} %" for v in values)) for name, values in content["rates"].items()]
    others = [("setting", "value", "accuracy")]
    for name in ("batch sizes", "hidden widths", "losses", "dropout"):
        others += [(name, value, spread([100 * v for v in found], 1, "%")) for value, found in content[name].items()]
    return [table(rows), table(others)]


def laboratory(content: dict | None = None) -> str:
    """Main effects with intervals and corrected p values; the recipe on fresh seeds."""
    content = _named(content, "laboratory")
    rows = [("factor", "value", "against", "accuracy, points", "95 % interval", "p, Holm", "p, sign flips", "real?")]
    for row in content["effects"]:
        interval = f"{100 * row['low']:+.2f} to {100 * row['high']:+.2f}"
        verdict = ("better" if row["mean"] > 0 else "worse") if row["holm p"] < 0.05 else "not shown"
        rows.append((row["factor"], row["value"], row["against"], f"{100 * row['mean']:+.2f}", interval,
                     f"{row['holm p']:.3f}", f"{row['sign flip p']:.3f}", verdict))  # fmt: skip
    return f"{table(rows)}\n\n{recipe(content)}\n\n{meta_line(content)}\n"


def recipe(content: dict) -> str:
    found = content["recipe"]
    best = found["best"]
    words = ", ".join(f"{k} {best[k]}" for k in ("norm", "optimizer", "schedule", "regularizer"))
    scores = {name: spread([100 * s for s in values], 1, "%") for name, values in found["scores"].items()}
    return (
        f"The recipe that comes out of it, chosen on the choosing set and judged on fresh seeds: {words}. It reaches "
        f"{scores['best']}, the plain network {scores['base']}: {100 * found['mean']:+.1f} points "
        f"(95 % interval {100 * found['low']:+.1f} to {100 * found['high']:+.1f})."
    )


def nats(loss: float) -> str:
    return "NaN: it overflows" if math.isnan(loss) else f"{loss:.4f}"


def cost(difference: float) -> str:
    """A difference in nats; what is below the fourth decimal is 0."""
    if math.isnan(difference):
        return ""
    return "0" if abs(difference) < 5e-5 else f"{difference:+.4f}" if abs(difference) < 0.1 else f"{difference:+.2f}"


def smollm2(content: dict | None = None) -> str:
    """What each exchange costs the real model."""
    content = _named(content, "smollm2")
    rows = [("SmolLM2-135M", "loss, nats a token", "cost")]
    losses = {"our RMSNorm and SwiGLU": content["ours"]["loss"], **content["costs"]}
    rows.append(("its own layers", f"{content['base']:.4f}", ""))
    rows += [(name, nats(loss), cost(loss - content["base"])) for name, loss in losses.items()]
    same = [("largest difference to the model's own", "")]
    same.append(("logits", f"{content['ours']['logits']:.0e}"))
    same += [(f"gradient of {n}, relative", f"{e:.0e}") for n, e in content["ours"]["gradients"].items()]
    return f"{table(rows)}\n\n{table(same)}\n\n{meta_line(content)}\n"


def work(content: dict | None = None) -> str:
    """Bytes moved by the plain norms."""
    content = _named(content, "headline")
    rows = [("plain form", "forward", "backward", "operations")]
    for name, label in (("layer", "LayerNorm"), ("rms", "RMSNorm")):
        found = content["bytes"][name]
        rows.append((label, f"{found['forward']:.1f}", f"{found['backward']:.1f}", found["operations"]))
    return table(rows) + "\n"


def xor() -> str:
    """The worked example, computed anew."""
    from ..framework import worked_example

    rows = [("number", "value")]
    for name, value in worked_example().items():
        flat = [value] if isinstance(value, float) else [v for v in value]
        flat = [v for row in flat for v in (row if isinstance(row, list) else [row])]
        rows.append((name, ", ".join(f"{v:.6f}" for v in flat)))
    return table(rows) + "\n"


def negative() -> str:
    """What the laboratory could not show, and what did harm, in sentences."""
    rows = section("laboratory")["effects"]
    worse = [r["value"] for r in rows if r["holm p"] < 0.05 and r["mean"] < 0]
    unclear = [r["value"] for r in rows if r["holm p"] >= 0.05]
    lines = []
    if worse:
        lines.append(f"- In the laboratory these choices did harm, beyond chance: {', '.join(worse)}.")
    if unclear:
        lines.append(f"- For these no difference was shown: {', '.join(unclear)}.")
    return "\n".join(lines) + "\n"


def trial(content: dict | None = None) -> str:
    """What the grader said of attempts by someone who knew README and workbook only: first, and after the repairs."""
    trials = _named(content, "trial")["trials"]
    kinds = list(trials[0]["wrong"]["first"])
    rows, said = [("wrong attempts", "number", *kinds)], []
    for name, each in zip(("first trial", "second trial"), trials, strict=True):
        for run in ("first", "last"):
            counts = each["wrong"][run]
            rows.append((f"{name}, {run} run", str(sum(counts.values())), *(str(counts[kind]) for kind in kinds)))
        right = each["right"]
        said.append(
            f"Of {right['attempts']} right attempts in other styles of the {name}, {right['first']} were RIGHT in its "
            f"first run and {right['last']} in its last. {each['date']}."
        )
    return f"{table(rows)}\n\n{' '.join(said)}\n"
