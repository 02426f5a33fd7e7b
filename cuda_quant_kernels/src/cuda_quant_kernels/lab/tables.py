"""results.json as Markdown: the tables of README and REPORT are made here, so they cannot drift from the records."""

from . import markdown, record

COMMAND = "python -m cuda_quant_kernels"
CEILING_NAMES = {"bytes": ("TB/s, measured by a plain copy", 2), "operations": ("TOPS, measured by torch._int_mm", 0)}
NO_GPU = (
    "**No GPU has run these kernels yet.** On a machine with one, `pytest` runs them there, and "
    f"`{COMMAND} bench --out results` fills this table and the measured columns of the others."
)


def milliseconds(ms: float) -> str:
    """Two or three digits, with the unit."""
    return f"{ms:.0f} ms" if ms >= 20 else f"{ms:.1f} ms" if ms >= 2 else f"{ms:.2f} ms"


def gpu_microseconds(results: dict) -> dict[str, float]:
    """The median of each kernel on a GPU; none where no such run is recorded."""
    return {row["kernel"]: row["median_us"] for row in results.get("bench", {}).get("rows", [])}


def _sections(section: dict | None, name: str) -> tuple[dict, dict]:
    """The section, and the bench beside it: both as committed, or only the given one."""
    if section is not None:
        return section, {}
    results = record.read(record.COMMITTED)
    return markdown.section(name, results), results.get("bench", {})


def headline(section: dict | None = None, bench: dict | None = None) -> str:
    """The ladder: counted by the tracer, bounded by the roofline, measured where a GPU run is committed."""
    section, recorded = _sections(section, "headline")
    gpu = gpu_microseconds({"bench": bench or recorded})
    body = [_ladder_row(row, gpu.get(f"w8a8 {row['version']}")) for row in section["ladder"]]
    m, n, k = section["traced"]
    bound = f"lower bound on an {section['machine']}, {section['side']}³"
    head = ("version", "sectors a request (ideal)", "multiply-adds a wavefront", bound, "set by", "measured")
    note = f"Counted on {m} × {n} × {k}, where every version is exact. Peaks: {section['source']}."
    return "\n\n".join([markdown.table([head, *body]), note, markdown.meta_line(section)]) + "\n"


def _ladder_row(row: dict, microseconds: float | None) -> tuple:
    macs = row["macs_per_wavefront"]
    return (
        row["version"],
        f"{row['sectors_per_request']:.0f} ({row['ideal_per_request']:.0f})",
        f"{macs:,.0f}" if macs else "–",
        milliseconds(row["lower_bound_ms"]),
        row["bound"],
        milliseconds(microseconds / 1e3) if microseconds else "no GPU run yet",
    )


def ladder_details(section: dict | None = None) -> str:
    """What the ladder's table leaves out: intensity, bank conflicts, and the time of each pipe."""
    section, _ = _sections(section, "headline")
    head = ("version", "operations a requested byte", "bank conflicts (1 = none)")
    head += ("load/store", "arithmetic", "device memory")
    body = [
        (
            row["version"],
            f"{row['intensity']:.3g}",
            f"{row['bank_conflict']:.2f}" if row["bank_conflict"] else "–",
            *(milliseconds(row["pipes_ms"][pipe]) for pipe in ("load/store", "arithmetic", "memory")),
        )
        for row in section["ladder"]
    ]
    return markdown.table([head, *body]) + "\n"


def bytes_moved(section: dict | None = None, bench: dict | None = None) -> str:
    """Bytes for each element, by the shapes and by the tracer, and the time that they take at full size."""
    section, recorded = _sections(section, "headline")
    reached = {r["kernel"]: f"{r['of_ceiling']:.0%}" for r in (bench or recorded).get("rows", [])}
    head = ("kernel", "least, an element", "requested, traced", f"lower bound on an {section['machine']}")
    head += ("goal, of a copy's bandwidth", "reached")
    body = [
        (
            r["title"],
            f"{r['bytes']:.3g} B",
            f"{r['traced']:.3g} B",
            f"{r['lower_bound_us']:.0f} µs",
            f"{r['goal']:.0%}",
            reached.get(r["kernel"], "no GPU run yet"),
        )
        for r in section["bytes_moved"]
    ]
    return markdown.table([head, *body]) + "\n"


