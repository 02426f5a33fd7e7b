"""One engine inside of a replica, behind the same application as the stand-alone server.

A replica is a process that another process made, so it gets a recipe and no model: weights would be copied through the
object store for each replica.
"""

from collections.abc import Callable
from dataclasses import dataclass

from fastapi import FastAPI

from ..engine.engine import EngineConfig
from ..wire.served import Limits, ServedModel
from ..wire.server import create_app
from ..wire.service import Service


@dataclass(frozen=True)
class Recipe:
    """How a replica makes its model. `make` is a function of a module that a replica can import."""

    make: Callable[[EngineConfig], ServedModel]
    num_blocks: int = 128
    max_running: int = 8
    max_waiting: int = 16


def replica_app(recipe: Recipe, name: str = "") -> FastAPI:
    """The application of one replica. `name` comes back in the header `x-replica`, so that a client sees who answered.

    The queue of a replica is short: what does not fit is the router's to send elsewhere, or to refuse.
    """
    config = EngineConfig(recipe.num_blocks, max_running=recipe.max_running)
    app = create_app(Service(recipe.make(config), config, Limits(max_waiting=recipe.max_waiting)))

    @app.middleware("http")
    async def sign(request, call_next):
        answer = await call_next(request)
        answer.headers["x-replica"] = name
        return answer

    return app
