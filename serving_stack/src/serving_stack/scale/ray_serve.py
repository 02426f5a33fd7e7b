"""Replicas of the engine under Ray Serve.

The HTTP proxy of Ray chooses between two replicas by their queues; a controller starts and stops replicas by the number
of requests that are on their way. Client and wire are those of the stand-alone server.
"""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from typing import Any

from .replica import Recipe, replica_app

AUTOSCALING = {
    "min_replicas": 1,
    "max_replicas": 2,
    "target_ongoing_requests": 4,  # a replica; with more of them, another replica is started
    "upscale_delay_s": 1.0,
    "metrics_interval_s": 1.0,  # how often the requests on their way are counted
    "look_back_period_s": 3.0,  # and over how long they are averaged
    "downscale_delay_s": 60.0,  # a replica that has just been started is worth keeping
}


def application(recipe: Recipe, autoscaling: dict[str, Any] | None = None, replicas: int | None = None) -> Any:
    """A Serve application. Either so many replicas, or as many as `autoscaling` decides (default AUTOSCALING).

    Raises:
        ValueError: both are given, or replicas is less than one.
    """
    from ray import serve  # here: the engine does not need it

    if replicas is not None and (autoscaling or replicas < 1):
        raise ValueError(f"replicas={replicas}: at least 1, and without autoscaling")
    how: dict[str, Any] = {"num_replicas": replicas} if replicas else {"autoscaling_config": autoscaling or AUTOSCALING}

    deployment = serve.deployment(
        serve.ingress(lambda: _signed_app(recipe))(),
        name="engine",
        ray_actor_options={"num_cpus": 0.5},
        max_ongoing_requests=recipe.max_running + recipe.max_waiting,
        max_queued_requests=64,  # at the proxy; the next request is told to come again
        graceful_shutdown_wait_loop_s=0.5,  # a replica leaves when its last stream has ended, asked so often
        graceful_shutdown_timeout_s=60,
        **how,
    )
    return deployment.bind()


def _signed_app(recipe: Recipe) -> Any:
    """The application of the replica in which this is called."""
    from ray import serve

    return replica_app(recipe, serve.get_replica_context().replica_id.unique_id)


@contextlib.contextmanager
def cluster(port: int, cpus: int = 2) -> Iterator[str]:
    """Ray on this machine, on the loopback only, with Serve at a port. Yields the address.

    The folder for sockets is short, as a socket's path may have 107 bytes. Nothing is reported to anyone. A proxy that
    takes longer than 5 s to start would be killed and started again for ever: on a busy machine it needs more.
    """
    os.environ |= {"RAY_USAGE_STATS_ENABLED": "0", "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "60"}
    import ray
    from ray import serve

    place = "/tmp" if os.path.isdir("/tmp") else None  # TMPDIR may be long, or inside of an environment
    with tempfile.TemporaryDirectory(prefix="ray", dir=place, ignore_cleanup_errors=True) as folder:
        ray.init(num_cpus=cpus, include_dashboard=False, _node_ip_address="127.0.0.1", log_to_driver=False,
                 object_store_memory=80 * 2**20, logging_level="error", _temp_dir=folder)  # fmt: skip
        try:
            serve.start(http_options={"host": "127.0.0.1", "port": port}, logging_config={"log_level": "ERROR"})
            yield f"http://127.0.0.1:{port}"
        finally:
            serve.shutdown()
            ray.shutdown()


def running_replicas() -> int:
    """How many replicas answer now."""
    from ray import serve

    states = [d.replica_states for app in serve.status().applications.values() for d in app.deployments.values()]
    return sum(state.get("RUNNING", 0) for state in states)
