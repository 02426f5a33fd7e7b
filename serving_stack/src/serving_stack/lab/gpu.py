"""Beside transformers on a GPU: the same trace, alternating in one run. Answers are compared first.

`python -m serving_stack.lab.gpu --device cuda` is the same command where the libraries of the server are missing.
"""

import argparse
import copy
import sys
from collections.abc import Callable
from statistics import median

import torch

from . import record
from .bench import QUICK, SIZES, requests_of
from .cli import Command, main
from .gpu_race import THEIRS, copy_bandwidth, race
from .markdown import meta_line, spread, table

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def gpu(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """The trace on a CUDA device, in float32 and in bfloat16.

    Raises:
        ValueError: the device is another, or our answers in float32 are not those of transformers.
    """
    if options.device != "cuda":
        raise ValueError("gpu: this needs --device cuda; on the CPU the same comparison is the command bench")
    found = measure(torch.device("cuda"), options.quick, options.seed, log)
    machine = {"name": torch.cuda.get_device_name(), "torch": torch.__version__, "CUDA": torch.version.cuda}
    return {"gpu": machine, **found}


def measure(device: torch.device, quick: bool, seed: int, log: Callable[[str], None]) -> dict:
    """What the device copies in a second, and the race in each dtype."""
    transformers = __import__("transformers")
    transformers.logging.set_verbosity_error()
    sizes = QUICK if quick else SIZES
    torch.manual_seed(seed)
    log("a model of random weights")
    config = transformers.GPT2Config(**sizes, bos_token_id=None, eos_token_id=None)
    exact = transformers.GPT2LMHeadModel(config).eval().to(device)
    work = requests_of(seed + 5, sizes["vocab_size"])
    found = {
        "copy bytes a second": copy_bandwidth(device, 2**24 if quick else 2**30),
        "float32 products": torch.get_float32_matmul_precision(),
        "requests": len(work),
        "useful tokens": sum(n for _, n in work),
        "dtypes": {},
    }
    for name, dtype in DTYPES.items():
        theirs = exact if dtype == torch.float32 else copy.deepcopy(exact).to(dtype)
        found["dtypes"][name] = race(theirs, exact, sizes, work, 1 if quick else 3, lambda s, n=name: log(f"{n}: {s}"))
    return found


def gpu_table(content: dict | None = None) -> str:
    """A table for each dtype; one sentence where no such run is recorded."""
    content = content or record.read(record.COMMITTED).get("gpu")
    if content is None:
        return "No run on a GPU is recorded. `python -m serving_stack gpu --device cuda` makes one.\n"
    copied = spread([rate / 1e9 for rate in content["copy bytes a second"]], 0)
    name, torch_version, cuda = (content["gpu"][key] for key in ("name", "torch", "CUDA"))
    lines = [rows_of(content, dtype) for dtype in content["dtypes"]]
    lines.append(f"{name}, torch {torch_version}, CUDA {cuda}. A copy reads and writes {copied} GB a second; the share "
                 "is that of the bytes of weights, keys and values, which a step must read.")  # fmt: skip
    lines += [f"In {dtype}, where an answer parts from transformers', the float32 logits of the two tokens differ by "
              f"at most {max(part['gaps'].values()):.2g}." for dtype, part in content["dtypes"].items()
              if any(part["gaps"].values())]  # fmt: skip
    return "\n\n".join([*lines, meta_line(content)]) + "\n"


def rows_of(content: dict, dtype: str) -> str:
    """The table of one dtype."""
    part = content["dtypes"][dtype]
    base = part["rates"][THEIRS]
    rows = [(f"{content['requests']} requests, {dtype}", "useful tokens a second", "times transformers",
             "decoding step, ms", "share of a copy's speed", "equal answers")]  # fmt: skip
    for name, equal in part["equal"].items():
        if name not in part["rates"]:
            rows.append((name, "", "", "", "", equal))
            continue
        rates, ms = part["rates"][name], part["ms"].get(name, [])
        ratio = median(a / b for a, b in zip(rates, base, strict=True))
        best = median(content["copy bytes a second"])
        shares = [100e3 * part["bytes of a step"][name] / m / best for m in ms]
        rows.append((name, spread(rates, 0), f"{ratio:.2f}×", spread(ms), spread(shares, 1, "%"),
                     f"{equal} of {content['requests']}"))  # fmt: skip
    return table(rows)


COMMAND = Command("gpu", "beside transformers on a GPU; needs --device cuda", gpu, gpu_table, minutes=1, device=True)

if __name__ == "__main__":
    sys.exit(main("serving_stack.lab.gpu", __doc__, [COMMAND]))
