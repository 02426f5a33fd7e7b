"""`python -m byte_pair_smith.families`: train every family on the offline text, print the tables, draw the figure."""

import argparse
from pathlib import Path

from ..results import meta, record
from . import compare


def main(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m byte_pair_smith.families", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one small division of the text: seconds")
    parser.add_argument("--seed", type=int, default=0, help="which topics are held out (default 0)")
    parser.add_argument("--peer", action="store_true", help="also train Unigram beside SentencePiece (installed)")
    parser.add_argument("--out", type=Path, default=Path("results/mine"), help="folder for results.json, families.png")
    options = parser.parse_args(arguments)
    print("training seven tokenizers and an n-gram model on each ...", flush=True)
    results = compare.run(options.quick, options.seed, options.peer)
    print(compare.table(results))
    gap = results["unigram"]
    print(
        f"\nUnigram: {gap['bits_per_byte_viterbi']['median']:.3f} bits per byte by its best segmentation alone, "
        f"{gap['bits_per_byte_all']['median']:.3f} over all of them"
    )
    print("sampled:", "  ".join("|".join(draw) for draw in results["sampled"]))
    if options.peer:
        print("\n" + compare.peer_table(results))
    record(options.out, "families", {**results, "meta": meta(results["seeds"], "pydoc_data.topics")})
    compare.figure(results, options.out / "families.png")
    print(f"wrote {options.out / 'results.json'} and {options.out / 'families.png'}")


if __name__ == "__main__":
    main()
