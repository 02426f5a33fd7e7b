"""One table for each section, for the terminal, README and REPORT. Without a section, of the committed one."""

from statistics import median

from .markdown import goals, meta_line, section, spread, table

PAPER = {"no sink": "5,158.07", "4 sinks": "5.40", "4 line breaks as sinks": "5.60"}


def column(rows: list[list[float]], index: int) -> list[float]:
    """One bin of every seed."""
    return [row[index] for row in rows]


def perplexity(loss: float) -> str:
    return f"{2.718281828459045**loss:,.1f}"


def summary() -> str:
    """The README's table: at most six rows."""
    head, real_, race = section("headline"), section("real"), section("bench")
    loss, stream = real_["loss"], head["stream"]
    ms, step = race["milliseconds"], race["decode"]
    rows = [
        ("", "ours", "peer or limit"),
        (
            "SmolLM2, loss with 256 slots, nats: no sink / 4 sinks",
            f"{loss['no sink']:.2f} / **{loss['4 sinks']:.2f}**",
            f"{loss['dense']:.2f} (all keys)",
        ),
        (
            "a text of 8 training lengths, loss at its end, nats: window",
            spread(column(head["loss"]["window"], -1)),
            f"{spread(column(head['loss']['dense'], -1))} (dense)",
        ),
        (
            f"{stream['tokens']:,} tokens, µs a token: first / last part",
            f"{stream['microseconds'][0]:.0f} / {stream['microseconds'][-1]:.0f}",
            f"{stream['cache bytes'][-1] / 1024:.0f} KiB: the cache, throughout",
        ),
        (
            "T = 4096, W = 256, ms: the band",
            f"{median(ms['ours, fast']):.0f}",
            f"{median(ms['SDPA with the mask']):.0f} (SDPA, masked), {median(ms['SDPA, causal']):.0f} (causal)",
        ),
        (
            "streaming, µs a token",
            f"{median(step['ours']):.0f}",
            f"{median(step['transformers, cropped by hand']):.0f} (transformers, cropped by hand)",
        ),
    ]
    return f"{table(rows)}\n\n{meta_line(head)}\n"


