"""One table for each section, for the terminal, README and REPORT. Without a section, of the committed one."""

import math
from statistics import median

from .bench import MOST_OVER_BOUND, WANTED, ratio
from .markdown import goals, meta_line, section, spread, table

FULL = "full"
CURRICULUM = ("full, easy to hard", "full, the same draws shuffled")


def percent(values: list[float]) -> str:
    """Shares as percentages: median and range."""
    return spread([100 * v for v in values], 0, "%")


def thousands(number: int | float) -> str:
    return f"{number:,.0f}"


def summary() -> str:
    """The README's table: at most six rows."""
    h, b, s = section("headline"), section("bench"), section("smollm2")
    runs, packed = h["runs"], b["packing"]
    lora = runs["LoRA, r = 4"]
    share = lora["parameters"][0] / runs[FULL]["parameters"][0]
    rows = [
        ("", "ours", "peer or limit"),
        (
            "held-out questions answered: base, full, LoRA r = 4",
            f"{percent(runs['base']['facts'])}, {percent(runs[FULL]['facts'])}, {percent(lora['facts'])}",
            "100 %",
        ),
        (
            "numbers that LoRA r = 4 trains",
            f"{thousands(lora['parameters'][0])} ({share:.0%})",
            f"{thousands(runs[FULL]['parameters'][0])} (full)",
        ),
        (
            "SmolLM2, held-out prompts: JSON as asked; sums right",
            f"{before_after(s, 'json')}; {before_after(s, 'sums right')}",
            f"before and after {s['seconds']:.0f} s of LoRA",
        ),
        (
            f"rows for {thousands(packed['sequences'])} sequences",
            thousands(packed["rows"]["ours"]),
            f"{thousands(packed['rows']['TRL'])} (TRL), {thousands(packed['lower bound'])} (lower bound)",
        ),
        ("packing, ms", spread(packed["milliseconds"]["ours"], 0), f"{spread(packed['milliseconds']['TRL'], 0)} (TRL)"),
        (
            "a LoRA step, ms",
            spread(b["LoRA step"]["milliseconds"]["ours"], 0),
            f"{spread(b['LoRA step']['milliseconds']['peft'], 0)} (peft)",
        ),
    ]
    return f"{table(rows)}\n\n{meta_line(b)}\n"


def before_after(s: dict, key: str) -> str:
    return f"{s['before'][key]:.0%} → {s['after'][key]:.0%}"


def headline(content: dict | None = None) -> str:
    """Every run, then packing."""
    content = content or section("headline")
    rows = [
        (
            "",
            "held-out questions",
            "the same facts as prose",
            "sums by the tool",
            "gold loss",
            "forgetting",
            "trained numbers",
            "optimizer, KB",
            "model, KB",
            "CPU s",
        )
    ]
    for name, run in content["runs"].items():
        rows.append(
            (
                name,
                percent(run["facts"]),
                percent(run["prose"]),
                percent(run["sums"]),
                spread(run["gold loss"], 2),
                spread(run["forgetting"], 2),
                thousands(median(run["parameters"])),
                f"{median(run['optimizer']) / 1e3:,.0f}",
                f"{median(run['bytes']) / 1e3:,.0f}",
                spread(run["seconds"], 1),
            )
        )
    note = (
        f"{content['examples']} answers to learn from, {content['steps']} steps of 32; the base read "
        f"{content['base steps']} batches. Held-out questions: 180 about 20 countries that no tuned answer names. "
        "The same facts as prose: the share that the model completes in a sentence of the base text. "
        "Sums: 60 new ones, right when the call, run, gives the right number. Gold loss in nats a token; forgetting: "
        "nats a token more on base text."
    )
    return f"{table(rows)}\n\n<sub>{note}</sub>\n\n{packing(content['packing'])}\n\n{meta_line(content)}\n"


def packing(p: dict) -> str:
    """Shares of tokens that are no padding."""
    rows = [("how rows are filled", "tokens that are no padding")]
    rows += [(name, f"{p[name]:.2%}") for name in ("to the longest of all", "to the batch's longest", "packed")]
    packed, least = thousands(p["rows"]), thousands(p["lower bound"])
    note = f"{thousands(p['sequences'])} lengths, lognormal; {packed} packed rows, {least} at least."
    return f"{table(rows)}\n\n<sub>{note}</sub>"