def bench(section: dict | None = None) -> str:
    """Every kernel on a GPU, its peers, and the ceilings measured there; a sentence where no such run is recorded."""
    section = section or record.read(record.COMMITTED).get("bench")
    if not section:
        return NO_GPU + "\n"
    head = ("kernel", "median", "range, µs (runs)", "of the ceiling", "goal", "speed", "goal")
    table = markdown.table([head, *map(_bench_row, section["rows"])])
    tb, tops = section["ceilings"]["bytes"] / 1e12, section["ceilings"]["operations"] / 1e12
    ceilings = f"Ceilings, measured in the same run: {tb:.2f} TB/s (copy), {tops:.0f} TOPS (torch._int_mm)."
    failed = [f"Not timed: {kernel}: {reason}." for kernel, reason in section["not_timed"].items()]
    return "\n\n".join([table, *failed, f"{section['device']}. {ceilings}", markdown.meta_line(section)]) + "\n"


def _bench_row(row: dict) -> tuple:
    return (
        row["kernel"],
        f"{row['median_us']:.1f} µs",
        f"{row['low_us']:.1f} to {row['high_us']:.1f} ({row['repeats']})",
        f"{row['of_ceiling']:.0%}",
        f"{row['goal']:.0%}: {_verdict(row['of_ceiling'] >= row['goal'])}" if row["goal"] else "",
        f"{row['speedup']:.2f}× {row['peer']}" if row["speedup"] else "",
        f"{row['goal_speedup']:.1f}×: {_verdict(row['speedup'] >= row['goal_speedup'])}" if row["goal_speedup"] else "",
    )


def peers(bench: dict | None = None) -> str:
    """The int8 GEMM beside the library's on the same GPU; a sentence where no GPU has run it."""
    bench = bench or record.read(record.COMMITTED).get("bench")
    limit = "The limit is the tensor cores' peak, 0.56 ms."
    if not bench:
        return f"The peer is `torch._int_mm`. {limit} No GPU has run these kernels yet.\n"
    names = {"torch._int_mm": "the peer, `torch._int_mm`,", "w8a8 wgmma": "`wgmma`"}
    names["w8a8 triton"] = "the same product in Triton"
    us = gpu_microseconds({"bench": bench})
    times = [f"{name} takes {milliseconds(us[key] / 1e3)}" for key, name in names.items() if key in us]
    return f"Measured on an {bench['device'].split(',')[0]}, where {', '.join(times)}. {limit}\n"


def _verdict(reached: bool) -> str:
    return "met" if reached else "**missed**"


def counters(section: dict | None = None) -> str:
    """What the tracer predicts of each kernel and what Nsight Compute counted, where such a run is recorded."""
    section = section or record.read(record.COMMITTED).get("counters")
    if not section:
        return ""
    shown = ("global load requests", "global load sectors", "global store sectors", "shared wavefronts")
    kernels = dict.fromkeys(row["kernel"] for row in section["rows"])
    cells = {
        (row["kernel"], row["counter"]): f"{row['traced']:,} / {row['counted']:,.0f}"
        for row in section["rows"]
        if row["traced"] is not None
    }
    body = [(kernel, *(cells.get((kernel, counter), "–") for counter in shown)) for kernel in kernels]
    table = markdown.table([("traced / counted", *shown), *body])
    exact = sum(_is_counted_alike(section["rows"], kernel) for kernel in kernels)
    note = f"{section['device']}, Nsight Compute. Requests and sectors of global memory are the same, to the last one, "
    note += f"in {exact} of {len(kernels)} kernels."
    return "\n\n".join([table, note, markdown.meta_line(section)]) + "\n"


