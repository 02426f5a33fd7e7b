"""The same engine as a Ray Serve application: replicas, autoscaling, streaming.

Read in this order:
    replica.py         one engine and its server's application inside of a replica
    ray_serve.py       how many replicas, when there are more, and how a cluster of one machine starts
"""

from .ray_serve import AUTOSCALING, application, cluster
from .replica import Recipe, replica_app

__all__ = ["AUTOSCALING", "Recipe", "application", "cluster", "replica_app"]
