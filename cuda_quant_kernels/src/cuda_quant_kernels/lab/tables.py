"""results.json as Markdown: the README's tables are made here, so they cannot drift from what was measured."""

from pathlib import Path

from . import record
from .plots import milliseconds

RESULTS = Path(__file__).resolve().parents[2] / "results" / "results.json"


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join([*lines, *("| " + " | ".join(row) + " |" for row in rows)]) + "\n"


def _meta(section: dict) -> str:
    meta = section["meta"]
    versions = ", ".join(f"{name} {version}" for name, version in meta["versions"].items())
    seed, commit = meta["seeds"][0], meta["commit"]
    return f"\n{meta['machine']}; Python {meta['python']}, {versions}; seed {seed}; commit {commit}; {meta['date']}.\n"


def _measured(results: dict) -> dict[str, dict]:
    """The rows of the GPU run by kernel; none where none is committed."""
    return {row["kernel"]: row for row in results.get("bench", {}).get("rows", [])}


def headline(results: dict | None = None) -> str:
    """The ladder: counted by the tracer, bounded by the roofline, measured where a GPU run is committed."""
    results = results or record.read(RESULTS)
    section, gpu = results["headline"], _measured(results)
    rows = []
    for row in section["ladder"]:
        name = f"w8a8 {row['version']}"
        per_pass = row["products_per_shared_pass"]
        rows.append(
            [
                row["version"],
                f"{row['sectors_per_request']:.0f} ({row['ideal_per_request']:.0f})",
                f"{per_pass:.0f}" if per_pass else "–",
                f"{row['conflict']:.2f}" if row["conflict"] else "–",
                f"{row['intensity']:.3g}",
                f"{milliseconds(row['floor_ms'])} ({row['bound']})",
                milliseconds(gpu[name]["median_us"] / 1e3) if name in gpu else "no GPU run yet",
            ]
        )
    head = [
        "version",
        "sectors a request (ideal)",
        "products a shared pass",
        "bank conflicts (1 = none)",
        "operations a byte",
        f"floor on an {section['machine']}, {section['side']}³",
        "measured",
    ]
    m, n, k = section["traced"]
    return (
        _table(head, rows)
        + f"\nCounted on {m} × {n} × {k}, where every version is exact. Ceilings: {section['source']}.{_meta(section)}"
    )


def ledger(results: dict | None = None) -> str:
    """Bytes for each element, by the shapes and by the tracer, and the time that they take at full size."""
    results = results or record.read(RESULTS)
    gpu = _measured(results)
    rows = [
        [
            r["what"],
            f"{r['bytes']:.3g} B",
            f"{r['traced']:.3g} B",
            f"{r['floor_us']:.0f} µs",
            f"{r['goal']:.0%}",
            f"{gpu[r['kernel']]['of_ceiling']:.0%}" if r["kernel"] in gpu else "no GPU run yet",
        ]
        for r in results["headline"]["ledger"]
    ]
    head = ["kernel", "least, an element", "asked for, traced", "floor on an H200", "goal, of the ceiling", "reached"]
    return _table(head, rows)


def bench(results: dict | None = None) -> str:
    """Every kernel on a GPU beside its peers and the ceilings measured there; where there is no such run, that."""
    section = (results or record.read(RESULTS)).get("bench")
    if not section:
        return (
            "**No GPU has run these kernels yet.** On a machine with one, `pytest` runs them there, and "
            "`python -m cuda_quant_kernels bench --out results` fills this table and the last columns of those above.\n"
        )
    rows = [
        [
            r["kernel"],
            f"{r['median_us']:.1f} µs",
            f"{r['low_us']:.1f} to {r['high_us']:.1f} ({r['repeats']})",
            f"{r['of_ceiling']:.0%}",
            f"{r['goal']:.0%}" if r["goal"] else "",
            f"{r['faster']:.2f}× {r['peer']}" if r["faster"] else "",
            f"{r['goal_faster']:.1f}×" if r["goal_faster"] else "",
        ]
        for r in section["rows"]
    ]
    head = ["kernel", "median", "range, µs (runs)", "of the ceiling", "goal", "as fast as", "goal"]
    ceilings = section["ceilings"]
    copied, multiplied = ceilings["bytes"] / 1e12, ceilings["operations"] / 1e12
    found = f"Ceilings, measured in the same run: {copied:.2f} TB/s (copy), {multiplied:.0f} TOPS (torch._int_mm)."
    refused = "".join(f"\nNot timed: {kernel}: {why}.\n" for kernel, why in section["not_timed"].items())
    return _table(head, rows) + refused + f"\n{section['device']}. {found}{_meta(section)}"


def counters(results: dict | None = None) -> str:
    """What the tracer predicted of each kernel and what Nsight Compute counted, where there is such a run."""
    section = (results or record.read(RESULTS)).get("counters")
    if not section:
        return ""
    shown = ("global load sectors", "global store sectors")
    shown += ("passes over shared memory", "passes lost to bank conflicts")
    kernels = dict.fromkeys(row["kernel"] for row in section["rows"])
    predicted = [row for row in section["rows"] if row["traced"] is not None]
    cells = {(row["kernel"], row["counter"]): f"{row['traced']:,} / {row['counted']:,.0f}" for row in predicted}
    rows = [[kernel, *(cells.get((kernel, counter), "–") for counter in shown)] for kernel in kernels]
    head = ["traced / counted", *shown]
    return _table(head, rows) + f"\n{section['device']}, Nsight Compute.{_meta(section)}"


def break_it(results: dict | None = None) -> str:
    """What each fault did."""
    section = (results or record.read(RESULTS))["break_it"]
    rows = [
        [
            k["kernel"],
            *(f"{n} of {k['of']}" for n in k["wrong"].values()),
            f"`{k['tracer'][0]}`" if k["tracer"] else "clean",
        ]
        for k in section["barriers"]
    ]
    text = _table(["tiled product", *(f"wrong, {o}" for o in section["barriers"][0]["wrong"]), "the tracer"], rows)
    rows = [
        [
            w["kernel"],
            "right" if w["right"] else "wrong",
            str(w["sectors"]),
            *(f"{w['arrays'][n]['per_request']:.0f} ({w['arrays'][n]['efficiency']:.0%})" for n in "abc"),
            f"{w['ways'] / w['ways_ideal']:.2f}",
        ]
        for w in section["wrong_way"]
    ]
    text += "\n" + _table(
        ["threads run", "values", "sectors", "A, a request (efficiency)", "B", "C", "bank conflicts"], rows
    )
    text += "\n" + _table(
        ["K", *(str(s["k"]) for s in section["int8_sum"])],
        [["right, int8 sums of 4-bit operands", *(f"{s['right']:.0%}" for s in section["int8_sum"])]],
    )
    if b := section.get("bounds"):
        inside = ", ".join(f"{n} {order}" for order, n in b["wrong_inside"].items())
        text += f"\nWithout the bounds check the tracer says `{b['tracer']}`, the sanitizer `{b['sanitizer']}`. "
        text += f"Unguarded, {b['written_behind_the_end']} words behind the array are overwritten, "
        text += f"and of {b['of']} results are wrong: {inside}.\n"
    return text + _meta(section)
