"""Results as markdown, for README, REPORT and the terminal. Without a section, each reads the committed one."""

from statistics import median

from . import markdown
from .break_it import EXPERIMENTS
from .markdown import meta_line, spread, table

FLOPS_UNIT = 1e9


def headline(section: dict | None = None) -> str:
    """Time, work and memory with and without a cache; what int8 costs."""
    r = section or markdown.section("headline")
    speed, work = r["speed"], r["speed"]["work"]
    without, with_cache = speed["without"], speed["with"]
    last = speed["lengths"][-1]

    def both(name: str, digits: int, unit: float = 1.0) -> list[str]:
        return [spread([v * unit for v in curve[name][-1]], digits) for curve in (without, with_cache)]

    def ratio(name: str) -> str:
        return f"{median(without[name][-1]) / median(with_cache[name][-1]):.0f}×"

    rows = [
        ("", "without a cache", "with a cache", "ratio"),
        (
            f"tokens through the matrices, prompt {work['prompt_len']}, {work['max_new_tokens']} new",
            *(f"{n:,}" for n in work["matmul_tokens"]),
            f"**{work['matmul_token_ratio']:.0f}×**",
        ),
        ("GFLOPs of the same", *(f"{f / FLOPS_UNIT:.2f}" for f in work["flops"]), f"{work['flop_ratio']:.0f}×"),
        ("seconds of the same", *(f"{s:.2f}" for s in work["seconds"]), f"**{work['time_ratio']:.1f}×**"),
        ("GFLOP/s", *(f"{g:.2f}" for g in work["gflops_per_second"]), ""),
        (f"ms per token at {last} tokens", *both("per_token", 2, 1e3), ratio("per_token")),
        (f"seconds to reach {last} tokens", *both("total", 2), ratio("total")),
        (
            f"slope of the total, {without['slope']['from']} to {last} tokens: measured (FLOPs)",
            *(f"{c['slope']['total']:.2f} ({c['slope']['total_flops']:.2f})" for c in (without, with_cache)),
            "",
        ),
    ]
    return "\n\n".join([table(rows), int8_sentence(r["int8"]), meta_line(r)])


def int8_sentence(q: dict) -> str:
    return (
        f"int8 cache: {q['bytes_ratio']:.2f}× smaller, scales counted. Loss on {q['windows']} unseen windows of "
        f"{q['length']} bytes: {q['loss']['fp32']:.4f} → {q['loss']['int8']:.4f} nats per byte "
        f"({q['change']:+.1e} ± {q['change_stderr']:.0e}, standard error of the paired difference)."
    )


def memory(section: dict | None = None) -> str:
    """Cache of GPT-2's shape: the formula and what was allocated, MiB."""
    m = (section or markdown.section("headline"))["memory"]
    kinds = list(m["predicted"])
    rows = [("tokens", *(f"{kind}: {what}" for kind in kinds for what in ("formula", "allocated")))]
    for i, n in enumerate(m["lengths"]):
        mib = [m[what][kind][i] / 2**20 for kind in kinds for what in ("predicted", "measured")]
        rows.append((n, *(f"{v:.3f}" for v in mib)))
    return table(rows)


def bench(section: dict | None = None) -> str:
    """Ours, peer, limit: tokens per second for each number of threads and batch; then the goals, met or not."""
    r = section or markdown.section("bench")
    parts = [race(r, threads, batch_size) for threads in r["by_threads"] for batch_size in r["max_new_tokens"]]
    parts += [checks(r), work_sentence(r["work"]), goals(r)]
    parts += [f"Not on this platform: {name} ({reason})." for name, reason in r["absent"].items()]
    return "\n\n".join([*parts, meta_line(r)])


def summary(section: dict | None = None) -> str:
    """At most six rows: ours, peer, limit."""
    r = section or markdown.section("bench")
    rows = [("GPT-2's shape, tokens/s", "transformers", "ours, fp32", "ours, int8", "limit, fp32")]
    for threads, table_ in r["by_threads"].items():
        for batch_size in (b for b in r["max_new_tokens"] if "fastest" in table_[b]["contenders"]):
            c = table_[batch_size]["contenders"]
            peer = f"{median(c['transformers']['per_second']):.0f}" if "transformers" in c else ""
            ours = [_with_gain(c[name]) if name in c else "" for name in ("fastest", "W8A8")]
            name = f"batch {batch_size}, {threads} thread{'s' * (threads != '1')}"
            rows.append((name, peer, *ours, f"{c['fastest']['limit']:.0f}"))
    return table(rows)


def _with_gain(row: dict) -> str:
    gain = f" ({median(row['gain_per_second']):.2f}×)" if "gain_per_second" in row else ""
    return f"{median(row['per_second']):.0f}{gain}"


