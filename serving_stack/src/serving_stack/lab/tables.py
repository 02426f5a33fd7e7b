"""One table for each section, for the terminal, README and REPORT. Without a section, of the committed one."""

from statistics import median

from .bench import BATCH16, CONTINUOUS, OURS, SMALL, STATIC
from .bench import goal_figures as bench_figures
from .experiment import goal_figures
from .markdown import goals, meta_line, section, spread, table


def summary() -> str:
    """The README's table: at most six rows."""
    head, race, many = section("headline"), section("bench"), section("schedules")
    rates, times = race["trace"]["rates"], head["first token"]["times"]
    best = max((OURS, BATCH16), key=lambda name: median(rates[name]))
    routing = {name: [r["p50"] for r in rows] for name, rows in race["routing"].items()}
    ms = race["attention"]["milliseconds"]
    rows = [
        ("", "ours", "peer or limit"),
        (
            "useful tokens a CPU second, 24 requests, GPT-2 of 124M",
            spread(rates[best], 0),
            f"{spread(rates[STATIC], 0)} (transformers, static)",
        ),
        (
            "p99 seconds to the first token at load 0.8",
            spread(times["continuous"]["p99"]),
            f"{spread(times['static']['p99'])} (static batches)",
        ),
        (
            "memory that holds tokens",
            f"{head['memory']['paged']:.0%}",
            f"{head['memory']['contiguous']:.0%} (reserved for the longest)",
        ),
        (
            "attention through a block table, ms",
            spread(ms["pool, no gather"], 1),
            f"{spread(ms['contiguous, SDPA'], 1)} (contiguous, SDPA)",
        ),
        (
            "p50 seconds to the first token, 4 workers",
            spread(routing["least work after cache"]),
            f"{spread(routing['least loaded'])} (least loaded)",
        ),
        (
            f"random schedules without a fault, {len(many['faults'])} planted faults",
            f"{many['schedules']:,}",
            f"{sum(f['schedule'] is not None for f in many['faults'].values())} found",
        ),
    ]
    return f"{table(rows)}\n\n{meta_line(race)}\n"


def headline(content: dict | None = None) -> str:
    """The race, the line, the memory, the answer."""
    content = content or section("headline")
    race, line, times = content["race"], content["line"], content["first token"]["times"]
    rows = [("", "useful tokens a CPU second", "steps", "first token p50, s", "p99, s", "longest gap, s")]
    for name in ("static", "continuous"):
        t = times[name]
        rows.append(
            (
                name,
                spread(race["rate"][name], 1),
                race["steps"][name],
                spread(t["p50"], 3),
                spread(t["p99"], 2),
                spread(t["gap"], 3),
            )
        )
    m, answer = content["memory"], content["answer"]
    lines = [
        table(rows),
        f"A step costs {1e3 * line['a']:.1f} ms + {1e3 * line['b']:.3f} ms a token. Of the reserved memory, "
        f"{m['paged']:.1%} holds tokens with blocks, {m['whole request']:.1%} if each request reserves its own length, "
        f"{m['contiguous']:.1%} if it reserves the longest.",
        f"The server was asked: “{answer['question']}” It answered: “{answer['answer']}” "
        f"({answer['usage']['completion_tokens']} tokens in {answer['seconds']:.2f} s)",
        headline_goals(content),
        meta_line(content),
    ]
    return "\n\n".join(lines) + "\n"


def headline_goals(content: dict) -> str:
    got = goal_figures(content)
    return goals(
        [
            ("p99 to the first token, static / continuous", 8, got["p99"], "load 0.8, virtual clock"),
            ("useful tokens, continuous / static", 1.2, got["throughput"], "ended rows cost static nothing"),
        ]
    )


def bench(content: dict | None = None) -> str:
    """Ours and the peers."""
    content = content or section("bench")
    trace, eight = content["trace"], content["eight"]
    rows = [("24 requests, GPT-2 of 124M, float32", "useful tokens a CPU second", "times static", "equal answers")]
    for name in (STATIC, CONTINUOUS, OURS, BATCH16, SMALL):
        rates, equal = trace["rates"][name], trace["equal"].get(name, "")
        ratio = median(a / b for a, b in zip(rates, trace["rates"][STATIC], strict=True)) if rates else None
        same = f"{equal} of {trace['requests']}" if isinstance(equal, int) else equal
        rows.append((name, spread(rates, 1) if rates else "did not run", f"{ratio:.2f}×" if ratio else "", same))
    pair = [("a batch of eight, 24 tokens each", "tokens a CPU second"), *((n, spread(v, 1)) for n, v in eight.items())]
    ms = content["attention"]["milliseconds"]
    form = [("attention of 8 requests over 512 tokens, 12 layers", "ms"), *((n, spread(v, 2)) for n, v in ms.items())]
    lines = [table(rows), table(pair), table(form), routing(content), bench_goals(content), meta_line(content)]
    return "\n\n".join(lines) + "\n"


