"""Numbers for Prometheus: what the engine holds, and what its clients feel."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """A registry of its own, so that several services in one process do not mix."""

    def __init__(self):
        self.registry = CollectorRegistry()
        options = {"registry": self.registry}
        self.blocks_used = Gauge("serving_kv_blocks_used", "Blocks that a request holds", **options)
        self.blocks_total = Gauge("serving_kv_blocks_total", "Blocks of the pool", **options)
        self.running = Gauge("serving_requests_running", "Requests that are computed", **options)
        self.waiting = Gauge("serving_requests_waiting", "Requests that wait for their turn", **options)
        self.open = Gauge("serving_responses_open", "Answers that are not sent to their end", **options)
        self.requests = Counter("serving_requests", "Ended requests by reason", ["reason"], **options)
        self.prompt_tokens = Counter("serving_prompt_tokens", "Tokens of prompts", **options)
        self.cached_tokens = Counter("serving_cached_tokens", "Tokens found in the prefix cache", **options)
        self.output_tokens = Counter("serving_output_tokens", "Tokens generated", **options)
        self.preemptions = Counter("serving_preemptions", "Requests that were put back", **options)
        self.first_token = Histogram(
            "serving_time_to_first_token_seconds", "From arrival to the first token", buckets=SECONDS, **options
        )
        self.step = Histogram("serving_step_seconds", "One step of the engine", buckets=SECONDS, **options)

    def text(self) -> bytes:
        """The page that Prometheus reads."""
        return generate_latest(self.registry)
