"""Results as markdown, for the README and the terminal. Called without results, each reads the committed ones."""

from pathlib import Path
from statistics import median

from . import record

COMMITTED = Path(__file__).parents[2] / "results" / "results.json"


def headline(results: dict | None = None) -> str:
    """Time, work and memory with and without a cache; what int8 costs."""
    r = _section("headline", results)
    speed, work, q = r["speed"], r["speed"]["work"], r["int8"]
    last = speed["lengths"][-1]
    slow, fast = speed["without"], speed["with"]
    rows = [
        ("", "without a cache", "with a cache", "ratio"),
        (f"tokens through the matrices, prompt {work['prompt']}, {work['new']} new",
         f"{work['matmul_tokens'][0]:,}", f"{work['matmul_tokens'][1]:,}", f"**{work['matmul_token_ratio']:.0f}×**"),
        ("GFLOPs of the same", *(f"{f / 1e9:.2f}" for f in work["flops"]), f"{work['flop_ratio']:.0f}×"),
        ("seconds of the same", *(f"{s:.2f}" for s in work["seconds"]), f"**{work['time_ratio']:.1f}×**"),
        ("GFLOP/s", *(f"{g:.2f}" for g in work["gflops_per_second"]), ""),
        (f"ms per token at {last} tokens", *(_range([v * 1e3 for v in c["per_token"][-1]], 2) for c in (slow, fast)),
         f"{median(slow['per_token'][-1]) / median(fast['per_token'][-1]):.0f}×"),
        (f"seconds to reach {last} tokens", *(_range(c["total"][-1], 2) for c in (slow, fast)),
         f"{median(slow['total'][-1]) / median(fast['total'][-1]):.0f}×"),
        (f"slope of the total, {slow['slope']['from']} to {last} tokens: measured (FLOPs)",
         *(f"{c['slope']['total']:.2f} ({c['slope']['total_flops']:.2f})" for c in (slow, fast)), ""),
    ]
    int8 = (f"int8 cache: {q['bytes_ratio']:.2f}× smaller, scales counted; loss on {q['windows']} unseen windows of "
            f"{q['length']} bytes {q['loss']['fp32']:.4f} → {q['loss']['int8']:.4f} nats per byte "
            f"({q['change']:+.1e} ± {q['change_stderr']:.0e}, standard error of the paired difference).")
    return f"{_table(rows)}\n\n{int8}\n\n{_meta(r)}\n"


def memory(results: dict | None = None) -> str:
    """Cache of GPT-2's shape: the formula and what was allocated, MiB."""
    m = _section("headline", results)["memory"]
    rows = [("tokens", *(f"{kind}: formula | {kind}: allocated" for kind in m["predicted"]))]
    for i, n in enumerate(m["lengths"]):
        cells = [f"{m[key][kind][i] / 2**20:.3f}" for kind in m["predicted"] for key in ("predicted", "measured")]
        rows.append((str(n), *cells))
    return _table([tuple(" | ".join(row).split(" | ")) for row in rows]) + "\n"


def bench(results: dict | None = None) -> str:
    """Ours, peer, limit: tokens per second for each number of threads and batch; then the goals, met or not."""
    r = _section("bench", results)
    parts = []
    for threads, table in r["threads"].items():
        for batch in r["new"]:
            parts.append(_race(r, threads, batch, table))
    parts.append(_checks(r))
    work = r["work"]
    parts.append(f"Prompt {work['prompt']}, {work['new']} new tokens, one thread: the cache avoids "
                 f"{work['matmul_token_ratio']:.1f}× the tokens through the matrices and {work['time_ratio']:.1f}× the "
                 f"time ({work['seconds'][0]:.1f} s → {work['seconds'][1]:.1f} s).")
    parts.append(_table([("goal", "wanted", "measured", "layout", "")] + [
        (g["goal"], f"≥ {g['wanted']:g}", f"{g['got']:.2f}", g["layout"], "met" if g["met"] else "**missed**")
        for g in r["goals"]]))
    parts += [f"Not on this platform: {name} ({reason})." for name, reason in r["absent"].items()]
    return "\n\n".join([*parts, _meta(r)]) + "\n"


def _race(r: dict, threads: str, batch: str, table: dict) -> str:
    gib = table["bandwidth"] / 2**30
    rows = [(f"batch {batch}, {threads} thread{'s' * (threads != '1')}", "tokens/s", "tokens/CPU-s",
             f"÷ {r['peer'].split()[0]}", f"limit at {gib:.1f} GiB/s", "reached")]
    for name, c in table[batch]["contenders"].items():
        gain = c.get("gain_per_second")
        rows.append((name, _range(c["per_second"], 1), _range(c["per_cpu_second"], 1),
                     _range(gain, 2) + "×" if gain and name != "transformers" else "",
                     f"{c['limit']:.0f}" if "limit" in c else "", f"{c['share']:.0%}" if "share" in c else ""))
    chosen = table[batch].get("chosen", {})
    note = ", ".join(f"{shape}: {name}" for shape, name in chosen.items())
    return _table(rows) + (f"\n\n<sub>fastest: {note}</sub>" if "fastest" in table[batch]["contenders"] else "")


def _checks(r: dict) -> str:
    c = r["checks"]
    rows = [("layout", "greedy tokens", "same most likely token",
             f"largest logit error (logits' std {c['logit_std']:.2f})", "MB read per step")]
    for name, x in c["layouts"].items():
        rows.append((name, "identical" if x["identical"] else "differ", f"{x['agree']:.1%}", f"{x['logit_error']:.1e}",
                     f"{x['weight_bytes'] / 1e6:.0f}"))
    return _table(rows)


def break_it(results: dict | None = None) -> str:
    """One line per experiment: the outcome in words and numbers."""
    r = _section("break_it", results)
    titles = {"no_offset": "no position offset", "top_left": "mask aligned at the top left", "not_cleared":
              "cache not cleared", "int4": "int4 instead of int8", "concatenate": "a cache that concatenates"}
    rows = [("experiment", "what happens"), *((title, r[name]["outcome"]) for name, title in titles.items())]
    return f"{_table(rows)}\n\n{_meta(r)}\n"


def _section(name: str, results: dict | None) -> dict:
    results = record.read(COMMITTED) if results is None else results
    if name not in results:
        raise ValueError(f"no section {name!r} in the results; record it with: python -m kv_speedrun --out results")
    return results[name]


def _range(values: list[float], digits: int) -> str:
    """Median, and the range of the repeats."""
    if len(values) == 1:
        return f"{values[0]:.{digits}f}"
    return f"{median(values):.{digits}f} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def _table(rows: list[tuple[str, ...]]) -> str:
    head, *body = ("| " + " | ".join(row) + " |" for row in rows)
    return "\n".join([head, "|" + "---|" * len(rows[0]), *body])


def _meta(r: dict) -> str:
    m = r.get("meta")
    if not m:
        return ""
    versions = ", ".join(f"{name} {version}" for name, version in m["versions"].items())
    quick = " Quick run: the figures say little." if m.get("quick") else ""
    return (f"<sub>{m['machine']}; Python {m['python']}, {versions}; seed {', '.join(map(str, m['seeds']))}; "
            f"commit {m['commit']}, {m['date']}. Medians, ranges in brackets.{quick}</sub>")
