"""llama.cpp's q8_0 beside this chapter's int8 formats on SmolLM2: error, bits a weight, loss and perplexity.

q8_0 is a block of 32 neighbours of a row: 32 codes of eight bits and one scale of sixteen. The library `gguf` makes and
reads the blocks. llama.cpp rounds the activations to q8_0 as well, and adds up the products of each block in integers.

Dimensions:
    R rows   I numbers of a row   B blocks of a row
"""

import argparse
import ctypes
import functools
import importlib.util
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
import torch.nn.functional as F
from gguf import GGMLQuantizationType
from gguf.quants import dequantize, quantize
from jaxtyping import Float, Int, Int8
from torch import Tensor, nn

from ..granularity import bits_per_weight, dequantize_groups, quantize_groups
from ..quantize_model import RoundedLinear, by_row, linears, replace_linears, weights_only
from ..smollm2 import load_decoder, read_checkpoint
from ..train import evaluate, perplexity
from . import fetch
from .markdown import meta_line, section, table

Log = Callable[[str], None]
BLOCK = 32  # numbers that share a scale in q8_0
GROUPS = {"int8, per channel": None, "int8, groups of 64": 64, "int8, groups of 32": BLOCK}
Q8_0, BOTH, THEIRS = "q8_0", "q8_0, activations too", "llama.cpp itself, q8_0"
OURS_BOTH = "int8, per channel; activations per token"
MISSING = "llama_cpp is not installed, its row is left out; install it with: pip install -e '.[peers-llama]'"


def to_q8_0(x: Float[Tensor, "R I"]) -> tuple[Int8[Tensor, "R I"], Float[Tensor, "R B"]]:
    """gguf's codes and scales (float16 in the file).

    Raises:
        ValueError: the blocks do not fill a row.
    """
    if x.shape[1] % BLOCK:
        raise ValueError(f"x: {x.shape[1]} columns; a row of q8_0 must be blocks of {BLOCK}")
    packed = torch.from_numpy(quantize(x.contiguous().numpy(), GGMLQuantizationType.Q8_0))
    blocks = packed.unflatten(1, (-1, BLOCK + 2))  # R B 34 bytes: scale, codes
    scales = blocks[:, :, :2].contiguous().view(torch.float16)[:, :, 0]
    return blocks[:, :, 2:].contiguous().view(torch.int8).flatten(1), scales.float()


def by_q8_0(x: Float[Tensor, "R I"]) -> Float[Tensor, "R I"]:
    """Rounded to q8_0 and back by gguf."""
    packed = quantize(x.contiguous().numpy(), GGMLQuantizationType.Q8_0)
    return torch.from_numpy(dequantize(packed, GGMLQuantizationType.Q8_0))


def by_groups(x: Float[Tensor, "R I"], group: int | None) -> tuple[Tensor, Tensor, Tensor]:
    """Codes and scales of `quantize_groups`, scales rounded to sixteen bits, and the numbers that these stand for."""
    codes, scales = quantize_groups(x, group or x.shape[1])
    scales = scales.half().float()
    return codes, scales, dequantize_groups(codes, scales)


def llama(options: argparse.Namespace, log: Log) -> dict:
    """Weights alone, then activations too; about two minutes on one core."""
    log("reading the model")
    path = fetch.model(options.model or "smollm2", log)
    checkpoint = read_checkpoint(path)
    model = load_decoder(checkpoint)
    count, length = (1, 33) if options.quick else (6, 257)
    if options.quick:
        model.blocks = model.blocks[:2]
    ids = torch.tensor(checkpoint.tokens.encode(fetch.load_text(options.data)[:80_000]))
    test = ids[-count * length :].view(count, length)
    found: dict = {"windows": [count, length], "fp32": evaluate(model, test), "formats": {}, "activations": {}}
    for name in (*GROUPS, Q8_0):
        log(f"weights alone: {name}")
        found["formats"][name] = measured(model, test, name, options.seed)
    found["different codes"] = different_codes(model)
    for name, rounded in ((OURS_BOTH, by_row), (BOTH, by_q8_0)):
        log(name)
        made = replace_linears(model, lambda _, m, r=rounded: RoundedLinear(m.weight.detach(), r, r, None))
        found["activations"][name] = evaluate(made, test)
    if importlib.util.find_spec("llama_cpp") is None:
        log(MISSING)
    elif not options.quick:
        log(THEIRS)
        found["activations"][THEIRS] = llama_loss(path, test)
    return found


