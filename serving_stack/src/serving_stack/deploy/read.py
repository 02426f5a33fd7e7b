"""The files of this folder, read and not yet judged."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib.resources import files
from importlib.resources.abc import Traversable

import yaml

from ..wire.metrics import Metrics
from ..wire.served import Limits
from .promql import sample_names

FOLDER = files(__package__)
ROUTES = frozenset({"/", "/health", "/ready", "/metrics", "/v1/models"})  # that a GET finds


@dataclass(frozen=True)
class Stack:
    """Everything that has to fit together.

    `exposed` has the names of the samples on the metrics page, `drain` the seconds that the server may need after
    SIGTERM. Parts that a stack does not have are empty, and not checked.
    """

    objects: list[dict]
    drain: int | float
    routes: frozenset[str] = frozenset()
    exposed: frozenset[str] = frozenset()
    containerfile: str = ""
    adapter: dict = field(default_factory=dict)
    prometheus: dict = field(default_factory=dict)
    rules: dict = field(default_factory=dict)
    dashboard: dict = field(default_factory=dict)

    def of_kind(self, kind: str) -> Iterator[dict]:
        """The objects of one kind."""
        return (one for one in self.objects if one.get("kind") == kind)


def read_objects(folder: Traversable) -> list[dict]:
    """Every object of every YAML file of a folder, in the order of the names.

    Raises:
        ValueError: a file holds something that is no object with a kind and a name.
    """
    found = []
    for path in sorted(folder.iterdir(), key=lambda one: one.name):
        if not path.name.endswith(".yaml"):
            continue
        for one in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            if not isinstance(one, dict) or "kind" not in one or "name" not in one.get("metadata", {}):
                raise ValueError(f"{path.name}: an object needs a kind and metadata.name")
            found.append(one)
    return found


def _yaml(name: str) -> dict:
    return yaml.safe_load(FOLDER.joinpath("monitoring", name).read_text(encoding="utf-8"))


def ours(exposed: frozenset[str] | None = None) -> Stack:
    """This folder's stack. `exposed` replaces the names on the server's metrics page."""
    limits = Limits()
    return Stack(
        objects=read_objects(FOLDER.joinpath("kubernetes")),
        drain=max(limits.drain_timeout, limits.drain_delay),
        routes=ROUTES,
        exposed=sample_names(Metrics().text().decode()) if exposed is None else exposed,
        containerfile=FOLDER.joinpath("Containerfile").read_text(encoding="utf-8"),
        adapter=_yaml("adapter.yaml"),
        prometheus=_yaml("prometheus.yaml"),
        rules=_yaml("rules.yaml"),
        dashboard=json.loads(FOLDER.joinpath("monitoring", "dashboard.json").read_text(encoding="utf-8")),
    )


def vllm() -> Stack:
    """The stack with vLLM in place of this engine. Its image and its metrics are not ours to check."""
    return Stack(read_objects(FOLDER.joinpath("vllm")), drain=60)
