"""A server in a thread of this process, for experiments and tests."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import NamedTuple

from ..engine.engine import EngineConfig
from ..wire.served import Limits, ServedModel
from ..wire.server import GracefulServer, create_app
from ..wire.service import Service


class Running(NamedTuple):
    """A server that answers."""

    url: str
    service: Service
    server: GracefulServer


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def running(
    served: ServedModel, config: EngineConfig, limits: Limits | None = None, port: int = 0
) -> Iterator[Running]:
    """Serve until the block ends."""
    service = Service(served, config, limits)
    server = GracefulServer(create_app(service), port=port or free_port())
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    end = time.monotonic() + 30
    while not server.started:
        if not thread.is_alive() or time.monotonic() > end:
            raise OSError("the server did not start")
        time.sleep(0.01)
    try:
        yield Running(f"http://127.0.0.1:{server.config.port}", service, server)
    finally:
        server.should_exit = True
        thread.join(20)
