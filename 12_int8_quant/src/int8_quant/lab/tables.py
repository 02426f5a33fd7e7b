"""One table for each section, for the terminal, README and REPORT. Without a section, of the committed one."""

from statistics import median

from ..formats import ACCELERATORS, COLUMNS, FLOATS
from .bench import WANTED
from .markdown import goals, meta_line, section, spread, table


def _joined(*parts: str) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"


def summary() -> str:
    """The README's table: at most six rows."""
    h, real, race = section("headline"), section("smollm2"), section("bench")
    loud, methods, weights = h["injected"]["60"], real["methods"], real["weights"]
    layer, decode = race["layer"], race["decode"]
    rows = [
        ("", "ours", "peer or limit"),
        (
            "loss with injected outliers: absmax, LLM.int8, SmoothQuant",
            ", ".join(f"{median(loud[m]):.3f}" for m in ("absmax", "LLM.int8", "SmoothQuant, vector-wise")),
            f"{median(h['fp32']):.3f} (fp32)",
        ),
        (
            "SmolLM2, loss: absmax, vector-wise, LLM.int8",
            ", ".join(f"{methods[m]:.3f}" for m in ("absmax", "vector-wise", "LLM.int8")),
            f"{real['fp32']:.3f} (fp32)",
        ),
        (
            "SmolLM2, weights alone in 4 bits, groups of 64: GPTQ",
            f"{weights['4']['GPTQ']['64']:.3f}",
            f"{weights['4']['RTN']['64']:.3f} (rounding to nearest)",
        ),
        (
            f"GOP/s of a W8A8 layer of {layer['size']}, quantization included",
            f"{layer['gops']:.0f}",
            f"{layer['ratio']['_int_mm']:.2f}× `_int_mm`, {layer['ratio']['fp32']:.1f}× fp32",
        ),
        (
            "tokens/s, int8, SmolLM2's shape",
            spread(decode["tokens/s"]["ours, int8"], 1),
            f"{spread(decode['tokens/s']['generate'], 1)} (`generate`, fp32)",
        ),
    ]
    return _joined(table(rows), meta_line(race))


def headline(content: dict | None = None) -> str:
    """Both tables."""
    h = content or section("headline")
    rows = [("method", *(f"outliers × {factor}" for factor in h["injected"]))]
    rows.append(("fp32", *[spread(h["fp32"], 4)] * len(h["injected"])))
    rows += [
        (method, *(spread(h["injected"][factor][method], 4) for factor in h["injected"]))
        for method in next(iter(h["injected"].values()))
    ]
    weights = [("bits", "RTN", "GPTQ")]
    weights += [(bits, *(spread(losses, 3) for losses in row.values())) for bits, row in h["weights"].items()]
    note = (
        f"Loss in nats a byte on unseen text, after {h['steps']} steps of training. Below: weights alone, per channel."
    )
    return _joined(table(rows), note, table(weights), meta_line(h))


def smollm2(content: dict | None = None) -> str:
    """Dettmers' table, outliers, thresholds, weights alone."""
    r = content or section("smollm2")
    theirs = r["dettmers"]
    rows = [("method", "loss, nats a token", "above fp32", "perplexity of 13 billion weights (Dettmers)")]
    rows.append(("fp32", f"{r['fp32']:.3f}", "", theirs["fp32"]))
    rows += [(m, f"{loss:.3f}", f"{loss - r['fp32']:+.3f}", theirs.get(m, "")) for m, loss in r["methods"].items()]
    cut = [("threshold", "channels in floating point", "loss")]
    cut += [(t, f"{share:.2%}", f"{loss:.3f}") for t, (loss, share) in r["thresholds"].items()]
    layers = [("layer", "largest input", "its channel", "median over the channels")]
    layers += [(name, f"{largest:,.0f}", channel, f"{mid:.2f}") for name, largest, channel, mid in r["outliers"]]
    first = r["first token"]
    sentence = (
        f"`{first['layer']}`: the first token's largest input is {first['first']:,.0f}, that of all others "
        f"{first['others']:,.0f}; {first['channels above 6']} of its channels pass 6."
    )
    count, length, many = r["windows"]
    note = (
        f"{count} windows of {length - 1} predicted tokens; calibration on {many} others. The head stays in fp32. The "
        "threshold of infinity and vector-wise do the same sums in another order: what they differ by is noise."
    )
    weights = [("bits", "method", "per channel", "groups of 64")]
    weights += [
        (bits, name, *(f"{loss:.3f}" for loss in by.values()))
        for bits, names in r["weights"].items()
        for name, by in names.items()
    ]
    return _joined(table(rows), note, table(cut), table(layers), sentence, table(weights), meta_line(r))


