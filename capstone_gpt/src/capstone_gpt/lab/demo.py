"""The command that serves the demo's page."""

import argparse
from collections.abc import Callable

from ..demo.page import launch, page
from .fetch import load_text


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=int, default=7860, help="demo: the port of the page (default 7860)")


def demo(options: argparse.Namespace, log: Callable[[str], None]) -> None:
    """Serve until Ctrl+C. The GPT of the long run is there if its folder has a checkpoint.

    Raises:
        ValueError: the port is taken.
    """
    found = (options.folder / "checkpoint.pt").exists()
    app = page(load_text(options.data), options.folder if found else None, 20 if options.quick else 300)
    log(f"http://127.0.0.1:{options.port}/ (Ctrl+C ends)")
    try:
        launch(app, options.port)
    except OSError as error:
        raise ValueError(f"port={options.port}: it is taken; choose another with --port") from error