def measured(model: nn.Module, test: Int[Tensor, "N T"], name: str, seed: int) -> dict:
    """Bits a weight, error on normal numbers and on the model's weights, and the loss."""
    wrong, all_, bits = 0.0, 0.0, 0.0

    def rounded(weight: Tensor) -> tuple[Tensor, float]:
        if name == Q8_0:
            return by_q8_0(weight), bits_per_weight(*to_q8_0(weight), 8)
        codes, scales, made = by_groups(weight, GROUPS[name])
        return made, bits_per_weight(codes, scales, 8)

    def round_weight(_: str, weight: Tensor) -> Tensor:
        nonlocal wrong, all_, bits
        made, cost = rounded(weight)
        wrong, all_ = wrong + float((made - weight).square().sum()), all_ + float(weight.square().sum())
        bits += cost * weight.numel()
        return made

    loss = evaluate(weights_only(model, round_weight), test)
    normal = torch.randn(512, 1536, generator=torch.Generator().manual_seed(seed))
    error = float((rounded(normal)[0] - normal).square().mean().sqrt() / normal.square().mean().sqrt())
    count = sum(m.weight.numel() for m in linears(model).values())
    return {"bits": bits / count, "normal": error, "weights": (wrong / all_) ** 0.5, "loss": loss}


def different_codes(model: nn.Module) -> list[int]:
    """[codes of our groups of 32 that are not q8_0's, all codes, scales of sixteen bits that differ]."""
    codes = total = scales = 0
    for linear in linears(model).values():
        ours, ours_scales, _ = by_groups(linear.weight.detach(), BLOCK)
        theirs, theirs_scales = to_q8_0(linear.weight.detach())
        codes, total = codes + int((ours != theirs).sum()), total + ours.numel()
        scales += int((ours_scales != theirs_scales).sum())
    return [codes, total, scales]


@functools.cache
def silence() -> object:
    """From here on llama.cpp prints nothing. The cache keeps the callback alive."""
    import llama_cpp

    callback = llama_cpp.llama_log_callback(lambda *line: None)
    llama_cpp.llama_log_set(callback, None)
    return callback


def requantized(source: Path, target: Path, head: bool = False) -> Path:
    """llama.cpp's own q8_0 file. The embedding, which is the head too, stays in fp32 unless `head`.

    Raises:
        OSError: llama.cpp refuses the file.
    """
    import llama_cpp

    silence()
    params = llama_cpp.llama_model_quantize_default_params()
    params.nthread, params.ftype, params.allow_requantize = 1, llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0, True
    params.token_embedding_type = int(GGMLQuantizationType.Q8_0 if head else GGMLQuantizationType.F32)
    code = llama_cpp.llama_model_quantize(str(source).encode(), str(target).encode(), ctypes.byref(params))
    if code:
        raise OSError(f"{source}: llama.cpp did not quantize it (code {code})")
    return target


def llama_loss(source: Path, test: Int[Tensor, "N T"]) -> float:
    """The loss of llama.cpp on the windows: its own file, its own arithmetic, keys and values in fp32."""
    import llama_cpp

    silence()
    whole, fp32 = test.shape[1] - 1, int(GGMLQuantizationType.F32)
    with TemporaryDirectory() as folder:
        path = requantized(source, Path(folder) / "q8_0.gguf")
        model = llama_cpp.Llama(
            str(path), n_ctx=whole, n_threads=1, n_threads_batch=1, logits_all=True, type_k=fp32, type_v=fp32,
            verbose=False,
        )  # fmt: skip
        losses = []
        for row in test:
            model.reset()
            model.eval(row[:-1].tolist())
            logits = torch.from_numpy(model.scores[:whole].copy())
            losses.append(float(F.cross_entropy(logits.double(), row[1:])))
        model.close()
    return sum(losses) / len(losses)


def llama_table(content: dict | None = None) -> str:
    """Both tables."""
    r = content or section("llama")
    base = r["fp32"]

    def told(loss: float) -> tuple[str, str, str]:
        return f"{loss:.4f}", f"{loss - base:+.4f}", f"{perplexity(loss):.3f}"

    rows = [
        (
            "weights alone",
            "bits a weight",
            "error, normal numbers",
            "error, SmolLM2",
            "loss",
            "above fp32",
            "perplexity",
        )
    ]
    rows.append(("fp32", "32", "", "", f"{base:.4f}", "", f"{perplexity(base):.3f}"))
    rows += [
        (name, f"{f['bits']:.3f}", f"{f['normal']:.3%}", f"{f['weights']:.3%}", *told(f["loss"]))
        for name, f in r["formats"].items()
    ]
    both = [("weights and activations", "loss", "above fp32", "perplexity")]
    both += [(name, *told(loss)) for name, loss in r["activations"].items()]
    codes, total, scales = r["different codes"]
    count, length = r["windows"]
    note = (
        f"Error: root mean square, as a share of the weights'. {count} windows of {length - 1} predicted tokens; the "
        f"head stays in fp32. Differences below a hundredth mean nothing. Scales have 16 bits in all formats. Of "
        f"{total:,} codes, {codes:,} of our groups of 32 are not q8_0's; of the scales, {scales:,}."
    )
    return "\n\n".join([table(rows), note, table(both), meta_line(r)]) + "\n"