def formats(content: dict | None = None) -> str:
    """Errors as a share of the numbers' size."""
    f = content or section("formats")
    kinds = list(next(iter(f["error"].values())))
    rows = [("way", *kinds, "ordinary numbers beside 1 % outliers")]
    for name, by in f["error"].items():
        rows.append((name, *(spread([100 * e for e in by[k]]) for k in kinds), _percent(f["ordinary"][name])))
    note = (
        "Root mean square error in per cent of the root mean square of the numbers. Outliers: 1 % of the numbers in a "
        "quarter of the rows are 50 times as large."
    )
    return _joined(table(rows), note, meta_line(f))


def _percent(values: list[float]) -> str:
    return spread([100 * v for v in values])


def number_formats() -> str:
    """What the floating-point formats are. Computed, not measured."""
    rows = [("format", "exponent bits", "mantissa bits", "largest", "smallest above zero", "numbers")]
    for form in FLOATS:
        count = 2**form.bits
        rows.append(
            (form.name, form.exponent, form.mantissa, f"{form.largest:.4g}", f"{form.smallest:.3g}", f"{count:,}")
        )
    return table(rows) + "\n"


def hardware() -> str:
    """Accelerators and the formats of their matrix units."""
    rows = [("accelerator", "year", *COLUMNS, "source")]
    rows += [(a.name, a.year, *("yes" if c in a.formats else "no" for c in COLUMNS), a.source) for a in ACCELERATORS]
    return table(rows) + "\n"


def mechanisms() -> str:
    """The methods side by side. Not measured."""
    rows = [
        ("method", "mechanism", "data and training", "bits: weights, activations", "what runs it fast"),
        ("LLM.int8", "outlier channels in 16 bits", "none", "8, 8 (outliers 16)", "int8 products, and a gather"),
        ("SmoothQuant", "activations ÷ s, weights × s", "a few hundred texts, no training", "8, 8", "int8 products"),
        ("GPTQ", "errors repaired by later columns", "a hundred texts, no training", "4 or 3, 16", "4-bit kernels"),
        ("AWQ", "loud channels scaled up first", "a few texts, no training", "4 or 3, 16", "4-bit kernels"),
        ("QLoRA", "frozen NF4 and 16-bit adapters", "training on the task", "4 + adapters, 16", "16-bit products"),
        ("QAT", "rounding inside of training", "training on all data", "8 to 2, 8 to 2", "int8 products"),
    ]  # fmt: skip
    return table(rows) + "\n"


def lenet(content: dict | None = None) -> str:
    """Accuracy by bits, and bytes."""
    n = content or section("lenet")
    bits = list(next(iter(n["accuracy"].values())))
    rows = [("", *(f"{b} bits" for b in bits))]
    rows.append(("fp32", *[_percent(n["fp32"])] * len(bits)))
    rows += [(kind, *(_percent(by[b]) for b in bits)) for kind, by in n["accuracy"].items()]
    rows.append(("KB, per channel", *(f"{n['bytes'][f'{b} channel'] / 1e3:.1f}" for b in bits)))
    note = (
        f"Accuracy in per cent on {n['data']}; weights in the bits of the column, activations in eight. In fp32 the "
        f"file takes {n['bytes']['32'] / 1e3:.1f} KB. {n['steps']} steps of training, {n['qat steps']} more for QAT."
    )
    return _joined(table(rows), note, meta_line(n))


