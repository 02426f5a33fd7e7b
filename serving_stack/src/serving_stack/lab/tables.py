"""One table for each section, for the terminal, README and REPORT. Without a section, of the committed one."""

from .markdown import meta_line, section, spread, table


def summary() -> str:
    """The README's table: at most six rows."""
    head, race = section("headline"), section("bench")["milliseconds"]
    rows = [
        ("", "ours", "peer or limit"),
        ("entropy at temperature 0.1, nats", spread(head["entropy"]["0.1"]), "0 (limit)"),
        ("entropy at temperature 10, nats", spread(head["entropy"]["10.0"]), f"{head['limit']:.2f} (limit, log T)"),
        ("ms for 512 × 1,024 scores", spread(race["ours"]), f"{spread(race['torch.softmax'])} (torch.softmax)"),
    ]
    return f"{table(rows)}\n\n{meta_line(head)}\n"


def headline(content: dict | None = None) -> str:
    """Entropy by temperature."""
    content = content or section("headline")
    rows = [(name, spread(values, 3)) for name, values in content["entropy"].items()]
    rows.append((f"limit: log {content['tokens']}", f"{content['limit']:.3f}"))
    return f"{table([('temperature', 'entropy, nats'), *rows])}\n\n{meta_line(content)}\n"


def bench(content: dict | None = None) -> str:
    """Ours and the peer."""
    content = content or section("bench")
    rows = [(name, spread(values, 3)) for name, values in content["milliseconds"].items()]
    return f"{table([('', 'ms a call'), *rows])}\n\n{meta_line(content)}\n"


def break_it(content: dict | None = None) -> str:
    """What each mistake did."""
    content = content or section("break_it")
    rows = [(f"0 to {size}", f"{r['naive']:.0%}", f"{r['ours']:.0%}") for size, r in content["broken rows"].items()]
    head = ("scores", "rows with NaN, no maximum subtracted", "rows with NaN, ours")
    return f"{table([head, *rows])}\n\n{meta_line(content)}\n"
