"""`python -m meaning_space`: the headline experiment; with `bench` beside gensim, with `break` what goes wrong."""
import argparse
from pathlib import Path

from . import record
from .bench import bench
from .break_it import break_it
from .experiment import headline
from .novels import novels
from .page import write_page
from .plots import draw
from .tables import show


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m meaning_space", description=__doc__)
    parser.add_argument("what", nargs="?", choices=["headline", "bench", "break"], default="headline")
    parser.add_argument("--quick", action="store_true", help="seconds instead of minutes; the numbers mean little")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=1, help="with --data novels: how many runs of either side")
    parser.add_argument("--data", choices=["offline", "novels"], default="offline")
    parser.add_argument("--out", type=Path, default=Path("results/mine"), help="folder for results, figures and map")
    return parser.parse_args()


def main() -> None:
    """Runs what was asked for, prints its table, and writes results.json, figures and the map."""
    args = arguments()
    seeds, page = [args.seed], None
    if args.what == "bench":
        section, values = "bench", bench(args.seed, args.quick, args.data)
    elif args.what == "break":
        section, values = "break_it", break_it(args.seed, args.quick)
    elif args.data == "novels":
        seeds = list(range(args.seed, args.seed + args.seeds))
        section, (values, page) = "novels", novels(seeds, args.quick)
    else:
        section, (values, page) = "headline", headline(args.seed, args.quick)
        seeds = [args.seed] if args.quick else [args.seed, args.seed + 1, args.seed + 2]
    results = record.write(section, values, args.out, seeds)
    print("\n" + show(section, results))
    written = draw({section: results[section]}, args.out)
    if page:
        title = {"headline": "The words of Python's documentation", "novels": "The words of 27 English novels"}[section]
        written.append(write_page(args.out / f"{section}_map.html", title, **page))
    print("\nwritten: " + ", ".join(str(path) for path in [args.out / "results.json", *written]))


if __name__ == "__main__":
    main()
