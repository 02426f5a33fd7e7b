"""Readers for locust: `locust -f locustfile.py --headless --host URL`. Most read a stream to its end, some leave.

With `stream=True` locust's own time ends with the headers. A stream that stalls or breaks afterwards counts as a quick
success. So each reader reads to the end, fires times of its own, and fails a stream that lacks its last event.
"""

import random
import time

from locust import HttpUser, constant, task

LONGEST = 64  # tokens


class Reader(HttpUser):
    """A client that always has one stream open."""

    wait_time = constant(0)

    @task(4)
    def read_to_the_end(self) -> None:
        self.read(None)

    @task(1)
    def leave_in_the_middle(self) -> None:
        self.read(random.randint(1, 8))

    def read(self, most: int | None) -> None:
        """One stream; `most` events of it, or all."""
        body = {"model": "tiny", "prompt": "hello " * random.randint(1, 20), "stream": True,
                "max_tokens": random.randint(8, LONGEST)}  # fmt: skip
        start, events, last = time.perf_counter(), 0, b""
        post = self.client.post("/v1/completions", json=body, stream=True, catch_response=True, name="headers")
        with post as answer:
            if answer.status_code != 200:
                answer.failure(f"status {answer.status_code}")
                return
            for line in answer.iter_lines():
                if not line:
                    continue
                events, last = events + 1, line
                if events == 1:
                    self.note("first event", start)
                if events == most:
                    break
            if last == b"data: [DONE]":
                self.note("whole stream", start)
            elif events == most:
                self.note("left", start)
            else:
                answer.failure(f"the stream ends with {last[:60]!r}")
                return
            answer.success()
            answer.close()

    def note(self, name: str, start: float) -> None:
        """A time of our own, in milliseconds since `start`."""
        self.environment.events.request.fire(request_type="SSE", name=name, response_length=0, exception=None,
                                             response_time=1e3 * (time.perf_counter() - start), context={})  # fmt: skip
