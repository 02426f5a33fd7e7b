"""One table for each section, for the terminal, README and REPORT. Without a section, of the committed one."""

from statistics import median

from ..worked_example import TOKENS, worked_example
from .markdown import goals, meta_line, section, spread, table
from .packing import unpacked

NAMES = {"plain": "plain", "flash_attention": "ours, tiled (`flash.py`)",
         "blocked_attention": "ours, tiled and fast (`flash_fast.py`)", "SDPA": "PyTorch's SDPA"}  # fmt: skip


def headline(content: dict | None = None) -> str:
    """The three parts, one table each."""
    content = content or section("headline")
    return "\n\n".join([_scaling(content), _bottleneck(content), _patterns(content), meta_line(content)]) + "\n"


def _scaling(content: dict) -> str:
    rows = []
    for width, both in content["scaling"].items():
        for name, word in (("plain", "no"), ("scaled", "yes")):
            s = both[name]
            shares = [spread([100 * e for e in s["entropy"]], 1, "%")]
            rows.append(
                (width, word, spread(s["variance"], 1), spread(s["largest"], 3), *shares, spread(s["trace"], 3))
            )
    head = (
        "d",
        "scaled by 1/√d",
        "variance of the scores",
        "largest weight",
        "entropy, of ln 64",
        "trace of the Jacobian",
    )
    return table([head, *rows])


def _bottleneck(content: dict) -> str:
    found = content["bottleneck"]
    rows = []
    for attention, tasks in found["accuracy"].items():
        for task, runs in tasks.items():
            cells = [f"{100 * median(r[i] for r in runs):.0f} %" for i in range(len(found["lengths"]))]
            rows.append((attention, task, *cells, f"{found['parameters'][attention]:,}"))
    lengths = [f"{n}{'*' if n > found['longest'] else ''}" for n in found["lengths"]]
    return table([("attention", "task", *lengths, "parameters"), *rows]) + "\n\n\\* longer than any in training."


def _patterns(content: dict) -> str:
    found = content["patterns"]
    rows = [("none", spread(found["loss"], 3), "")]
    for name, losses in {**found["removed"], **{f"all of layer {k}": v for k, v in found["layers"].items()}}.items():
        more = [loss - whole for loss, whole in zip(losses, found["loss"], strict=True)]
        rows.append((name if name.startswith("all") else f"head {name}", spread(losses, 3), spread(more, 3)))
    return table([("removed (layer.head)", "loss, nats", "more than with all"), *rows])


def cog(content: dict | None = None, content_bench: dict | None = None, content_real: dict | None = None) -> str:
    """README's table: six rows, ours beside peer and limit."""
    content, run = content or section("headline"), content_bench or section("bench")
    real = content_real or section("induction")
    wide, found = content["scaling"]["1024"], content["bottleneck"]
    at = list(found["lengths"]).index(found["longest"])
    right = {name: [100 * r[at] for r in found["accuracy"][name]["copy"]] for name in found["accuracy"]}
    ratio = {
        T: median(run["forward"][T]["SDPA"]) / median(run["forward"][T]["blocked_attention"]) for T in run["forward"]
    }
    megabytes, last = run["memory"], list(run["memory"])[-1]
    second = [x[1] for x in real["loss"]]
    rows = [
        ("what", "ours", "beside it"),
        ("share of the gradient that a softmax lets through, 1 − Σp² at d = 1024",
         f"{median(wide['scaled']['trace']):.3f} with 1/√d",
         f"{median(wide['plain']['trace']):.3f} without"),
        (f"copying {found['longest']} letters", f"{median(right['additive']):.0f} % with attention",
         f"{median(right['none']):.0f} % without"),
        *((f"forward pass at T = {T}: speed beside PyTorch's SDPA", f"{r:.2f}×", "1×") for T, r in ratio.items()),
        (f"memory at T = {last}", f"{megabytes[last]['blocked_attention']:.0f} MiB",
         f"SDPA {megabytes[last]['SDPA']:.0f} MiB, plain {megabytes[last]['plain']:.0f} MiB"),
        ("SmolLM2's loss on a repetition", f"{median(second):.1f} nats",
         f"{median(x[1] for x in real['removed']['4']):.1f} without 4 of its 270 heads"),
    ]  # fmt: skip
    return f"{table(rows)}\n\n{meta_line(run)}\n"


def bench(content: dict | None = None) -> str:
    """Time, memory and goals."""
    content = content or section("bench")
    rows = [("T", "", "forward, ms", "with backward, ms", "peak MiB", "peak MiB with backward")]
    for T, times in content["forward"].items():
        for name, values in times.items():
            rows.append((T, NAMES[name], spread(values, 0), spread(content["both"][T][name], 0),
                         f"{content['memory'][T][name]:.1f}", f"{content['memory both'][T][name]:.1f}"))  # fmt: skip
    return "\n\n".join([table(rows), _goals(content), meta_line(content)]) + "\n"


def _goals(content: dict) -> str:
    rows = []
    for T, wanted in zip(content["forward"], (0.8, 0.7), strict=True):
        times = {name: median(values) for name, values in content["forward"][T].items()}
        ours = times["blocked_attention"]
        rows.append((f"SDPA's speed, forward, T = {T}", wanted, times["SDPA"] / ours, "blocked_attention"))
        rows.append((f"times the plain form, forward, T = {T}", 4, times["plain"] / ours, "blocked_attention"))
    return goals(rows)