def compress(content: dict | None = None) -> str:
    """Curves of pruning, tickets and distillation."""
    c = content or section("compress")
    shares = list(next(iter(c["pruned"].values())))
    rows = [("pruned", *(f"{float(s):.0%}" for s in shares))]
    rows += [(kind, *(_percent(by[s]) for s in shares)) for kind, by in c["pruned"].items()]
    for kind, by in c["lottery"].items():
        rows.append((f"lottery: {kind}", *(_percent(by[s]) if s in by else "" for s in shares)))
    told = [("student of 16 hidden units, 150 images", "accuracy")]
    told += [(name, _percent(values)) for name, values in c["distilled"].items()]
    speed = [("two layers, 64 rows", "parameters", "ms")]
    times = c["speed"]["milliseconds"]
    speed += [(name, f"{c['speed']['parameters'][name]:,}", spread(times[name])) for name in times]
    note = f"Accuracy in per cent on the bundled digits; dense: {_percent(c['dense'])}."
    return _joined(table(rows), note, table(told), table(speed), meta_line(c))


def pipeline(content: dict | None = None) -> str:
    """Parameters, accuracy, reduction, drop."""
    p = content or section("pipeline")
    teacher = p["models"]["teacher"]
    rows = [("model", "parameters", "not zero", "accuracy, %", "times fewer", "drop, points")]
    for name, m in p["models"].items():
        rows.append(
            (
                name,
                f"{m['parameters']:,}",
                f"{m['not zero']:,}",
                f"{100 * m['accuracy']:.1f}",
                f"{teacher['not zero'] / m['not zero']:.1f}",
                f"{100 * (teacher['accuracy'] - m['accuracy']):.1f}",
            )
        )
    note = (
        f"{p['sentences'][0]:,} sentences for training, {p['sentences'][1]:,} for testing. One standard deviation of "
        "an accuracy on so many is about one point."
    )
    return _joined(table(rows), note, meta_line(p))


def qlora(content: dict | None = None) -> str:
    """Loss, bytes, memory of training."""
    q = content or section("qlora")
    rows = [("model", "loss on prose", "loss on instructions")]
    rows += [(name, f"{m['text']:.3f}", f"{m['instructions']:.3f}") for name, m in q["models"].items()]
    sizes = [("linear layers", "MB", "bits a weight")]
    sizes += [(name, f"{size / 1e6:.1f}", f"{bits:.3f}") for name, (size, bits) in q["bytes"].items()]
    memory = [("training, MB", "weights", "gradients", "optimizer", "all")]
    memory += [
        (name, *(f"{x / 1e6:.1f}" for x in values)) for name, values in q["memory"].items() if name != "adapters"
    ]
    note = (
        f"Adapters of rank {q['rank']}: {q['memory']['adapters']:,} numbers, trained for {q['steps']} steps. Memory of "
        "the linear layers, computed; activations are not counted."
    )
    return _joined(table(rows), table(sizes), table(memory), note, meta_line(q))


