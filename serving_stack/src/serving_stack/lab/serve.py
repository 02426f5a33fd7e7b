"""The server in the foreground, until Ctrl-C or SIGTERM."""

import argparse
from collections.abc import Callable

import torch

from ..engine.engine import EngineConfig
from ..engine.model import Llama, ModelConfig
from ..engine.runner import ModelRunner
from ..engine.weights import random_weights
from ..formats.load import load_gguf, load_tokenizer
from ..wire.chat import ChatTemplate
from ..wire.served import Limits, ServedModel
from ..wire.server import GracefulServer, create_app
from ..wire.service import Service
from . import fetch, tiny

CONFIG = EngineConfig(num_blocks=256)
MOST_TOKENS = 2048  # of the real model's context


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this project's own."""
    parser.add_argument("--host", default="127.0.0.1", help="serve: where to listen (default 127.0.0.1)")
    parser.add_argument("--port", type=int, default=8000, help="serve: the port (default 8000)")
    parser.add_argument("--random", action="store_true", help="serve: random weights, at once, instead of training")
    parser.add_argument("--drain-delay", type=float, default=0.5, help="serve: seconds not ready before closing")
    parser.add_argument("--count", type=int, default=100_000, help="schedules: how many (default 100,000)")
    parser.add_argument("--rounds", type=int, default=3, help="headline, bench: how often each side runs (default 3)")
    parser.add_argument("--url", help="wire: a server of another make, and --served-model for its model's name")
    parser.add_argument("--served-model", default="", help="wire: the model's name there")
    parser.add_argument("--gguf", help="serve: a GGUF file of a Llama")


def random_tiny(seed: int = 3) -> dict:
    """Random weights that never end a greedy answer: the end token's logit is zero, the largest is above."""
    weights = random_weights(tiny.CONFIG, seed)
    weights["wte.weight"][tiny.END] = 0
    return weights


def real_model(config: EngineConfig, layout: str, path: str | None = None) -> ServedModel:
    """SmolLM2 (or another GGUF file of a Llama) with its own tokenizer and chat template."""
    checkpoint = load_gguf(path or fetch.model("smollm2"))
    tokenizer = load_tokenizer(checkpoint)
    metadata = checkpoint.header.metadata
    cut = ModelConfig(**{**vars(checkpoint.config), "max_model_len": min(MOST_TOKENS, checkpoint.config.max_model_len)})
    runner = ModelRunner(Llama(cut, checkpoint.weights, layout), config.num_blocks, config.block_size)
    return ServedModel(
        name="smollm2" if path is None else str(metadata.get("general.name", "gguf")),
        runner=runner,
        token_bytes=tokenizer.token_bytes,
        encode=tokenizer.encode,
        end_token=metadata["tokenizer.ggml.eos_token_id"],
        max_model_len=cut.max_model_len,
        template=ChatTemplate(metadata["tokenizer.chat_template"]),
    )


def served_model(options: argparse.Namespace, config: EngineConfig, log: Callable[[str], None]) -> ServedModel:
    """The model that the options name."""
    layout = tiny.layout_for(options)
    if options.model or options.gguf:
        log("reading the model")
        return real_model(config, layout, options.gguf)
    weights = random_tiny() if options.random else tiny.train(seed=options.seed, log=log)
    return tiny.served(weights, config, layout)


def serve(options: argparse.Namespace, log: Callable[[str], None]) -> None:
    """Serve until a signal comes. Nothing is recorded."""
    torch.set_num_threads(options.threads)
    served = served_model(options, CONFIG, log)
    service = Service(served, CONFIG, Limits(drain_delay=options.drain_delay))
    log(f"{served.name} answers at http://{options.host}:{options.port}/ (Ctrl-C ends)")
    GracefulServer(create_app(service), options.host, options.port).run()