def race(r: dict, threads: str, batch_size: str) -> str:
    by_threads = r["by_threads"][threads]
    contenders = by_threads[batch_size]["contenders"]
    gib = by_threads["bandwidth"] / 2**30
    title = f"batch {batch_size}, {threads} thread{'s' * (threads != '1')}"
    rows = [(title, "tokens/s", "tokens/CPU-s", "÷ transformers", f"limit at {gib:.1f} GiB/s", "reached")]
    for name, c in contenders.items():
        gain = spread(c["gain_per_second"], 2) + "×" if "gain_per_second" in c and name != "transformers" else ""
        limit = (f"{c['limit']:.0f}", f"{c['share']:.0%}") if "limit" in c else ("", "")
        rows.append((name, spread(c["per_second"], 1), spread(c["per_cpu_second"], 1), gain, *limit))
    chosen = ", ".join(f"{shape}: {name}" for shape, name in by_threads[batch_size]["chosen"].items())
    return table(rows) + (f"\n\n<sub>fastest: {chosen}</sub>" if "fastest" in contenders else "")


def checks(r: dict) -> str:
    c = r["checks"]
    error = f"largest logit error (logits' std {c['logit_std']:.2f})"
    rows = [("layout", "greedy tokens", "same most likely token", error, "MB read per step")]
    for name, x in c["layouts"].items():
        tokens = "identical" if x["identical"] else "differ"
        rows.append(
            (name, tokens, f"{x['same_argmax']:.1%}", f"{x['logit_error']:.1e}", f"{x['weight_bytes'] / 1e6:.0f}")
        )
    return table(rows)


def work_sentence(work: dict) -> str:
    slow, fast = work["seconds"]
    return (
        f"Prompt {work['prompt_len']}, {work['max_new_tokens']} new tokens, one thread: the cache avoids "
        f"{work['matmul_token_ratio']:.1f}× the tokens through the matrices and {work['time_ratio']:.1f}× the time "
        f"({slow:.1f} s → {fast:.1f} s)."
    )


def goals(r: dict) -> str:
    return markdown.goals([(g["goal"], g["wanted"], g["got"], g["layout"]) for g in r["goals"]])


def smollm2(section: dict | None = None) -> str:
    """A real model: tokens a second with the limit; bytes of its cache; what int8 costs."""
    r = section or markdown.section("smollm2")
    rows = [("", "tokens/s", "ms per step", f"limit at {r['bandwidth'] / 2**30:.1f} GiB/s", "nats per token")]
    for name, c in r["speed"].items():
        step = spread([v * 1e3 for v in c["step"]], 1) if "step" in c else ""
        exact = f"{r['loss']['fp32']:.4f}" if name.startswith("fp32") else ""
        loss = f"{r['loss']['layouts'][name]:.4f}" if name in r["loss"]["layouts"] else exact
        rows.append((name, spread(c["per_second"], 1), step, f"{c['limit']:.0f}" if "limit" in c else "", loss))
    chosen = ", ".join(f"{shape}: {name}" for shape, name in r["chosen"].items())
    return "\n\n".join(
        [table(rows), f"<sub>fastest: {chosen}</sub>", real_memory(r), real_int8(r["loss"]), meta_line(r)]
    )


def real_memory(r: dict) -> str:
    m = r["memory"]
    heads = f"{r['model']['heads']} heads of keys, fp32: formula"
    rows = [("tokens", *(f"{kind}: {what}" for kind in m["predicted"] for what in ("formula", "allocated")), heads)]
    for i, n in enumerate(m["lengths"]):
        mib = [m[what][kind][i] / 2**20 for kind in m["predicted"] for what in ("predicted", "measured")]
        rows.append((n, *(f"{v:.1f}" for v in [*mib, m["unshared"][i] / 2**20])))
    return f"MiB of a cache of {r['model']['kv_heads']} heads of keys, one row:\n\n{table(rows)}"


def real_int8(q: dict) -> str:
    return (
        f"int8 cache: loss on {q['windows']} windows of {q['length']} tokens {q['fp32']:.4f} → {q['int8']:.4f} "
        f"nats per token ({q['change']:+.1e} ± {q['change_stderr']:.0e}, standard error of the paired difference)."
    )


def break_it(section: dict | None = None) -> str:
    """One line per experiment: the outcome in words and numbers."""
    r = section or markdown.section("break_it")
    rows = [("experiment", "what happens"), *((e.title, r[e.name]["outcome"]) for e in EXPERIMENTS)]
    return f"{table(rows)}\n\n{meta_line(r)}"


def predictions() -> str:
    """One line per experiment: what to predict."""
    return table([("experiment", "predict"), *((e.title, e.predict) for e in EXPERIMENTS)])


def trial(content: dict | None = None) -> str:
    """What the grader said of attempts by someone who knew README and workbook only: first, and after the repairs."""
    trials = (content or markdown.section("trial"))["trials"]
    kinds = list(trials[0]["wrong"]["first"])
    rows, said = [("wrong attempts", "number", *kinds)], []
    ordinals = ("first", "second", "third", "fourth", "fifth")
    for nth, each in zip(ordinals[: len(trials)], trials, strict=True):
        for run, counts in each["wrong"].items():
            rows.append((f"{nth} trial, {run} run", str(sum(counts.values())), *(str(counts[kind]) for kind in kinds)))
        right = each["right"]
        last = f" and {right['last']} in its last" if "last" in right else ""
        said.append(
            f"Of {right['attempts']} right attempts in other styles of the {nth} trial, {right['first']} were RIGHT in "
            f"its first run{last}. {each['date']}."
        )
    return f"{table(rows)}\n\n{' '.join(said)}\n"
