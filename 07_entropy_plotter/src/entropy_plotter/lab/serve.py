"""`python -m entropy_plotter page`: trains the small models, adds the real one where it is there, and serves."""

import argparse
from collections.abc import Callable

from ..page.app import Voice, build, launch
from ..smollm2 import read_smollm2
from . import fetch
from .small import NEW, PROMPT, small_models


def voices(options: argparse.Namespace, log: Callable[[str], None]) -> dict[str, Voice]:
    """The models of the page, by name."""
    small = small_models(options.data, 20 if options.quick else 250, 2, options.seed, log)
    made = {"transformer": small.transformer, "3-gram": small.ngram}
    found = {name: Voice(m, small.words.encode, small.words.pieces, PROMPT + NEW) for name, m in made.items()}
    if not options.quick and fetch.is_local(fetch.SMOLLM2):
        log("reading SmolLM2")
        model, tokenizer = read_smollm2(fetch.model())
        found["SmolLM2-135M"] = Voice(model, tokenizer.encode, tokenizer.pieces, 256)
    return found


def page(options: argparse.Namespace, log: Callable[[str], None]) -> None:
    """Serve until Ctrl-C; a quick run only builds the page. Nothing is recorded."""
    made = build(voices(options, log))
    if not options.quick:
        log("the page is at http://127.0.0.1:7860; Ctrl-C ends it")
        launch(made, 7860)
