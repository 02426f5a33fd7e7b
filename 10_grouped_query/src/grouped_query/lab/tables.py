"""One table for each section, for the terminal, README and REPORT. Without a section, of the committed one."""

from ..cache_bytes import cache_bytes_per_token, largest_batch
from ..convert import RULES
from ..published import PUBLISHED
from .bench import FAST, MHA, PEER, PLAIN, REPEAT, STATES, WANTED
from .experiment import LOW_RANK
from .markdown import goals, meta_line, section, spread, table

CARD, CARD_NAME = 80 * 10**9, "80 GB"
CONTEXTS = (4_096, 32_768)
WHERE = {"cache": "the processor's cache", "memory": "memory"}


def summary() -> str:
    """The README's table: at most six rows."""
    quality_, race, cache = section("headline")["quality"], section("bench"), section("smollm2")["cache"]
    base = f"{spread(quality_['base'])} (8 heads)"
    pooled, cut = (_both(quality_["points"][rule]["2"]) for rule in ("mean", LOW_RANK))
    steps = []
    for state in STATES:
        ratio = race["ratio"][state]
        ours = f"{spread(race['milliseconds'][state][FAST])}, {race['share'][state]:.0%} of the limit"
        peers = f"{ratio[PEER]:.1f}× (SDPA, enable_gqa), {ratio[REPEAT]:.0f}× (repeat_interleave)"
        steps.append((f"ms a decode step, 32 query, 4 key/value heads, from {WHERE[state]}", ours, peers))
    rows = [
        ("", "ours", "peer or limit"),
        ("loss, 8 key/value heads pooled to 2, before and after 5 % uptraining", pooled, base),
        ("the same bytes by low rank, before and after", cut, base),
        *steps,
        ("SmolLM2's cache of 2,048 tokens, MB", f"{cache['as it is'] / 1e6:.0f}", f"{cache['MHA'] / 1e6:.0f} (MHA)"),
    ]
    return f"{table(rows)}\n\n{meta_line(race)}\n"


def _both(point: dict) -> str:
    return f"{spread(point['0'])}, {spread(point['5'])}"


def headline(content: dict | None = None) -> str:
    """Quality, then decode times."""
    content = content or section("headline")
    return f"{quality(content['quality'])}\n\n{decode(content['decode'])}\n\n{meta_line(content)}\n"


def quality(q: dict) -> str:
    """Loss in nats a byte."""
    percent = f"{100 * q['fraction']:g} %"
    rows = [("key/value heads", "bytes a token", "rule", "loss at 0 %", f"loss after {percent}")]
    rows.append(("8 (base)", q["bytes"]["8"], "", spread(q["base"], 3), spread(q["base uptrained"], 3)))
    for heads in next(iter(q["points"].values())):
        for rule, by_heads in q["points"].items():
            point = by_heads[heads]
            rows.append((heads, q["bytes"][heads], rule, spread(point["0"], 3), spread(point["5"], 3)))
    return table(rows)


def decode(d: dict) -> str:
    """Milliseconds of a step, and the limit by bytes."""
    head = ("key/value heads", *(f"{T:,} tokens" for T in d["contexts"]), "limit by bytes, longest")
    rows = [head]
    for name, times in d["milliseconds"].items():
        label = f"latent of {d['latent_dim']} + {d['rope_dim']}" if name == "latent" else f"{name} of {d['heads']}"
        cells = [f"{middle:.3f} ({low:.3f}–{high:.3f})" for low, middle, high in times]
        rows.append((label, *cells, f"{d['limit'][name][-1]:.3f}"))
    return table(rows)


def orders(content: dict | None = None) -> str:
    """How often the paper's order of the rules was seen, over seeds and numbers of heads."""
    q = (content or section("headline"))["quality"]["points"]
    sentences = []
    for when, words in (("0", "At 0 %"), ("5", "After uptraining")):
        cases = [[q[r][g][when][i] for r in RULES] for g in q["mean"] for i in range(len(q["mean"][g][when]))]
        first = sum(mean <= first for mean, first, _ in cases)
        random = sum(max(mean, first) < random for mean, first, random in cases)
        sentences.append(
            f"{words}, the mean is at most the first head's loss in {first} of {len(cases)} cases, "
            f"and both are below random heads in {random} of {len(cases)}."
        )
    return " ".join(sentences)