def bench(content: dict | None = None) -> str:
    """Ours, the peers, and the goals."""
    b = content or section("bench")
    layer, gptq, decode = b["layer"], b["gptq"], b["decode"]
    rows = [("", "ms", "times ours")]
    rows += [(name, spread(layer["milliseconds"][name]), f"{layer['ratio'][name]:.2f}×") for name in layer["ratio"]]
    columns = [(f"GPTQ of {gptq['size']}²", "ms")]
    columns += [(name, spread(values, 1)) for name, values in gptq["milliseconds"].items()]
    tokens = [("decoding, SmolLM2's shape", "tokens/s")]
    tokens += [(name, spread(values, 1)) for name, values in decode["tokens/s"].items()]
    sizes = decode["weights, MB"]
    sentence = (
        f"Int8 reads {sizes['int8']:.0f} MB a token where fp32 reads {sizes['fp32']:.0f}, at {decode['share']:.0%} of "
        f"{decode['bandwidth'] / 1e9:.1f} GB/s. Its logits differ by {decode['error']:.1%}."
    )
    wanted = [
        ("W8A8 with its quantization, share of `_int_mm`", WANTED["_int_mm"], layer["ratio"]["_int_mm"], "time ratio"),
        ("W8A8 against fp32", WANTED["fp32"], layer["ratio"]["fp32"], "time ratio"),
        ("blocked GPTQ against the column loop", WANTED["column loop"], gptq["ratio"], "time ratio"),
        ("int8 decoding against fp32 `generate`", WANTED["generate"], decode["ratio"]["generate"], "tokens/s ratio"),
    ]
    return _joined(table(rows), table(columns), table(tokens), sentence, goals(wanted), meta_line(b))


def break_it(content: dict | None = None) -> str:
    """What each mistake did."""
    r = content or section("break_it")
    one, noise, cut, bits = r["one outlier"], r["calibrate on noise"], r["threshold"], r["bits"]
    mask, prune = r["mask once"], r["prune the embedding"]
    rows = [
        ("experiment", "what happens"),
        (
            "absmax with one outlier of 1000",
            f"Error of the other numbers {one['without']['error']:.1%} → {one['with']['error']:.0%}; zeros "
            f"{one['without']['zeros']:.1%} → {one['with']['zeros']:.0%}.",
        ),
        ("calibrate on noise", "; ".join(f"{name} {100 * a:.1f} %" for name, a in noise.items())),
        ("threshold 0 and infinity", "; ".join(f"{name} {loss:.3f}" for name, loss in cut.items())),
        ("2 bits", "; ".join(f"{b} {loss:.2f}" for b, loss in bits.items())),
        ("distil at T = 1 and T = 20", "; ".join(f"{name} {100 * a:.1f} %" for name, a in r["temperature"].items())),
        ("prune half of the embedding", "; ".join(f"{name} {loss:.2f}" for name, loss in prune.items())),
        (
            "apply the mask once",
            "; ".join(f"{name}: {s:.0%} zeros, {100 * a:.1f} %" for name, (s, a) in mask.items()),
        ),
    ]
    return _joined(table(rows), meta_line(r))


def trial(content: dict | None = None) -> str:
    """First, and after the repairs that followed."""
    trials = (content or section("trial"))["trials"]
    kinds = list(trials[0]["wrong"]["first"])
    rows, said = [("wrong attempts", "number", *kinds)], []
    for name, each in zip(("first trial", "second trial"), trials, strict=True):
        for run in ("first", "last"):
            counts = each["wrong"][run]
            rows.append((f"{name}, {run} run", sum(counts.values()), *(counts[kind] for kind in kinds)))
        right = each["right"]
        said.append(
            f"Of {right['attempts']} right attempts of the {name}, {right['first']} were RIGHT in its first run and "
            f"{right['last']} in its last. {each['note']} {each['date']}."
        )
    return f"{table(rows)}\n\n{' '.join(said)}\n"


def real_sentence(content: dict | None = None) -> str:
    """What became of the real model's weights, in two sentences."""
    r = content or section("smollm2")
    four, three = r["weights"]["4"], r["weights"]["3"]
    return (
        f"SmolLM2's weights alone in four bits, groups of 64: {four['RTN']['64']:.3f} rounded to nearest, "
        f"{four['GPTQ']['64']:.3f} by GPTQ, {four['AWQ']['64']:.3f} by AWQ; fp32 has {r['fp32']:.3f}. In three bits: "
        f"{three['RTN']['64']:.3f}, {three['GPTQ']['64']:.3f}, {three['AWQ']['64']:.3f}."
    )