def orders(content: dict | None = None) -> str:
    """Easy to hard beside shuffled, seed by seed."""
    runs = (content or section("headline"))["runs"]
    easy, mixed = (runs[name] for name in CURRICULUM)
    facts = [f"{a:.0%} against {b:.0%}" for a, b in zip(easy["facts"], mixed["facts"], strict=True)]
    return (
        f"Easy to hard beside shuffled, held-out questions seed by seed: {'; '.join(facts)}. Gold loss: "
        f"{spread(easy['gold loss'])} against {spread(mixed['gold loss'])}.\n"
    )


def smollm2(content: dict | None = None) -> str:
    """Before and after, and four bits."""
    s = content or section("smollm2")
    names = {
        "json": "answers that are the JSON asked for",
        "json and right": "JSON and the right answer",
        "calls": "valid calls of the calculator",
        "sums right": "sums right in the end",
    }
    rows = [
        ("held-out prompts", "before", "after"),
        *((n, f"{s['before'][k]:.0%}", f"{s['after'][k]:.0%}") for k, n in names.items()),
    ]
    bits = [("weights", "MB", "loss, nats a token", "perplexity")]
    bits += [
        (n, f"{s['bytes'][n] / 1e6:.1f}", f"{s['loss'][n]:.3f}", f"{math.exp(s['loss'][n]):.1f}") for n in s["bytes"]
    ]
    said = [("", "before", "after")]
    for i, name in enumerate(("JSON", "a sum", "the sum's answer")):
        said.append((name, *(code(s[when]["says"][i]) for when in ("before", "after"))))
    said.append(("an ordinary question", *(code(s[when]["chat"]) for when in ("before", "after"))))
    note = (
        f"{s['prompts']} prompts of each kind; {s['examples']} examples, {s['steps']} steps of 512 tokens, "
        f"{s['seconds']:.0f} s. "
        f"LoRA r = 8 trains {thousands(s['parameters'])} numbers ({s['adapters'] / 1e6:.1f} MB). Base text: "
        f"{s['loss']['fp32']:.3f} nats before, {s['loss after']:.3f} after. In four bits: the 210 linear layers; the "
        "embedding stays in float32. The file's weights lie on a 4-bit grid of blocks of 32; "
        "NF4 takes other blocks, of 64."
    )
    return f"{table(rows)}\n\n{table(said)}\n\n{table(bits)}\n\n<sub>{note}</sub>\n\n{meta_line(s)}\n"


def code(text: str) -> str:
    """An answer in one cell of a table."""
    short = " ".join(text.split())
    return f"`{short[:110]}{'…' if len(short) > 110 else ''}`"


def instructions(content: dict | None = None) -> str:
    """Scores on held-out real instructions before and after, and one answer."""
    s = content or section("instructions")
    before, after = s["before"], s["after"]
    shown = {"gold loss": "{:.3f}", "exact match": "{:.0%}", "ROUGE-L": "{:.3f}", "BLEU": "{:.1f}", "chrF": "{:.1f}"}
    units = {"gold loss": "gold loss, nats a token"}
    rows = [("held-out instructions", "before", "after")]
    rows += [(units.get(n, n), form.format(before[n]), form.format(after[n])) for n, form in shown.items()]
    said = [("", "the first of them"), ("instruction", code(s["question"])), ("gold", code(before["gold"]))]
    said += [("before", code(before["says"])), ("after", code(after["says"]))]
    note = (
        f"{s['prompts']} held-out instructions, answers of 40 tokens at most. {thousands(s['examples'])} others fill "
        f"{s['rows']} rows of 256 tokens; {s['steps']} steps of LoRA read {s['rows seen']} of them, "
        f"{s['seconds']:.0f} s."
    )
    return f"{table(rows)}\n\n{table(said)}\n\n<sub>{note}</sub>\n\n{meta_line(s)}\n"


def bench(content: dict | None = None) -> str:
    """Ours, the peers, and the goals."""
    b = content or section("bench")
    sides = {"packing": ("ours", "TRL"), "useful tokens": ("packed", "padded"), "LoRA step": ("ours", "peft")}
    rows = [("", "CPU ms", "times ours")]
    for part, (ours, theirs) in sides.items():
        times = b[part]["milliseconds"]
        rows.append((f"{part}: {ours}", spread(times[ours], 1), "1"))
        rows.append((f"{part}: {theirs}", spread(times[theirs], 1), f"{ratio(b[part], ours, theirs):.2f}"))
    p, shares = b["packing"], b["useful tokens"]["shares"]
    sentence = (
        f"Rows: ours {thousands(p['rows']['ours'])}, TRL {thousands(p['rows']['TRL'])}, lower bound "
        f"{thousands(p['lower bound'])}. Useful tokens: {shares['packed']:.1%} packed, {shares['padded']:.1%} padded; "
        f"counted alone, that is {shares['packed'] / shares['padded']:.1f} times."
    )
    wanted = [
        (f"times faster: {part}", WANTED[part], ratio(b[part], *sides[part]), f"than {sides[part][1]}")
        for part in sides
    ]
    over = [("rows over the lower bound", MOST_OVER_BOUND, p["rows"]["ours"] / p["lower bound"], "at most")]
    return f"{table(rows)}\n\n{sentence}\n\n{goals(wanted)}\n\n{goals(over, at_most=True)}\n\n{meta_line(b)}\n"


