"""What must fit between the objects of a cluster. Each check yields a sentence for each fault."""

from collections.abc import Iterator

from .read import Stack


def name_of(one: dict) -> str:
    return f"{one['kind']} {one['metadata']['name']}"


def pod(deployment: dict) -> dict:
    """The template's spec."""
    return deployment["spec"]["template"]["spec"]


def labels(deployment: dict) -> dict:
    return deployment["spec"]["template"]["metadata"].get("labels", {})


def containers(deployment: dict) -> list[dict]:
    return pod(deployment)["containers"]


def _selects(selector: dict, found: dict) -> bool:
    return bool(selector) and selector.items() <= found.items()


def selectors(stack: Stack) -> Iterator[str]:
    """Whatever selects pods finds the pods of a Deployment."""
    deployments = list(stack.of_kind("Deployment"))
    for one in deployments:
        if not _selects(one["spec"]["selector"].get("matchLabels", {}), labels(one)):
            yield f"{name_of(one)}: its selector does not match the labels of its own pods"
    wanted = [(one, one["spec"].get("selector", {})) for one in stack.of_kind("Service")]
    wanted += [(one, one["spec"]["selector"].get("matchLabels", {})) for one in stack.of_kind("PodDisruptionBudget")]
    for one, selector in wanted:
        if not any(_selects(selector, labels(deployment)) for deployment in deployments):
            yield f"{name_of(one)}: it selects {selector}, and no pod has these labels"


def ports(stack: Stack) -> Iterator[str]:
    """A Service and the probes name ports that a container has."""
    for deployment in stack.of_kind("Deployment"):
        has = {value for c in containers(deployment) for p in c.get("ports", []) for value in p.values()}
        for service in stack.of_kind("Service"):
            for port in service["spec"]["ports"]:
                target = port.get("targetPort", port["port"])
                if _selects(service["spec"].get("selector", {}), labels(deployment)) and target not in has:
                    yield f"{name_of(service)}: it sends to port {target}, which no container has"
        for kind, probe in probes_of(deployment):
            if probe["httpGet"]["port"] not in has:
                yield f"{name_of(deployment)}: its {kind} asks port {probe['httpGet']['port']}, which no container has"


def probes_of(deployment: dict) -> Iterator[tuple[str, dict]]:
    for container in containers(deployment):
        for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
            if "httpGet" in container.get(kind, {}):
                yield kind, container[kind]


def probes(stack: Stack) -> Iterator[str]:
    """All three probes are there, ask routes that exist, and a drain does not fail the one that kills."""
    for deployment in stack.of_kind("Deployment"):
        found = dict(probes_of(deployment))
        for kind in ("startupProbe", "livenessProbe", "readinessProbe"):
            if kind not in found:
                yield f"{name_of(deployment)}: it has no {kind}"
        for kind, probe in found.items():
            path = probe["httpGet"]["path"]
            if stack.routes and path not in stack.routes:
                yield f"{name_of(deployment)}: its {kind} asks {path}, which the server does not have"
        if found.get("livenessProbe", {}).get("httpGet", {}).get("path") == "/ready":
            yield f"{name_of(deployment)}: its livenessProbe asks /ready, so a replica that drains is killed"


def grace(stack: Stack) -> Iterator[str]:
    """SIGKILL comes after preStop and the drain, not in their middle."""
    for deployment in stack.of_kind("Deployment"):
        given = pod(deployment).get("terminationGracePeriodSeconds", 30)
        for container in containers(deployment):
            wait = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds")
            if wait is None:
                yield f"{name_of(deployment)}: it has no preStop, so requests on their way in are refused"
            elif given <= wait + stack.drain:
                yield (f"{name_of(deployment)}: it is killed after {given} s, and preStop ({wait} s) and the drain "
                       f"({stack.drain:g} s) may need as long")  # fmt: skip


def resources(stack: Stack) -> Iterator[str]:
    """The scheduler of the cluster knows what a pod needs, and a leak ends at a limit."""
    for deployment in stack.of_kind("Deployment"):
        for container in containers(deployment):
            found = container.get("resources", {})
            for part, wanted in (("requests", "cpu"), ("requests", "memory"), ("limits", "memory")):
                if wanted not in found.get(part, {}):
                    yield f"{name_of(deployment)}: container {container['name']} has no {wanted} in its {part}"


def replicas(stack: Stack) -> Iterator[str]:
    """The autoscaler owns the number, and names a Deployment that is there."""
    deployments = {one["metadata"]["name"]: one for one in stack.of_kind("Deployment")}
    for scaler in stack.of_kind("HorizontalPodAutoscaler"):
        target = scaler["spec"]["scaleTargetRef"]["name"]
        if target not in deployments:
            yield f"{name_of(scaler)}: it scales {target}, which is not there"
        elif "replicas" in deployments[target]["spec"]:
            yield f"{name_of(deployments[target])}: it sets replicas, and so does the autoscaler: each apply undoes it"
        if scaler["spec"].get("minReplicas", 1) > scaler["spec"]["maxReplicas"]:
            yield f"{name_of(scaler)}: minReplicas is above maxReplicas"


def disruption(stack: Stack) -> Iterator[str]:
    """A node can be drained, and the last replica is not taken."""
    least = [one["spec"].get("minReplicas", 1) for one in stack.of_kind("HorizontalPodAutoscaler")]
    least += [one["spec"]["replicas"] for one in stack.of_kind("Deployment") if "replicas" in one["spec"]]
    smallest = min(least, default=1)
    for budget in stack.of_kind("PodDisruptionBudget"):
        keep = budget["spec"].get("minAvailable", smallest - budget["spec"].get("maxUnavailable", 0))
        if keep >= smallest:
            yield f"{name_of(budget)}: of {smallest} replicas {keep} must stay, so no node can ever be drained"
        elif keep < 1:
            yield f"{name_of(budget)}: of {smallest} replicas none must stay"
