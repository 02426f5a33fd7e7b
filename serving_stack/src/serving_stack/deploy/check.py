"""Faults that lie between two files. A schema sees each file alone, and passes every one of these.

A check takes the whole stack and yields one plain sentence for each fault. `faults` asks them all.
"""

from collections.abc import Callable, Iterator

from .image import image, listening, pinned, scraped, user
from .objects import disruption, grace, ports, probes, replicas, resources, selectors
from .read import Stack
from .watching import dashboard, jobs, rules, scaling

Check = Callable[[Stack], Iterator[str]]

CHECKS: dict[str, Check] = {
    "selectors": selectors,
    "ports": ports,
    "probes": probes,
    "grace": grace,
    "resources": resources,
    "replicas": replicas,
    "disruption": disruption,
    "image": image,
    "pinned": pinned,
    "user": user,
    "listening": listening,
    "scraped": scraped,
    "scaling": scaling,
    "rules": rules,
    "dashboard": dashboard,
    "jobs": jobs,
}


def faults(stack: Stack) -> list[str]:
    """What is wrong with the stack, a sentence each; nothing where it fits together."""
    return [sentence for check in CHECKS.values() for sentence in check(stack)]
