"""The interactive page: type a text, choose layer and head, see who looks at whom. The small model runs in the page."""

import argparse
import base64
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ..transformer import Transformer
from .cli import seeds_of
from .fetch import load_text
from .patterns import trained_model
from .record import check_out, write_text
from .training import loss_of, validation

TEMPLATE = Path(__file__).with_name("page.html")


def make(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """Train the small model, and write it with the page into one file, `attention.html`."""
    check_out(options.out, options.quick)
    seed = seeds_of(options)[0]
    log("training the page's model")
    model, data = trained_model(load_text(options.data), seed, 5 if options.quick else 1500)
    loss = float(loss_of(model, validation(data, model.seq_len)))
    text = page(model, data.characters)
    write_text(Path(options.out) / "attention.html", text)
    return {"seeds": [seed], "loss": loss, "bytes": len(text)}


def page(model: Transformer, characters: list[str]) -> str:
    """The page as one text: the weights in float16, base64."""
    pieces, layout, start = [], {}, 0
    for name, tensor in model.state_dict().items():
        values = tensor.numpy().astype("<f2")
        layout[name] = [start, *values.shape]
        pieces.append(values.tobytes())
        start += values.size
    data = {"characters": characters, "seqLen": model.seq_len, "heads": model.heads, "layers": len(model.blocks),
            "layout": layout, "weights": base64.b64encode(b"".join(pieces)).decode()}  # fmt: skip
    return TEMPLATE.read_text(encoding="utf-8").replace(
        "/*MODEL*/null", json.dumps(data, ensure_ascii=False).replace("</", "<\\/")
    )


def model_of(text: str) -> tuple[Transformer, list[str]]:
    """The model that a page holds, as the page sees it: float16 values in float32."""
    import torch

    start = text.index("const MODEL = ") + len("const MODEL = ")
    data = json.JSONDecoder().raw_decode(text[start:])[0]
    flat = np.frombuffer(base64.b64decode(data["weights"]), "<f2").astype(np.float32)
    state = {}
    for name, (at, *shape) in data["layout"].items():
        state[name] = torch.tensor(flat[at : at + int(np.prod(shape))]).view(shape)
    width = state["wte.weight"].shape[1]
    model = Transformer(len(data["characters"]), data["seqLen"], width, data["layers"], data["heads"])
    model.load_state_dict(state)
    return model.eval().requires_grad_(False), data["characters"]