def headline(content: dict | None = None) -> str:
    """Loss by position, the planted sink, and the stream."""
    content = content or section("headline")
    marks = content["edges"]
    spans = [f"{a}–{b - 1}" for a, b in zip(marks, marks[1:], strict=False)]
    rows = [("positions", *content["loss"])]
    for i, span in enumerate(spans):
        rows.append((span, *(spread(column(found, i)) for found in content["loss"].values())))
    names = ("at triggers", "elsewhere", "value of BOS", "value of others", "loss after triggers")
    planted = [("planted sink", *content["planted"])]
    for name in names:
        label = f"attention on BOS {name}" if name in names[:2] else name
        planted.append((label, *(spread([f[name] for f in found], 3) for found in content["planted"].values())))
    stream, parts = (
        content["stream"],
        [("tokens", "loss, nats", "µs a token", "cache, bytes", "peak of the process, MiB")],
    )
    count = len(stream["loss"])
    for i in sorted({0, count // 4, count // 2, 3 * count // 4, count - 1}):
        last = f"{(i + 1) * stream['part']:,}"
        parts.append((last, f"{stream['loss'][i]:.2f}", f"{stream['microseconds'][i]:.0f}",
                      f"{stream['cache bytes'][i]:,}", f"{stream['peak MiB'][i]:.0f}"))  # fmt: skip
    return f"{table(rows)}\n\n{table(planted)}\n\n{table(parts)}\n\n{meta_line(content)}\n"


def real(content: dict | None = None) -> str:
    """StreamingLLM's table, and what happens beyond the trained length."""
    content = content or section("real")
    rows = [("what is kept", "loss, nats", "perplexity", "Llama-2-13B in the paper, 1,024 slots, perplexity")]
    for name, loss in content["loss"].items():
        rows.append((name, f"{loss:.3f}", perplexity(loss), PAPER.get(name, "")))
    part, trained, long = content["part"], content["trained"], content["long"]
    spans = [("tokens", *long)]
    count = len(next(iter(long.values())))
    groups = [(0, 2), (2, 8), (8, 16), (16, 24), (24, 28), (28, count)] if count > 28 else [(0, count)]
    for a, b in groups:
        name = f"{a * part:,}–{b * part - 1:,}" + (" (past the trained length)" if a * part >= trained else "")
        spans.append((name, *(f"{sum(v[a:b]) / (b - a):.3f}" for v in long.values())))
    m = content["massive"]
    layers = [("layer", "mass on the first token: mean head", "largest head", "peak, first token", "peak, others",
               "value, first ÷ others", "mass without the peak")]  # fmt: skip
    for i, heads in enumerate(m["mass"]):
        mean = sum(heads) / len(heads)
        layers.append((i, f"{mean:.3f}", f"{max(heads):.4f}", f"{m['first'][i]:,.0f}", f"{m['others'][i]:,.0f}",
                       f"{m['value ratio'][i]:.2f}", f"{m['mass without'][i]:.3f}"))  # fmt: skip
    sentence = (
        f"Loss on {m['tokens']} tokens: {m['loss']:.3f}. With the first token's entries above 1,000 set to the mean of "
        f"the other tokens, after every layer: {m['loss without']:.3f}."
    )
    return f"{table(rows)}\n\n{table(spans)}\n\n{sentence}\n\n{table(layers)}\n\n{meta_line(content)}\n"


def wavenet(content: dict | None = None) -> str:
    """Three models."""
    content = content or section("wavenet")
    rows = [("", "parameters", "tokens in sight", "numbers kept", "loss, nats", "training, CPU s", "µs a token")]
    for name, m in content["models"].items():
        field = m["field"] or "no bound"
        rows.append((name, f"{m['parameters']:,}", field, f"{m['state']:,}", spread(m["loss"]), spread(m["seconds"], 1),
                     spread(m["microseconds"], 0)))  # fmt: skip
    return f"{table(rows)}\n\n{meta_line(content)}\n"


def bench(content: dict | None = None) -> str:
    """Both races, the counted scores, and the goals."""
    content = content or section("bench")
    ms, scores, step = content["milliseconds"], content["scores"], content["decode"]
    T, W, H, D = content["shape"]
    rows = [(f"T = {T}, W = {W}, {H} heads of {D}", "ms", "scores a head, millions")]
    rows += [(name, spread(values, 1), f"{scores[name] / 1e6:.2f}") for name, values in ms.items()]
    rows.append(("limit: the scores that are shown", "", f"{scores['shown'] / 1e6:.2f}"))
    steps = [("streaming, 256 slots", "µs a token"), *((name, spread(values, 0)) for name, values in step.items())]
    fast = median(ms["ours, fast"])
    wanted = goals(
        [
            ("the band ÷ masked SDPA, times as fast", 4, median(ms["SDPA with the mask"]) / fast, "CPU time"),
            ("the band ÷ causal SDPA, times as fast", 2.3, median(ms["SDPA, causal"]) / fast, "CPU time"),
            (
                "the stream ÷ transformers cropped by hand",
                1,
                median(step["transformers, cropped by hand"]) / median(step["ours"]),
                "CPU time",
            ),
        ]
    )
    return f"{table(rows)}\n\n{table(steps)}\n\n{wanted}\n\n{meta_line(content)}\n"


def outcomes(b: dict, real_: dict | None) -> list[tuple[str, str, str]]:
    """(experiment, what to predict, what happens)."""
    w, p, s, d, mask, e = (b[name] for name in ("windows", "positions", "stale", "dilations", "mask", "eviction"))
    rows = [
        ("mask at the top left", "A text in three chunks: which tokens are wrong?",
         f"All but the first chunk: {len(mask['wrong'])} of {mask['rows']} rows, from token {mask['wrong'][0]} on."),
        ("eviction before use", "Chunks of 4 and a window of 3, written before they are read: which tokens are wrong?",
         f"{len(e['wrong'])} of {e['rows']} rows: {', '.join(map(str, e['wrong']))}."),
        ("a window of 8", "The loss with windows of 64, 32, 8 and 2?",
         ", ".join(f"{name}: {loss:.2f}" for name, loss in w.items()) + " nats a byte."),
        ("positions of the text", "A small model beyond four training lengths, 4 sinks: what do text positions cost?",
         f"{p['of the cache']:.2f} nats with positions of the cache, {p['of the text']:.2f} with those of the text."),
        ("the last stream's cache", "A new text after somebody else's, without reset: the loss of its first 32 bytes?",
         f"{s['reset']:.2f} nats after a reset, {s['not reset']:.2f} without. {s['changed']:.0%} of the predicted "
         "bytes change. Nothing crashes."),
        ("keys rotated twice", "A cached key, already rotated, is rotated again. Where does it stand?",
         "At twice its position, to the last digit." if b["rotated twice"]["same as twice the position"] else "?"),
        ("dilation 1 everywhere", "Five layers of kernel 2 must name the token 20 back. With dilations 1 … 16, and 1?",
         f"{d['1, 2, 4, 8, 16']:.2f} nats with 32 tokens in sight, {d['1, 1, 1, 1, 1']:.2f} with 6. "
         f"Guessing costs {b['chance']:.2f}."),
    ]  # fmt: skip
    if real_:
        loss, long = real_["loss"], real_["long"]
        rows += [
            ("no sink, real model", "256 slots: the loss with all keys, without a sink, and with one?",
             f"{loss['dense']:.2f} with all keys, {loss['no sink']:.2f} without, {loss['1 sink']:.2f} with one."),
            ("other sinks, real model", "Four line breaks before the text are kept. Does it matter what a sink says?",
             f"{loss['4 line breaks as sinks']:.2f} nats, and {loss['4 sinks']:.2f} with the text's own first tokens."),
            ("window 8, real model", "Can sinks save a window of 8?",
             f"{loss['window 8, no sink']:.2f} nats without sinks, {loss['window 8, 4 sinks']:.2f} with four."),
            ("positions of the text, real model", "The last 1,024 of 16,384 tokens, twice the trained length, 4 sinks?",
             f"{last(long['4 sinks']):.2f} nats with positions of the cache, "
             f"{last(long['4 sinks, positions of the text']):.2f} with those of the text, "
             f"{last(long['no sink']):.2f} without sinks."),
        ]  # fmt: skip
    return rows


def last(values: list[float]) -> float:
    """The mean of the last two parts."""
    return sum(values[-2:]) / len(values[-2:])


def predictions() -> str:
    """Experiment and question only."""
    rows = outcomes(section("break_it"), section("real"))
    return table([("experiment", "predict"), *((name, ask) for name, ask, _ in rows)])


def break_it(content: dict | None = None) -> str:
    """What each mistake did."""
    both = (section("break_it"), section("real")) if content is None else (content, None)
    rows = [("experiment", "what happens"), *((name, said) for name, _, said in outcomes(*both))]
    return f"{table(rows)}\n\n{meta_line(both[0])}\n"