def cards() -> str:
    """Published models in 16 bits: bytes a token, and the batch that fits. Computed, not measured."""
    rows = [
        ("model", "query, key/value heads", "KiB a token", "as MHA", "cards", *(f"texts of {c:,}" for c in CONTEXTS))
    ]
    for shape in PUBLISHED:
        count = -(-shape.parameters * 2 // CARD)
        kv = f"latent {shape.latent_dim} + {shape.rope_dim}" if shape.latent_dim else shape.kv_heads
        kib = cache_bytes_per_token(shape) / 1024
        fits = [largest_batch(shape, c, count * CARD) for c in CONTEXTS]
        more = f"{cache_bytes_per_token(shape.as_mha()) / cache_bytes_per_token(shape):.3g}×"
        rows.append((shape.name, f"{shape.heads}, {kv}", f"{kib:,.1f}", more, count, *fits))
    note = (
        f"Cards of {CARD_NAME}, as few as hold the weights in 16 bits. Contexts are for comparison: GPT-2 was trained "
        "for 1,024 tokens and GPT-3 for 2,048. Activations are not counted."
    )
    return f"{table(rows)}\n\n<sub>{note}</sub>\n"


def bench(content: dict | None = None) -> str:
    """Ours, the peers, and the goals."""
    content = content or section("bench")
    ratio, times, width = content["ratio"], content["milliseconds"], content["bandwidth"]
    rows = [("", *(cell for state in STATES for cell in (f"ms, keys in {WHERE[state]}", "times ours")))]
    for name in (FAST, PLAIN, PEER, REPEAT, MHA):
        rows.append((name, *(c for s in STATES for c in (spread(times[s][name], 3), f"{ratio[s][name]:.2f}×"))))
    sentence = f"The keys and values are {content['bytes'] / 1e6:.1f} MB. " + " ".join(
        f"From {WHERE[s]}, ours reaches {content['share'][s]:.0%} of {width[s] / 1e9:.1f} GB/s." for s in STATES
    )
    wanted = [
        (f"times {name}", WANTED[name], ratio[state][name], f"keys in {WHERE[state]}")
        for name in WANTED
        for state in STATES
    ]
    return f"{table(rows)}\n\n{sentence}\n\n{goals(wanted)}\n\n{meta_line(content)}\n"


def smollm2(content: dict | None = None) -> str:
    """Cache, pooling, rank."""
    content = content or section("smollm2")
    base, up = content["base"], content["uptrained"]
    cache = [("cache of 2,048 tokens, float32", "MB allocated")]
    cache += [(name, f"{size / 1e6:.1f}") for name, size in content["cache"].items()]
    pooled = [("its 3 key/value heads pooled to 1", "loss at 0 %", f"after {up['steps']} steps")]
    pooled.append(("not pooled", f"{base:.2f}", f"{up['no pooling']:.2f}"))
    pooled += [
        (rule, f"{loss:.2f}", f"{up[rule]:.2f}" if rule in up else "not trained")
        for rule, loss in content["pooled"].items()
    ]
    rank = [("rank of keys and values, of 384", "bytes of the cache", "loss")]
    rank.append(("384 (as it is)", "100 %", f"{base:.2f}"))
    rank += [(r, f"{int(r) / 384:.0%}", f"{loss:.2f}") for r, loss in content["rank"].items()]
    count, length = content["windows"]
    note = (
        f"Loss in nats a token on {count} windows of {length} tokens that were not trained on. Uptraining is "
        f"{up['tokens']:,} tokens, of the attention's matrices alone."
    )
    return "\n\n".join([*map(table, (cache, pooled, rank)), note, meta_line(content)]) + "\n"


def break_it(content: dict | None = None) -> str:
    """What each mistake did."""
    r = content or section("break_it")
    rotation, heads, start = r["pool after the rotation"], r["pool heads at random"], r["MQA from the start"]
    before, after = zip(*(heads[name] for name in heads if name.startswith("order")), strict=True)
    full, narrow, no_norm = r["latent"], r["latent of width 4"], r["no norm"]
    width = f"{narrow['loss']:.3f} with {narrow['bytes']} bytes; 24: {full['loss']:.3f} with {full['bytes']}"
    rows = [
        ("experiment", "what happens: loss in nats a byte"),
        (
            "pool after the rotation",
            f"Heads: nothing changes (keys differ by {rotation['heads']:.0e}). "
            f"Neighbouring tokens: keys differ by up to {rotation['tokens']:.1f}.",
        ),
        (
            "pool heads at random",
            f"Neighbours: {heads['neighbours'][0]:.2f}, after 5 % {heads['neighbours'][1]:.2f}. "
            f"Four random orders: {spread(before)}, after 5 % {spread(after)}.",
        ),
        (
            "MQA from the start",
            "; ".join(f"{name} {loss:.3f} ({n:,} parameters)" for name, (loss, n) in start.items()),
        ),
        ("latent of width 4", width),
        ("forget the latent's norm", f"{no_norm['loss']:.3f}; with the norm {full['loss']:.3f}"),
    ]
    note = f"Each model is trained for {r['steps']} steps, with one seed: differences below a tenth mean nothing."
    return f"{table(rows)}\n\n{note}\n\n{meta_line(r)}\n"


def real_sentence(content: dict | None = None) -> str:
    """What became of the real model, in two sentences."""
    r = content or section("smollm2")
    up, pooled = r["uptrained"], r["pooled"]
    return (
        f"SmolLM2's three key/value heads do not pool to one for free: its loss goes from {r['base']:.2f} to "
        f"{pooled['mean']:.2f} nats a token (mean) or {pooled['first']:.2f} (first). {up['steps']} steps of uptraining "
        f"({up['tokens']:,} tokens) bring these to {up['mean']:.2f} and {up['first']:.2f}, which is not enough. "
        f"Without pooling, the same steps change the loss to {up['no pooling']:.2f}. Keys and values of rank 128 take "
        f"the bytes of one head, with a loss of {r['rank']['128']:.2f} without any training."
    )


def trial(content: dict | None = None) -> str:
    """What the grader said of attempts by someone who knew README and workbook only: first, and after the repairs."""
    trials = (content or section("trial"))["trials"]
    kinds = list(trials[0]["wrong"]["first"])
    rows, said = [("wrong attempts", "number", *kinds)], []
    for name, each in zip(("first trial", "second trial"), trials, strict=True):
        for run, counts in each["wrong"].items():
            rows.append((f"{name}, {run} run", sum(counts.values()), *(counts[kind] for kind in kinds)))
        right = each["right"]
        said.append(
            f"Of {right['attempts']} right attempts of the {name}, {right['first']} were RIGHT in its first run and "
            f"{right['last']} in its last. {each['date']}."
        )
    return f"{table(rows)}\n\n{' '.join(said)}\n"
