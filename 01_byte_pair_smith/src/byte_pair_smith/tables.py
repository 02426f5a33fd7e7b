"""Tables in markdown, made from results/results.json. The README's are generated with these, by cog."""
import json
import statistics
from collections.abc import Sequence
from pathlib import Path

RESULTS = Path(__file__).resolve().parents[2] / "results" / "results.json"


def load(section: str) -> dict:
    """One section of the committed results."""
    return json.loads(RESULTS.read_text(encoding="utf-8"))[section]


def table(head: Sequence[str], rows: Sequence[Sequence[object]], left: int = 1) -> str:
    """A markdown table whose first `left` columns are text and whose others are numbers."""
    rule = ["---"] * left + ["---:"] * (len(head) - left)
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in (head, rule, *rows)) + "\n"


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Median and range."""
    return f"{statistics.median(values):.{digits}f} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def source(section: str) -> str:
    """One line on where the numbers of a section come from."""
    m = load(section)["meta"]
    libraries = ", ".join(f"{name} {number}" for name, number in m["versions"].items())
    seeds = f"seeds {m['seeds'][0]} to {m['seeds'][-1]}" if len(m["seeds"]) > 1 else f"seed {m['seeds'][0]}"
    return (f"{m['machine']}; one thread; Python {m['python']}; {libraries}; text: {m['data']}; {seeds}; "
            f"commit {m['commit']}, {m['date']}.\n")


def code(token: str) -> str:
    """A token in a table: as a JSON string, so that spaces and line ends show, with the column's mark escaped."""
    return "`" + json.dumps(token, ensure_ascii=False).replace("|", "\\|") + "`"


# ---------------------------------------------------------------- headline

def compression(found: dict | None = None) -> str:
    """Bytes per token by vocabulary size."""
    found = (found or load("headline"))["compression"]
    kinds = list(found["curves"])
    rows = [[f"{size:,}", *(spread([curve[i] for curve in found["curves"][kind]]) for kind in kinds)]
            for i, size in enumerate(found["sizes"])]
    rows.append(["limit: the split alone", *(f"{found['limits'][kind]:.2f}" for kind in kinds)])
    return table(["vocabulary", *(f"{kind}, bytes per token" for kind in kinds)], rows)


def tax(found: dict | None = None, text: str | None = None) -> str:
    """Tokens beside English, by language."""
    found = (found or load("headline"))["tax"]
    prices = found[text or ("declaration" if "declaration" in found else "sentences")]
    names = list(prices)
    first = prices[names[0]]
    rows = [[language, *(f"{prices[name][language]['tax']:.2f}" for name in names),
             f"{first[language]['per_character']:.2f}", f"{first[language]['per_byte']:.2f}",
             f"{first[language]['per_word']:.1f}" if first[language]["per_word"] else "no spaces"]
            for language in sorted(first, key=lambda name: first[name]["tax"])]
    head = ["language", *(f"{name}: × English" for name in names), "ours: per character", "per byte", "per word"]
    return table(head, rows)


def kinds(found: dict | None = None) -> str:
    """Digits and emoji."""
    found = (found or load("headline"))["kinds"]
    names = list(found)
    rows = [[kind, *(f"{found[name][kind]['per_character']:.2f}" for name in names)] for kind in found[names[0]]]
    return table(["text", *(f"{name}: tokens per character" for name in names)], rows)


def merges(found: dict | None = None) -> str:
    """The first merges and the last."""
    found = (found or load("headline"))["merges"]
    rows = [[a["id"], code(a["token"]), " + ".join(map(code, a["of"])), a["count"],
             b["id"], code(b["token"]), " + ".join(map(code, b["of"])), b["count"]]
            for a, b in zip(found["first"], found["last"], strict=True)]
    return table(["first", "token", "made of", "used", "last", "token", "made of", "used"], rows, 8)


# ---------------------------------------------------------------- break it

def break_it(found: dict | None = None) -> str:
    """One line for each experiment: what was done, what happened."""
    f = found or load("break_it")
    w, h, n = f["without a split"], f["English tokens for Hindi"], f["tokens never seen"]
    c, d, g = f["characters instead of bytes"], f["digits"], f["left to right instead of by rank"]
    both = f"; learnt from both, {h['both']}, and English then costs {h['english_cost']:.2f} ×" if "both" in h else ""
    rows = [
        ["train without a split", f"{w['whole']['glued_share']:.0%} of the tokens run on past a word's end "
         f"({w['split']['glued_share']:.0%} with the split); held-out bytes per token "
         f"{w['whole']['bytes_per_token_held_out']:.2f} ({w['split']['bytes_per_token_held_out']:.2f} with)"],
        ["characters instead of bytes", f"{c['known']} characters known; unknown in {c['languages_with_unknowns']} of "
         f"{len(c['unknown'])} languages: Hindi {c['unknown']['Hindi']:.0%}, Chinese {c['unknown']['Chinese']:.0%}"],
        ["English tokens for Hindi",
         f"{h['characters']} characters are {h['bytes']} bytes and {h['english']} tokens{both}"],
        *[[f"digits {name}", f"{x['tokens_per_number']:.2f} tokens per four-digit number, ways to cut it: "
           f"{len(x['shapes'])}; columns line up in {x['aligned']:.0%} of sums"] for name, x in d.items()],
        ["longest match instead of rank", f"{g['changed']:.1%} of the pieces get other ids; tokens in all "
         f"{g['tokens_by_length']:,} instead of {g['tokens_by_rank']:,}"],
        ["tokens never seen", f"of {n['merges']:,} merges {n['same_text']} do not occur in the training text itself, "
         f"{n['other_text']} not in as much code"]]
    return table(["change", "what happened"], rows, 2)


# ---------------------------------------------------------------- the side quest

def families() -> str:
    """How each family cuts the same text, and what that does to a model's loss."""
    from .families import compare
    return compare.table(load("families")) + "\n"


def families_peer() -> str:
    """Unigram beside SentencePiece."""
    from .families import compare
    return compare.peer_table(load("families")) + "\n"


def printed(section: str, found: dict) -> str:
    """The tables of one section, for a terminal."""
    from . import bench_tables
    b = bench_tables
    parts = {"headline": [compression, tax, merges], "break_it": [break_it],
             "bench": [b.train, b.encode, b.scripts, b.plain, b.growth]}[section]
    return "\n".join(part(found) for part in parts)


def facts() -> str:
    """The headline's numbers in two sentences."""
    found = load("headline")
    h, largest = found["headline"], found["compression"]["sizes"][-1]
    what = {"declaration": "the Declaration of Human Rights", "sentences": "one sentence"}[h["text"]]
    return (f"A vocabulary of {largest:,} tokens, learnt from four tenths of a megabyte of English, carries "
            f"{h['bytes_per_token']:.2f} bytes of unseen English in each token. Under one of {found['vocabulary']:,}, "
            f"{what} in {h['dearest']} takes {h['tax']:.1f} times as many tokens as in English.\n")