def routing(content: dict) -> str:
    rows = [("4 workers, virtual clock", "prompt tokens found", "first token p50, s", "p99, s")]
    for name, found in content["routing"].items():
        rows.append(
            (
                name,
                f"{median(r['found'] for r in found):.0%}",
                spread([r["p50"] for r in found], 3),
                spread([r["p99"] for r in found], 2),
            )
        )
    return table(rows)


def bench_goals(content: dict) -> str:
    got = bench_figures(content)
    rows = [
        ("trace, times transformers static", 3.5, got["trace"], "float32"),
        ("trace, times transformers static", 6.0, got["w8a8"], "W8A8"),
        ("batch of 8, times transformers", 1.5, got["eight"], "one thread"),
        ("routing, least loaded / least work after cache", 2.5, got["routing"], "p50"),
    ]
    if "continuous" in got:
        rows.insert(1, ("trace, times transformers' continuous batching", 1.5, got["continuous"], "float32"))
    most = [("attention without gather / contiguous SDPA", 1.15, got["attention"], f"a gather: {got['gather']:.2f}×")]
    return f"{goals(rows)}\n\n{goals(most, at_most=True)}"


def smollm2(content: dict | None = None) -> str:
    """The real model."""
    content = content or section("smollm2")
    chat = content["chat"]
    rows = [("SmolLM2-135M, float32", "tokens a CPU second")]
    rows += [(name, spread(values, 1)) for name, values in content["rates"].items()]
    said = (
        f"“{chat['question']}” “{chat['answer']}” ({chat['usage']['completion_tokens']} tokens, "
        f"{chat['seconds']:.1f} s). A step reads {content['bytes of weights'] / 1e6:.0f} MB of weights."
    )
    return f"{table(rows)}\n\n{said}\n\n{meta_line(content)}\n"


def break_it(content: dict | None = None) -> str:
    """What each mistake did."""
    content = content or section("break_it")
    sizes, chunks, tag = content["block sizes"], content["no chunks"], content["no tag"]
    slow, dead = content["slow reader"], content["killed replica"]
    noise = content["noisy neighbour"]
    rows = [("experiment", "what happens")]
    for size, r in sizes.items():
        rows.append(
            (
                f"blocks of {size}",
                f"{r['used']:.1%} of the reserved memory holds tokens; tables of up to "
                f"{r['entries of the longest table']} entries; {r['preemptions']} preemptions",
            )
        )
    rows += [
        ("a prompt of 2,000 tokens, budget 64", f"longest gap of the others {chunks['budget 64']:.3f} s"),
        ("the same, no chunks", f"longest gap of the others {chunks['budget 4096']:.2f} s"),
        (
            "no tag on the prefix cache",
            f"{tag['tokens taken from the other adapter']} tokens of the other adapter are "
            f"taken; the answer is {'right' if tag['without'] else 'wrong'} "
            f"(with a tag {'right' if tag['with a tag'] else 'wrong'})",
        ),
        (
            "one generator for all",
            f"beside a neighbour the seed gives "
            f"{'the same' if noise['one for all'] else 'another'} text (a generator each: "
            f"{'the same' if noise['a generator each'] else 'another'})",
        ),
        (
            "four clients that read nothing",
            f"another client is "
            f"{'answered' if slow['the other client is answered'] else 'not answered'}; blocks held at the end: "
            f"{slow['blocks held at the end']}",
        ),
        (
            "a replica is killed under load",
            f"{dead['whole']} of {dead['streams']} answers arrive whole, {dead['asked twice']} at a second try",
        ),
    ]
    return f"{table(rows)}\n\n{meta_line(content)}\n"


