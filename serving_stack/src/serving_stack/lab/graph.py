"""The model as an ONNX graph: size, seconds, equality, and which layouts have no form in ONNX."""

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from ..engine.engine import Engine, EngineConfig
from ..engine.layouts import LAYOUTS
from ..engine.model import Llama, ModelConfig
from ..engine.request import Request, SamplingParams
from ..engine.runner import ModelRunner
from ..engine.weights import random_weights
from ..formats.load import load_gguf, load_tokenizer
from ..formats.onnx_export import CachedLlama, OnnxRunner, export_onnx
from . import fetch
from .experiment import BODY
from .markdown import meta_line, section, spread, table
from .serve import MOST_TOKENS

SMALL = ModelConfig(101, 64, 1, 4, 2, 96, 128)


def onnx(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """Two models as graphs, and one attempt for each layout."""
    torch.set_num_threads(options.threads)
    rounds = 1 if options.quick else 3
    size = SMALL if options.quick else BODY
    prompt = list(range(1, 25))
    with TemporaryDirectory() as folder:
        log("exporting random weights")
        models = {"random weights": measured(size, random_weights(size, options.seed, 0.05), prompt, rounds, folder)}
        if not options.quick and fetch.is_local(fetch.SMOLLM2):
            log("exporting SmolLM2, about two minutes")
            checkpoint = load_gguf(fetch.model("smollm2"))
            cut = ModelConfig(**{**vars(checkpoint.config), "max_model_len": MOST_TOKENS})
            words = load_tokenizer(checkpoint).encode("The capital of France is")
            models["SmolLM2-135M"] = measured(cut, checkpoint.weights, words, rounds, folder)
        log("each layout")
        return {"models": models, "layouts": {layout: attempt(layout, folder) for layout in LAYOUTS}}


def measured(config: ModelConfig, weights: dict, prompt: list[int], rounds: int, folder: str) -> dict:
    """What a file costs, and whether the graph computes what the engine computes."""
    model, tokens = Llama(config, weights, "plain"), 32
    start = time.perf_counter()
    path = export_onnx(model, Path(folder) / "model.onnx")
    exported = time.perf_counter()
    graph = OnnxRunner(path)
    loaded = time.perf_counter()
    rates: dict[str, list[float]] = {"engine": [], "onnxruntime": []}
    for _ in range(rounds):
        ours, seconds = timed(lambda: generate(model, prompt, tokens))
        theirs, their_seconds = timed(lambda: graph.greedy(prompt, tokens))
        rates["engine"].append(tokens / seconds)
        rates["onnxruntime"].append(tokens / their_seconds)
    return {
        "bytes": path.stat().st_size,
        "bytes of weights": sum(4 * w.numel() for w in weights.values()),
        "seconds to export": exported - start,
        "seconds to load": loaded - exported,
        "largest difference": difference(model, graph, prompt),
        "equal tokens": sum(a == b for a, b in zip(ours, theirs, strict=True)),
        "tokens": tokens,
        "rates": rates,
    }


def timed(call: Callable) -> tuple:
    """The result, and CPU seconds."""
    start = time.process_time()
    return call(), time.process_time() - start


def generate(model: Llama, prompt: list[int], count: int) -> list[int]:
    """Greedy tokens of the engine, one stream."""
    engine = Engine(ModelRunner(model, 16), EngineConfig(16, prefix_caching=False), keep_log=False)
    engine.add(request := Request("a", prompt, SamplingParams(0, max_tokens=count)))
    while engine.has_work:
        engine.step()
    return request.output


@torch.inference_mode()
def difference(model: Llama, graph: OnnxRunner, prompt: list[int]) -> float:
    """The largest difference between logits of the graph and of the model, as a share of the largest logit."""
    tokens, nothing = torch.tensor([prompt]), graph.empty(1)
    want = CachedLlama(model)(tokens, *map(torch.from_numpy, nothing))[0].numpy()
    found, _ = graph.step(tokens.numpy(), nothing)
    return float(np.abs(found - want).max() / np.abs(want).max())


def attempt(layout: str, folder: str) -> str:
    """ "exported", or the exporter's reason."""
    try:
        export_onnx(Llama(SMALL, random_weights(SMALL), layout), Path(folder) / "attempt.onnx")
    except ValueError as error:
        return str(error).removeprefix("the model has no form in ONNX: ").removesuffix("; use the layout 'plain'")
    return "exported"


def onnx_table(content: dict | None = None) -> str:
    """The files, and the layouts."""
    content = content or section("onnx")
    head = ("model", "file, MB", "weights, MB", "export, s", "load, s", "largest difference of logits", "equal tokens",
            "engine, tokens a CPU second", "onnxruntime")  # fmt: skip
    rows = [head]
    for name, m in content["models"].items():
        rows.append((name, f"{m['bytes'] / 1e6:.1f}", f"{m['bytes of weights'] / 1e6:.1f}",
                     f"{m['seconds to export']:.0f}", f"{m['seconds to load']:.2f}", f"{m['largest difference']:.0e}",
                     f"{m['equal tokens']} of {m['tokens']}", spread(m["rates"]["engine"], 1),
                     spread(m["rates"]["onnxruntime"], 1)))  # fmt: skip
    layouts = [("layout", "export"), *content["layouts"].items()]
    return f"{table(rows)}\n\n{table(layouts)}\n\n{meta_line(content)}\n"
