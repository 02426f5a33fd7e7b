"""Tables in markdown, made from the recorded results. README's and REPORT's are generated with these, by cog.

`headline`, `bench`, `break_it` and `families` make a whole section. The others make one table each.
"""

import json

from . import bench_tables, families_tables, markdown


def headline(section: dict | None = None) -> str:
    """The tables of the headline experiment."""
    section = section or markdown.section("headline")
    parts = [facts(section), compression(section), premium(section), kinds(section), merges(section)]
    return "\n\n".join([*parts, markdown.meta_line(section)])


def bench(section: dict | None = None) -> str:
    """The tables of the bench."""
    section = section or markdown.section("bench")
    b = bench_tables
    parts = [b.train(section), b.encode(section), b.scripts(section), b.plain(section), b.growth(section)]
    return "\n\n".join([*filter(None, parts), markdown.meta_line(section)])


def peers(section: dict | None = None) -> str:
    """The README's short table of the bench."""
    return bench_tables.peers(section or markdown.section("bench"))


def families(section: dict | None = None) -> str:
    """The tables of the side quest."""
    section = section or markdown.section("families")
    f = families_tables
    parts = [f.tokenization(section), f.loss(section), f.likelihood(section), f.sentencepiece(section)]
    return "\n\n".join([*filter(None, parts), markdown.meta_line(section)])


def facts(section: dict | None = None) -> str:
    """The headline's numbers in two sentences."""
    section = section or markdown.section("headline")
    s, largest = section["summary"], section["compression"]["sizes"][-1]
    text = {"declaration": "the Declaration of Human Rights", "sentences": "one sentence"}[s["text"]]
    return (
        f"With a vocabulary of {largest:,}, one token carries {s['bytes_per_token']:.2f} bytes of held-out English. "
        f"With {section['vocabulary']:,}, {text} in {s['highest']} takes {s['premium']:.1f} times as many tokens as in "
        f"English."
    )


def compression(section: dict | None = None) -> str:
    """Bytes per token by vocabulary size."""
    c = (section or markdown.section("headline"))["compression"]
    rows = [["vocabulary", *(f"{kind}, bytes per token" for kind in c["curves"])]]
    for i, size in enumerate(c["sizes"]):
        rows.append(
            [f"{size:,}", *(markdown.spread([curve[i] for curve in curves]) for curves in c["curves"].values())]
        )
    rows.append(["limit: the split alone", *(f"{c['limits'][kind]:.2f}" for kind in c["curves"])])
    return markdown.table(rows)


def premium(section: dict | None = None, text: str | None = None) -> str:
    """Tokens relative to English, by language."""
    by_text = (section or markdown.section("headline"))["premium"]
    by_name = by_text[text or ("declaration" if "declaration" in by_text else "sentences")]
    first = next(iter(by_name.values()))
    head = ["language", *(f"{name}: × English" for name in by_name), "ours: per character", "per byte", "per word"]
    rows = [head]
    for language in sorted(first, key=lambda name: first[name]["premium"]):
        count = first[language]
        per_word = f"{count['per_word']:.1f}" if count["per_word"] else "no spaces"
        ours = [f"{count['per_character']:.2f}", f"{count['per_byte']:.2f}", per_word]
        rows.append([language, *(f"{languages[language]['premium']:.2f}" for languages in by_name.values()), *ours])
    return markdown.table(rows)


def kinds(section: dict | None = None) -> str:
    """Digits and emoji."""
    by_name = (section or markdown.section("headline"))["kinds"]
    rows = [["text", *(f"{name}: tokens per character" for name in by_name)]]
    for kind in next(iter(by_name.values())):
        rows.append([kind, *(f"{counts[kind]['per_character']:.2f}" for counts in by_name.values())])
    return markdown.table(rows)


def merges(section: dict | None = None) -> str:
    """The first merges and the last."""
    m = (section or markdown.section("headline"))["merges"]
    rows = [["first", "token", "made of", "used", "last", "token", "made of", "used"]]
    for a, b in zip(m["first"], m["last"], strict=True):
        rows.append([cell for row in (a, b) for cell in merge_cells(row)])
    return markdown.table(rows)


def merge_cells(row: dict) -> list[object]:
    return [row["id"], code(row["token"]), " + ".join(map(code, row["of"])), row["count"]]


def code(token: str) -> str:
    """A token in a table: as a JSON string, so that spaces and line ends show."""
    return "`" + json.dumps(token, ensure_ascii=False) + "`"


def break_it(section: dict | None = None) -> str:
    """One row for each experiment: the change, and its outcome."""
    section = section or markdown.section("break_it")
    rows = [["change", "what happened"], *break_it_rows(section)]
    return markdown.table(rows) + "\n\n" + markdown.meta_line(section)


def break_it_rows(section: dict) -> list[list[str]]:
    """The numbers behind each claim of `break_it.EXPERIMENTS`."""
    w, c, h = section["no_split"], section["characters"], section["hindi"]
    g, n = section["longest_match"], section["never_seen"]
    both = f"; learned from both, {h['both']}, and English then costs {h['english_cost']:.2f} ×" if "both" in h else ""
    digits = [
        [
            f"digits {name}",
            f"{x['tokens_per_number']:.2f} tokens per four-digit number, ways to split: {len(x['shapes'])}; columns "
            f"line up in {x['aligned']:.0%} of sums",
        ]
        for name, x in section["digits"].items()
    ]
    return [
        [
            "train without a split",
            f"{w['no_split']['crossing_share']:.0%} of the tokens run past the end of a word "
            f"({w['split']['crossing_share']:.0%} with the split); held-out bytes per token "
            f"{w['no_split']['bytes_per_token_held_out']:.2f} ({w['split']['bytes_per_token_held_out']:.2f} with)",
        ],
        [
            "characters instead of bytes",
            f"{c['known']} characters known; unknown in {c['languages_with_unknowns']} of {len(c['unknown'])} "
            f"languages: Hindi {c['unknown']['Hindi']:.0%}, Chinese {c['unknown']['Chinese']:.0%}",
        ],
        [
            "English tokens for Hindi",
            f"{h['characters']} characters are {h['bytes']} bytes and {h['english']} tokens{both}",
        ],
        *digits,
        [
            "longest match instead of rank",
            f"{g['changed']:.1%} of the pre-tokens get other ids; {g['tokens_by_length']:,} tokens instead of "
            f"{g['tokens_by_rank']:,}",
        ],
        [
            "tokens never seen",
            f"of {n['merges']:,} merges, {n['same_text']} do not occur in the training text itself, {n['other_text']} "
            f"not in as much code",
        ],
    ]


def trial(section: dict | None = None) -> str:
    """What the grader said of attempts by someone who knew README and workbook only: first, and after the repairs."""
    trials = (section or markdown.section("trial"))["trials"]
    ordinals = [f"{which} trial" for which in ("first", "second", "third", "fourth")]
    kinds = list(trials[0]["wrong"]["first"])
    rows, said = [["wrong attempts", "number", *kinds]], []
    for name, each in zip(ordinals, trials, strict=True):
        for run in ("first", "last"):
            counts = each["wrong"][run]
            rows.append([f"{name}, {run} run", sum(counts.values()), *(counts[kind] for kind in kinds)])
        right = each["right"]
        said.append(
            f"Of {right['attempts']} right attempts in other styles of the {name}, {right['first']} were RIGHT in its "
            f"first run and {right['last']} in its last ({each['date']})."
        )
    return f"{markdown.table(rows)}\n\n{' '.join(said)}"