def break_it(content: dict | None = None) -> str:
    """A row an experiment."""
    b = content or section("break_it")
    rows = [("experiment", "held-out questions", "sums", "gold loss", "forgetting", "tokens of an answer")]
    for name, r in b["runs"].items():
        rows.append(
            (
                name,
                f"{r['facts']:.0%}",
                f"{r['sums']:.0%}",
                f"{r['gold loss']:.2f}",
                f"{r['forgetting']:.2f}",
                f"{r['tokens']:.1f}",
            )
        )
    three = b["runs"]["three examples"]["on the three"]
    counts = {n: thousands(r["parameters"]) for n, r in b["runs"].items() if n.startswith("LoRA")}
    note = (
        f"One seed, {b['steps']} steps each. The three examples have a loss of {three:.4f} in the end. "
        + "; ".join(f"{n} trains {c} numbers" for n, c in counts.items())
        + "."
    )
    return f"{table(rows)}\n\n<sub>{note}</sub>\n\n{meta_line(b)}\n"


def variants(content: dict | None = None) -> str:
    """LoRA and its variants."""
    v = content or section("variants")
    rows = [("", "held-out questions", "sums", "gold loss", "forgetting", "trained numbers")]
    for name, r in v["runs"].items():
        rows.append(
            (
                name,
                f"{r['facts']:.0%}",
                f"{r['sums']:.0%}",
                f"{r['gold loss']:.2f}",
                f"{r['forgetting']:.2f}",
                thousands(r["parameters"]),
            )
        )
    note = f"One seed, {v['steps']} steps each: differences of a few per cent mean nothing."
    return f"{table(rows)}\n\n<sub>{note}</sub>\n\n{meta_line(v)}\n"


def trial(content: dict | None = None) -> str:
    """What the grader said of attempts by readers who knew README and workbook only: first, and after the repairs."""
    trials = (content or section("trial"))["trials"]
    kinds = tuple(trials[0]["wrong"]["first"])
    rows, said = [("wrong attempts", "number", *kinds)], []
    for name, each_trial in zip(("first trial", "second trial"), trials, strict=True):
        for run in ("first", "last"):
            counts = each_trial["wrong"][run]
            rows.append((f"{name}, {run} run", sum(counts.values()), *(counts[kind] for kind in kinds)))
        right = each_trial["right"]
        said.append(
            f"Of {right['attempts']} right attempts of the {name}, {right['first']} were RIGHT in its first run and "
            f"{right['last']} in its last. {each_trial['note']} {each_trial['date']}."
        )
    said.append("The first runs are the measure: what they found was repaired before the last ones.")
    return "\n\n".join([table(rows), *said]) + "\n"


def surprises(content: dict | None = None) -> str:
    """LoRA beside full tuning on what was not asked in training, and what both forget."""
    runs = (content or section("headline"))["runs"]
    full, lora, four = (runs[name] for name in (FULL, "LoRA, r = 4", "QLoRA, r = 4"))
    found = sum(share > 0.5 for share in lora["facts"])
    return (
        f"The outcome depends on the seed. Seed by seed, LoRA of rank 4 answers {each(lora['facts'])} of the held-out "
        f"questions, full tuning {each(full['facts'])}, LoRA on four bits {each(four['facts'])}. Each base knows the "
        f"facts: it completes {each(runs['base']['prose'])} of them as prose. In {found} of {len(lora['facts'])} runs "
        "tuning on 40 countries teaches the model to answer about the other 20. In the others it learns the form, and "
        "fills in what tuned answers have named, while it can still recite most facts.\n\n"
        f"LoRA does not forget less: the loss on base text rises by {spread(lora['forgetting'])} nats a token, and "
        f"after full tuning by {spread(full['forgetting'])}. Its learning rate is five times as high.\n\n"
    )


def each(shares: list[float]) -> str:
    """Shares seed by seed."""
    return ", ".join(f"{share:.0%}" for share in shares)
