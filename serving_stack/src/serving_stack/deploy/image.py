"""What must fit between the image and the pod that runs it."""

import json
import re
from collections.abc import Iterator

from .objects import containers, labels, name_of, pod
from .read import Stack


def instructions(containerfile: str) -> list[tuple[str, str]]:
    """(INSTRUCTION, argument) of the last stage, without comments, continued lines joined."""
    lines = [line for line in containerfile.splitlines() if not line.lstrip().startswith("#")]
    text = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    pairs = [line.strip().partition(" ") for line in text.splitlines() if line.strip()]
    all_of_them = [(word.upper(), rest.strip()) for word, _, rest in pairs]
    stages = [number for number, (word, _) in enumerate(all_of_them) if word == "FROM"]
    return all_of_them[stages[-1] :]


def last(containerfile: str, word: str) -> str:
    """The argument of the last such instruction, "" if there is none."""
    return next((rest for found, rest in reversed(instructions(containerfile)) if found == word), "")


def command(containerfile: str, word: str) -> list[str] | None:
    """ENTRYPOINT or CMD as words, None where it is a line for a shell."""
    try:
        words = json.loads(last(containerfile, word) or "[]")
    except ValueError:
        return None
    return words if isinstance(words, list) else None


def option(words: list[str], name: str) -> str | None:
    """The value of `--name value` or `--name=value`."""
    for word, following in zip(words, [*words[1:], None], strict=True):
        if word == f"--{name}":
            return following
        if word.startswith(f"--{name}="):
            return word.partition("=")[2]
    return None


def image(stack: Stack) -> Iterator[str]:
    """The image has a pinned base, a health check, and a command that a signal reaches."""
    if not stack.containerfile:
        return
    base = last(stack.containerfile, "FROM").split(" ")[0]
    if not _pinned(base):
        yield f"Containerfile: its base {base} is not pinned"
    if not last(stack.containerfile, "HEALTHCHECK").partition("CMD")[2].strip():
        yield "Containerfile: it has no HEALTHCHECK"
    for word in ("ENTRYPOINT", "CMD"):
        if command(stack.containerfile, word) is None:
            yield f"Containerfile: its {word} is a line for a shell, and SIGTERM does not reach the server"


def _pinned(reference: str) -> bool:
    tag = reference.rpartition("/")[2].partition(":")[2]
    return "@sha256:" in reference or bool(re.match(r"v?\d+\.\d+\.\d+", tag))


def pinned(stack: Stack) -> Iterator[str]:
    """Two pods of one Deployment run the same image."""
    for deployment in stack.of_kind("Deployment"):
        for container in containers(deployment):
            if not _pinned(container["image"]):
                yield f"{name_of(deployment)}: its image {container['image']} is not pinned to a version"


def user(stack: Stack) -> Iterator[str]:
    """The server is nobody in particular, in the image and in the pod."""
    if not stack.containerfile:
        return
    own = last(stack.containerfile, "USER").partition(":")[0]
    if not own.isdigit() or int(own) == 0:
        yield f"Containerfile: its USER is {own or 'root'}; runAsNonRoot needs a number that is not 0"
    for deployment in stack.of_kind("Deployment"):
        wanted = pod(deployment).get("securityContext", {})
        if not wanted.get("runAsNonRoot"):
            yield f"{name_of(deployment)}: it may run as root"
        elif own.isdigit() and wanted.get("runAsUser", int(own)) != int(own):
            yield f"{name_of(deployment)}: it runs as {wanted['runAsUser']}, and the image's files belong to {own}"


def listening(stack: Stack) -> Iterator[str]:
    """The server listens where the pod says, on every address."""
    for deployment in stack.of_kind("Deployment"):
        for container in containers(deployment):
            words = container.get("args") or command(stack.containerfile, "CMD") or []
            host, port = option(words, "host"), option(words, "port")
            has = [str(p["containerPort"]) for p in container.get("ports", [])]
            if host != "0.0.0.0":
                yield f"{name_of(deployment)}: the server listens at {host}, where no probe and no Service comes"
            if port not in has:
                yield f"{name_of(deployment)}: the server listens at port {port}, and the container declares {has}"
            exposed = last(stack.containerfile, "EXPOSE") if stack.containerfile else port
            if exposed != port:
                yield f"Containerfile: it exposes {exposed}, and the server listens at port {port}"


def scraped(stack: Stack) -> Iterator[str]:
    """Prometheus is sent to the port and the path of the metrics page."""
    for deployment in stack.of_kind("Deployment"):
        notes = deployment["spec"]["template"]["metadata"].get("annotations", {})
        has = [str(p["containerPort"]) for c in containers(deployment) for p in c.get("ports", [])]
        if notes.get("prometheus.io/scrape") != "true":
            yield f"{name_of(deployment)}: Prometheus does not scrape pods with the labels {labels(deployment)}"
            continue
        port, path = notes.get("prometheus.io/port"), notes.get("prometheus.io/path", "/metrics")
        if port not in has:
            yield f"{name_of(deployment)}: Prometheus asks port {port}, which no container has"
        if stack.routes and path not in stack.routes:
            yield f"{name_of(deployment)}: Prometheus asks {path}, which the server does not have"
