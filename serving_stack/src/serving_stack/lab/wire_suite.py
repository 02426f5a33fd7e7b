"""One suite of checks on the wire, for any server that claims to speak OpenAI's API.

Each check asks what a client relies on. It passes, fails, or the server says no with a 4xx where it may.
"""

import json
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlparse

import httpx
import openai

CHECKS: list[tuple[str, Callable]] = []
SCHEMA = {
    "type": "object",
    "properties": {"ok": {"type": "boolean"}, "color": {"type": "string", "enum": ["red", "blue"]}},
    "required": ["ok", "color"],
    "additionalProperties": False,
}
TOOL = {"type": "function", "function": {"name": "paint", "parameters": SCHEMA}}


@dataclass
class Target:
    """A server under test."""

    url: str
    model: str
    context: int
    timeout: float = 60.0
    client: openai.OpenAI = field(init=False)
    kept: dict = field(default_factory=dict)

    def __post_init__(self):
        self.client = openai.OpenAI(base_url=f"{self.url}/v1", api_key="none", max_retries=0, timeout=self.timeout)

    def chat(self, **changes: Any):
        """A small greedy chat, with changes. A change of None leaves a field out."""
        fields = {"model": self.model, "messages": [{"role": "user", "content": "hello"}], "temperature": 0,
                  "max_tokens": 12, **changes}  # fmt: skip
        return self.client.chat.completions.create(**{k: v for k, v in fields.items() if v is not None})

    def stream(self, **changes: Any) -> list:
        return list(self.chat(stream=True, **changes))

    def raw(self, body: Any, path: str = "/v1/chat/completions", **more) -> httpx.Response:
        """A request without a client's help; `body` is sent as it is if it is text."""
        data = body if isinstance(body, (str, bytes)) else json.dumps(body)
        headers = {"content-type": "application/json", **more}
        return httpx.post(self.url + path, content=data, headers=headers, timeout=self.timeout)

    def body(self, **changes: Any) -> dict:
        fields = {"model": self.model, "messages": [{"role": "user", "content": "hello"}], "temperature": 0,
                  "max_tokens": 12}  # fmt: skip
        return {**fields, **changes}

    @property
    def text(self) -> str:
        """The greedy answer, asked for once."""
        if "text" not in self.kept:
            self.kept["text"] = self.chat().choices[0].message.content
        return self.kept["text"]


def check(name: str):
    """Register a check."""

    def register(function):
        CHECKS.append((name, function))
        return function

    return register


def refuses(call: Callable[[], Any], code: str | None = None, status: int | None = None) -> bool:
    """Does the call end in a 4xx, with this code or status where one is named?"""
    try:
        call()
    except openai.APIStatusError as error:
        fits = 400 <= error.status_code < 500 and (status is None or error.status_code == status)
        return fits and (code is None or error.code == code)
    return False


def is_error(answer: httpx.Response) -> bool:
    """A 4xx with an error object."""
    return 400 <= answer.status_code < 500 and "message" in answer.json()["error"]


def joined(chunks) -> str:
    return "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)


def reasons(chunks) -> list[str]:
    return [c.choices[0].finish_reason for c in chunks if c.choices and c.choices[0].finish_reason]


def run_suite(target: Target, log: Callable[[str], None] = lambda line: None) -> dict[str, str]:
    """{check: "pass", or why not}."""
    from . import wire_checks, wire_refusals  # noqa: F401  (registers the checks)

    marks = {}
    for name, function in CHECKS:
        log(name)
        marks[name] = run_one(function, target)
    return marks


def run_one(function: Callable, target: Target) -> str:
    """ "pass", or why not."""
    try:
        return "pass" if function(target) else "no"
    except Exception as error:
        return f"{type(error).__name__}: {str(error)[:80]}"


def in_parallel(calls: list[Callable[[], Any]]) -> list:
    """The results of calls made at the same time, None where one raised."""
    results: list = [None] * len(calls)

    def run(i: int) -> None:
        results[i] = calls[i]()

    threads = [threading.Thread(target=run, args=(i,)) for i in range(len(calls))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def socket_to(target: Target) -> socket.socket:
    """A raw connection."""
    parsed = urlparse(target.url)
    return socket.create_connection((parsed.hostname, parsed.port), timeout=10)


def first_line(connection: socket.socket) -> str:
    """The status line of an answer, "" where the connection is closed without one."""
    try:
        return connection.recv(200).split(b"\r\n")[0].decode(errors="replace")
    except OSError:
        return ""
