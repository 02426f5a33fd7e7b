"""The wire suite, on this server or on another."""

import argparse
from collections.abc import Callable

from ..engine.engine import EngineConfig
from . import tiny
from .running import running
from .serve import random_tiny


def wire(options: argparse.Namespace, log: Callable[[str], None]) -> dict:
    """{server: {check: mark}}; results of other servers that were recorded before are kept."""
    from .wire_suite import Target, run_suite  # needs the openai client, which the engine does not

    if getattr(options, "url", None):
        marks = run_suite(Target(options.url.rstrip("/"), options.served_model, 2048), log)
        return {"marks": {options.url: marks}}
    config = EngineConfig(num_blocks=128)
    with running(tiny.served(random_tiny(), config), config) as server:
        marks = run_suite(Target(server.url, "tiny", 512), log)
    return {"marks": {"serving_stack": marks}}