def schedules(content: dict | None = None) -> str:
    """The planted faults, and what the simulation says of each."""
    content = content or section("schedules")
    rows = [("planted fault", "schedule", "what the simulation says")]
    for name, f in content["faults"].items():
        rows.append((name, "not found" if f["schedule"] is None else f["schedule"], f["said"]))
    said = (
        f"{content['schedules']:,} random schedules of the reference, {content['steps']:,} steps, no fault, "
        f"{content['cpu seconds']:.0f} CPU seconds."
    )
    goal = goals(
        [("CPU seconds for 100,000 schedules", 120, 1e5 * content["cpu seconds"] / content["schedules"], "")],
        at_most=True,
    )
    return f"{table(rows)}\n\n{said}\n\n{goal}\n\n{meta_line(content)}\n"


def wire(content: dict | None = None) -> str:
    """The marks, a row a check."""
    content = content or section("wire")
    servers = content["marks"]
    names = list(next(iter(servers.values())))
    rows = [("check", *servers), *((n, *(marks.get(n, "") for marks in servers.values())) for n in names)]
    passed = [f"{sum(m == 'pass' for m in marks.values())} of {len(names)}" for marks in servers.values()]
    return f"{table([*rows, ('all', *passed)])}\n\n{meta_line(content)}\n"


def load(content: dict | None = None) -> str:
    """The storm."""
    content = content or section("load")
    rows = [("", "")]
    rows += [
        ("streams", content["streams"]),
        ("whole", content["whole"]),
        ("cut by their client", content["cut by the client"]),
        ("failures", len(content["failures"])),
        ("blocks held at the end", content["blocks held at the end"]),
        ("first token p50, p99, s", f"{content['first token p50']:.3f}, {content['first token p99']:.3f}"),
    ]
    parts = [table(rows), *crowd(content), meta_line(content)]
    return "\n\n".join(parts) + "\n"


def crowd(content: dict) -> list[str]:
    """Locust's readers, the requests that timed out, and what Prometheus saw; nothing where locust was missing."""
    late, found = content.get("timeouts"), content.get("crowd")
    if not found:
        return []
    ms = {name: f"{v['p50']:,.0f}, {v['p99']:,.0f}" for name, v in found["milliseconds"].items()}
    rows = [
        (f"locust, {found['readers']} readers for {found['seconds']} s", ""),
        ("streams", found["streams"]),
        ("whole, left in the middle", f"{found['whole']}, {found['left']}"),
        ("failures", found["failures"]),
        ("locust's own time (headers) p50, p99, ms", ms["headers"]),
        ("first event p50, p99, ms", ms["first event"]),
        ("whole stream p50, p99, ms", ms["whole stream"]),
        ("blocks held after the crowd", found["blocks held after the crowd"]),
        ("streams open when all clients were killed", found["streams open when the clients were killed"]),
        ("blocks held after the kill", found["blocks held after the kill"]),
        ("requests that timed out, of", f"{late['timeout']}, {late['requests']}"),
        ("blocks held after the timeouts", late["blocks held"]),
    ]
    seen, other = found["scraped"], found["prometheus"]
    names = ("most blocks held", "requests counted", "output tokens")
    scraped = [("who scraped", *names, "pages"), ("our own parser", *(f"{seen[n]:,.0f}" for n in names),
                                                  seen["pages read by our own parser"])]  # fmt: skip
    if other:
        scraped.append((f"Prometheus {other['version']}", *(f"{other[n]:,.0f}" for n in names), int(other["scrapes"])))
    return [table(rows), table(scraped)]


def trial(content: dict | None = None) -> str:
    """Attempts by someone who knew README and workbook: in each trial first, and after the repairs that followed."""
    trials = (content or section("trial"))["trials"]
    kinds = list(trials[0]["wrong"]["first"])
    rows, said = [("wrong attempts", "number", *kinds)], []
    for name, each in zip(("first trial", "second trial"), trials, strict=True):
        for run in ("first", "last"):
            counts = each["wrong"][run]
            rows.append((f"{name}, {run} run", sum(counts.values()), *(counts[kind] for kind in kinds)))
        right = each["right"]
        said.append(
            f"Of {right['attempts']} attempts of the {name} that were meant to be right, {right['first']} were RIGHT "
            f"in its first run and {right['last']} in its last. {each['said']} {each['date']}."
        )
    return "\n\n".join([table(rows), *said]) + "\n"
