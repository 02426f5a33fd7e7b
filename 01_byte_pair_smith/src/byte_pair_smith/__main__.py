"""python -m byte_pair_smith [bench | break | families]: the experiments, from a terminal."""
import argparse
import os
import sys
import time
from dataclasses import replace
from pathlib import Path


def main(arguments: list[str] | None = None) -> None:
    """Run one experiment, print its tables, write its results and figures."""
    asked = parser().parse_args(arguments)
    if asked.command == "bench":                    # the libraries read these when they are first imported
        os.environ |= {"RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    from . import corpora, plots, results, tables
    if asked.data not in corpora.TEXTS:
        parser().error(f"--data {asked.data!r} is not one of {', '.join(corpora.TEXTS)}")
    try:
        section, found = COMMANDS[asked.command](asked)
    except FileNotFoundError as e:
        sys.exit(str(e))
    seeds = [asked.seed] if asked.command != "headline" else found.pop("seeds")
    everything = results.record(asked.out, section, {**found, "meta": results.meta(seeds, asked.data)})
    for path in plots.draw({section: everything[section]}, asked.out):
        say(f"figure: {path}")
    print("\n" + tables.printed(section, everything[section]))
    say(f"results: {asked.out / 'results.json'}")


def say(line: str, start: float = time.perf_counter()) -> None:
    """One line of progress with the seconds so far."""
    print(f"[{time.perf_counter() - start:5.1f} s] {line}", flush=True)


def parser() -> argparse.ArgumentParser:
    """The command line."""
    p = argparse.ArgumentParser(prog="python -m byte_pair_smith", description="Byte-pair encoding, by hand.")
    p.add_argument("command", nargs="?", default="headline", choices=list(COMMANDS),
                   help="headline (default): compression, languages, merges, the token view; bench: beside rustbpe, "
                        "tokenizers and tiktoken; break: what goes wrong, on purpose")
    p.add_argument("--data", default="topics", help="topics (ships with Python, the default), code, shakespeare")
    p.add_argument("--quick", action="store_true", help="seconds instead of minutes")
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--out", type=Path, default=Path("results/mine"), help="where results and figures go")
    return p


def headline(asked: argparse.Namespace) -> tuple[str, dict]:
    """The headline experiment."""
    from . import experiment
    base = experiment.QUICK if asked.quick else experiment.Settings()
    settings = replace(base, data=asked.data, seeds=tuple(asked.seed + s for s in base.seeds))
    found = experiment.run(settings, asked.out, say)
    return "headline", {**found, "headline": experiment.headline(found), "seeds": list(settings.seeds)}


def bench(asked: argparse.Namespace) -> tuple[str, dict]:
    """Beside the libraries."""
    from . import bench as module
    return "bench", module.run(asked.data, quick=asked.quick, seed=asked.seed, say=say)


def break_it(asked: argparse.Namespace) -> tuple[str, dict]:
    """What goes wrong, on purpose."""
    from . import break_it as module
    return "break_it", module.run(asked.data, asked.quick, asked.seed, say)


COMMANDS = {"headline": headline, "bench": bench, "break": break_it}

if __name__ == "__main__":
    main()
