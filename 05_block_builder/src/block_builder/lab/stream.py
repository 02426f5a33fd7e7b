"""The residual stream of a real model: how large it is, what each block adds, and what a block is worth."""

import argparse
from collections.abc import Callable

import torch
from torch import Tensor

from . import fetch, smollm2


@torch.no_grad()
def stream(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """Norms, additions, early predictions, and the loss without each block and with neighbours exchanged.

    Raises:
        ValueError: no model is given.
    """
    if options.model is None:
        raise ValueError("model=None: this command needs a real model; add --model smollm2")
    path = fetch.model(options.model, log)
    log("dequantizing")
    model = smollm2.read(path)
    size, length = (1, 32) if options.quick else (2, 128)
    tokens = tokens_of(path, fetch.load_text(options.data), size, length)
    streams = [model.wte[tokens]]
    for i, block in enumerate(model.blocks):
        log(f"block {i}")
        streams.append(smollm2.apply_block(model, block, streams[-1]))
    found = {"windows": size, "length": length, "loss": smollm2.loss_of(model, streams[-1], tokens)}
    found |= sizes(streams)
    found["early loss"] = [smollm2.loss_of(model, x, tokens) for x in streams]
    found |= surgery(model, streams, tokens, log, 2 if options.quick else len(model.blocks))
    return found


def tokens_of(path, text: str, size: int, length: int) -> Tensor:
    """Windows of the text, at even distances."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)
    pieces = [text[i * len(text) // size :][: 12 * length] for i in range(size)]
    return torch.tensor([tokenizer(piece)["input_ids"][:length] for piece in pieces])


def sizes(streams: list[Tensor]) -> dict:
    """Norms of the first token and of the others (medians), and what each block adds to the others."""
    added = [after - before for before, after in zip(streams[:-1], streams[1:], strict=True)]
    pairs = list(zip(streams[:-1], added, strict=True))
    return {
        "first token": [float(x[:, 0].norm(dim=-1).median()) for x in streams],
        "other tokens": [float(x[:, 1:].norm(dim=-1).median()) for x in streams],
        "cosine": [float(torch.cosine_similarity(x, a, dim=-1)[:, 1:].median()) for x, a in pairs],
        "relative size": [float((a.norm(dim=-1) / x.norm(dim=-1))[:, 1:].median()) for x, a in pairs],
    }


def surgery(model: smollm2.Llama, streams: list[Tensor], tokens: Tensor, log: Callable, count: int) -> dict:
    """The loss without block i, and with blocks i and i + 1 exchanged. The stream before block i is known."""
    blocks = model.blocks
    without, swapped = [], []
    for i in range(count):
        log(f"without block {i}")
        without.append(loss_after(model, streams[i], blocks[i + 1 :], tokens))
        if i + 1 < count:
            swapped.append(loss_after(model, streams[i], [blocks[i + 1], blocks[i], *blocks[i + 2 :]], tokens))
    return {"without": without, "swapped": swapped}


def loss_after(model: smollm2.Llama, x: Tensor, blocks: list[dict], tokens: Tensor) -> float:
    for block in blocks:
        x = smollm2.apply_block(model, block, x)
    return smollm2.loss_of(model, x, tokens)