def _is_counted_alike(rows: list[dict], kernel: str) -> bool:
    """Whether every counter of global memory is what the tracer says."""
    mine = [r for r in rows if r["kernel"] == kernel and r["counter"].startswith("global")]
    return bool(mine) and all(r["traced"] == r["counted"] for r in mine)


def real_layer(section: dict | None = None) -> str:
    """One layer of a real model: the relative error of each scheme."""
    section, _ = _sections(section, "real_layer")
    largest = section["largest"]
    head = ("scheme", f"the massive token (largest entry {largest['massive']:,.0f})")
    head += (f"the other {section['tokens'] - section['massive_tokens']} tokens (largest {largest['others']:.1f})",)
    body = [(row["scheme"], f"{row['massive']:.2%}", f"{row['others']:.2%}") for row in section["rows"]]
    note = f"`down_proj` of layer {section['layer']} of SmolLM2-135M-Instruct, error relative to float32. "
    note += "The file holds its weights in four bits with scales for 32 neighbours, another grid than ours of 128."
    return "\n\n".join([markdown.table([head, *body]), note, markdown.meta_line(section)]) + "\n"


def break_it(section: dict | None = None) -> str:
    """What each fault did."""
    section, _ = _sections(section, "break_it")
    parts = [_barriers(section["barriers"]), _wrong_axis(section["wrong_axis"]), _int8_sum(section["int8_sum"])]
    if found := section.get("bounds"):
        parts.append(_bounds(found))
    return "\n\n".join([*parts, markdown.meta_line(section)]) + "\n"


def _barriers(rows: list[dict]) -> str:
    orders = rows[0]["wrong"]
    body = [
        (
            row["kernel"],
            *(f"{count} of {row['of']}" for count in row["wrong"].values()),
            f"`{row['tracer']}`" if row["tracer"] else "clean",
        )
        for row in rows
    ]
    return markdown.table([("tiled GEMM", *(f"wrong, {order}" for order in orders), "the tracer"), *body])


def _wrong_axis(rows: list[dict]) -> str:
    body = [
        (
            row["kernel"],
            "right" if row["right"] else "wrong",
            row["sectors"],
            *(f"{array['per_request']:.0f} ({array['efficiency']:.0%})" for array in row["arrays"].values()),
            f"{row['wavefronts'] / row['ideal_wavefronts']:.2f}",
        )
        for row in rows
    ]
    head = ("threads run", "values", "sectors", "A, a request (efficiency)", "B", "C", "bank conflicts (1 = none)")
    return markdown.table([head, *body])


def _int8_sum(rows: list[dict]) -> str:
    shares = [f"{row['right']:.1%}" for row in rows]
    return markdown.table([("K", *(row["k"] for row in rows)), ("right, int8 sums of 4-bit operands", *shares)])


def _bounds(found: dict) -> str:
    inside = ", ".join(f"{count} {order}" for order, count in found["wrong_inside"].items())
    watchers = f"Without the bounds check the tracer says `{found['tracer']}`, the sanitizer `{found['sanitizer']}`."
    behind = f"Unguarded, {found['written_behind_the_end']} words behind the array are overwritten."
    return f"{watchers} {behind} Of {found['of']} results these are wrong: {inside}."


TRIALS = ("first trial", "second trial", "third trial")
VERDICTS = ("attempts", "named", "explained by a symptom", "falsely named", "told nothing useful", "RIGHT")


def trial(section: dict | None = None) -> str:
    """What the grader said to attempts by someone who had read only README and workbook: before and after repairs."""
    section = section or markdown.section("trial")
    rows = [
        (f"{name}, {kind}, {when}", *(each[kind][when].get(verdict, "–") for verdict in VERDICTS))
        for name, each in zip(TRIALS, section["trials"], strict=True)
        for kind in ("wrong", "right")
        for when in ("first", "last")
        if when in each[kind]
    ]
    return f"{markdown.table([('kernels, run', *VERDICTS), *rows])}\n\n{markdown.meta_line(section)}\n"