def road(content: dict | None = None) -> str:
    """The language models, and how much gradient is left."""
    content = content or section("road")
    rows = [("model", "width", "parameters", "loss, nats", "perplexity", "largest gradient", "clipped",
             "tokens/s trained", "ms a sampled token")]  # fmt: skip
    for kind, m in content["models"].items():
        rows.append((kind, m["width"][0], f"{m['parameters'][0]:,}", spread(m["loss"], 3), spread(m["perplexity"], 2),
                     spread(m["largest gradient"], 1), spread([100 * c for c in m["clipped"]], 0, "%"),
                     spread(m["tokens a second"], 0), spread(m["ms a sampled token"], 2)))  # fmt: skip
    steps = (1, 5, 10, 20, 50)
    left = [("network, as initialised", *(f"{n} steps back" for n in steps))]
    for name, runs in content["vanishing"].items():
        left.append((name, *(f"{median(r[n] for r in runs):.1e}" for n in steps)))
    base = f"A model that knows only the frequency of each character: {content['unigram']:.3f} nats."
    return "\n\n".join([table(rows), base, table(left), meta_line(content)]) + "\n"


def samples(content: dict | None = None) -> str:
    """What each language model writes after the same words, with the same random numbers."""
    content = content or section("road")
    texts = [f"**{kind}**\n\n```\n{m['sample'][0]}\n```" for kind, m in content["models"].items()]
    return "\n\n".join(texts) + "\n"


def induction(content: dict | None = None) -> str:
    """The best heads, and the loss without them."""
    content = content or section("induction")
    rows = [("removed", "first copy, nats", "second copy, nats", "as many random heads: second copy")]
    rows.append(("none", spread([x[0] for x in content["loss"]], 2), spread([x[1] for x in content["loss"]], 2), ""))
    for count, losses in content["removed"].items():
        names = ", ".join(f"{layer}.{head}" for layer, head in content["best"]["induction"][: int(count)])
        random = spread([x[1] for x in content["random"][count]], 2)
        rows.append((f"{count}: {names}", spread([x[0] for x in losses], 2), spread([x[1] for x in losses], 2), random))
    scores = {kind: unpacked(rows, content["heads"][1]) for kind, rows in content["scores"].items()}
    best = [("kind", *(f"{i + 1}." for i in range(4)))]
    for kind, heads in content["best"].items():
        best.append((kind, *(f"{l}.{h}: {scores[kind][l][h]:.2f}" for l, h in heads[:4])))
    return "\n\n".join([table(rows), table(best), meta_line(content)]) + "\n"


def break_it(content: dict | None = None) -> str:
    """What each mistake did."""
    content = content or section("break_it")
    scale, after, queries = content["no scale"], content["mask after the softmax"], content["softmax over queries"]
    places = content["no positions"]
    rows = [("mistake", "measured", "with it", "right")]
    rows += [
        ("no scale at d = 1024", "largest weight", f"{scale['without']['largest']:.2f}",
         f"{scale['with']['largest']:.2f}"),
        ("", "trace of the Jacobian", f"{scale['without']['trace']:.3f}", f"{scale['with']['trace']:.3f}"),
        ("mask after the softmax", "first row sums to", f"{after['first row sums to']:.3f}", "1"),
        ("", "an earlier output moves by", f"{after['leak']:.2f}", f"{after['leak of ours']:g}"),
        ("softmax over the queries", "a query's weights sum to",
         f"{queries['least']:.2f} to {queries['most']:.2f}", "1"),
        ("no positions", "shuffled sentence: outputs differ by", f"{places['without positions']:.0e}",
         f"{places['with positions']:.1f}"),
        ("one head for eight", "two earlier tokens named right", *(
            spread([100 * x for x in content["two places"][h]], 0, "%") for h in ("1", "8"))),
        ("", "loss of a small language model", *(spread(content["heads"][h], 3) for h in ("1", "8"))),
    ]  # fmt: skip
    return f"{table(rows)}\n\n{meta_line(content)}\n"


def worked(step: str = "weights") -> str:
    """The worked example: one matrix, rows are queries and columns keys (or the two channels of the output)."""
    rows = getattr(worked_example(), step).tolist()
    head = ("query", *(TOKENS if step != "output" else ("channel 0", "channel 1")))
    cells = [[f"{x:.3f}" if x != float("-inf") else "−∞" for x in row] for row in rows]
    return table([head, *((f"**{t}**", *row) for t, row in zip(TOKENS, cells, strict=True))]) + "\n"


def trial(content: dict | None = None) -> str:
    """What the grader said of attempts by someone who knew README and workbook only: first, and after the repairs."""
    trials = (content or section("trial"))["trials"]
    kinds = list(trials[0]["wrong"]["first"])
    rows, said = [("wrong attempts", "number", *kinds)], []
    for name, each in zip(("first trial", "second trial"), trials, strict=True):
        for run in ("first", "last"):
            counts = each["wrong"][run]
            rows.append((f"{name}, {run} run", str(sum(counts.values())), *(str(counts[kind]) for kind in kinds)))
        right = each["right"]
        said.append(
            f"Of {right['attempts']} right attempts of the {name}, {right['first']} were RIGHT in its first run and "
            f"{right['last']} in its last. {each['date']}."
        )
    return f"{table(rows)}\n\n{' '.join(said)}\n"
