"""`python -m meaning_space.probes`: every algorithm beside scikit-learn, then the pitfalls."""
import argparse
from pathlib import Path

from . import compare, pitfalls
from .record import record


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m meaning_space.probes", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="seconds instead of a minute")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("results/mine"), help="folder for results.json and probes.png")
    args = parser.parse_args()
    print("each algorithm beside scikit-learn (held-out score, CPU time of one fit) ...", flush=True)
    beside = compare.run(args.quick, args.seed)
    print(compare.table(beside), "\n\nwhat goes wrong ...", sep="", flush=True)
    wrong = pitfalls.run(args.quick, args.seed)
    print(pitfalls.table(wrong))
    path = record({"compare": beside, "pitfalls": wrong}, args.out, args.seed)
    compare.figure(beside, args.out / "probes.png")
    print(f"written: {path}, {args.out / 'probes.png'}")


if __name__ == "__main__":
    main()
