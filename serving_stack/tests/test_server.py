"""The server: the wire suite, clients that go, timeouts, a full queue, numbers for Prometheus."""

import asyncio
import json
import socket
import time

import httpx
import pytest

from serving_stack import EngineConfig
from serving_stack.lab import tiny
from serving_stack.lab.load import settle, storm
from serving_stack.lab.running import running
from serving_stack.lab.serve import random_tiny
from serving_stack.wire.served import Limits

CONFIG = EngineConfig(num_blocks=96, max_running=8)


@pytest.fixture(scope="module")
def server():
    with running(tiny.served(random_tiny(), CONFIG), CONFIG, Limits(max_waiting=4096)) as made:
        yield made


def post(server, path="completions", **changes):
    body = {"model": "tiny", "prompt": "hello", "max_tokens": 8, "temperature": 0, **changes}
    return httpx.post(f"{server.url}/v1/{path}", json=body, timeout=60)


def test_the_wire_suite(server):
    from serving_stack.lab.wire_suite import CHECKS, Target, run_suite

    marks = run_suite(Target(server.url, "tiny", 512))
    assert len(CHECKS) >= 40 and len(marks) == len(CHECKS)
    assert {name: mark for name, mark in marks.items() if mark != "pass"} == {}
    assert settle(server) == 0


def test_load_streams_of_which_one_in_five_is_cut(server):
    found = asyncio.run(storm(server, 150, 32, 0, lambda line: None))
    assert found["failures"] == [] and found["cut by the client"] >= 20  # a short one may end before it is cut
    assert found["whole"] + found["cut by the client"] == 150 and settle(server) == 0
    assert not server.service.engine.requests and not server.service._choices


def test_a_client_that_goes_without_a_word_leaves_nothing(server):
    """vllm 54947: waiting, running, and not streaming."""
    body = json.dumps({"model": "tiny", "prompt": "x" * 30, "max_tokens": 300})
    head = f"POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-length: {len(body)}\r\n\r\n"
    host, port = server.url.removeprefix("http://").split(":")
    connections = [socket.create_connection((host, int(port))) for _ in range(20)]
    for connection in connections:
        connection.sendall((head + body).encode())
    time.sleep(0.2)
    for connection in connections:
        connection.close()
    assert settle(server) == 0
    assert post(server).status_code == 200


def test_half_a_request_does_not_hold_the_server_up(server):
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as half:
        half.sendall(b"POST /v1/completions HTTP/1.1\r\nhost: x\r\ncontent-length: 500\r\n\r\n{")
        assert post(server).status_code == 200


def test_metrics_count_what_happened(server):
    def number(name):
        lines = httpx.get(f"{server.url}/metrics").text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(name))

    names = ("serving_output_tokens_total", "serving_prompt_tokens_total", "serving_time_to_first_token_seconds_count",
             'serving_requests_total{reason="length"}')  # fmt: skip
    before = [number(name) for name in names]
    post(server)
    assert [number(name) - b for name, b in zip(names, before, strict=True)] == [8, 5, 1, 1]
    assert number("serving_kv_blocks_total") == 96


def test_a_prefix_is_found_the_second_time(server):
    prompt = "the same long beginning of sixty-four bytes or a little more, twice " * 2
    post(server, prompt=prompt)
    before = server.service.metrics.cached_tokens._value.get()
    post(server, prompt=prompt)
    assert server.service.metrics.cached_tokens._value.get() - before >= 112


def test_a_full_queue_is_told_to_come_again():
    """vllm 18826, 2901: a queue without a bound answers nobody."""
    config = EngineConfig(num_blocks=40, max_running=1)
    with running(tiny.served(random_tiny(), config), config, Limits(max_waiting=2)) as made:
        with httpx.Client(base_url=made.url, timeout=60) as client:
            body = {"model": "tiny", "prompt": "x", "max_tokens": 500, "stream": True}
            streams = [client.stream("POST", "/v1/completions", json=body) for _ in range(3)]
            opened = [s.__enter__() for s in streams]
            refused = client.post("/v1/completions", json={**body, "n": 3, "stream": False})
            assert refused.status_code == 429 and refused.headers["retry-after"] == "1"
            assert refused.json()["error"]["code"] == "queue_full"
            for s in streams:
                s.__exit__(None, None, None)
            assert len(opened) == 3
        assert settle(made) == 0


def test_a_timeout_frees_its_blocks():
    config = EngineConfig(num_blocks=40)
    with running(tiny.served(random_tiny(), config), config, Limits(request_timeout=0.05)) as made:
        answer = post(made, max_tokens=480)
        assert answer.status_code == 504 and answer.json()["error"]["code"] == "timeout"
        assert settle(made) == 0


def test_an_engine_that_fails_says_so_and_is_not_healthy():
    config = EngineConfig(num_blocks=40)
    served = tiny.served(random_tiny(), config)
    with running(served, config) as made:
        served.runner.execute = lambda plan: 1 / 0
        answer = post(made)
        assert answer.status_code == 500 and answer.json()["error"]["code"] == "engine_error"
        assert httpx.get(f"{made.url}/health").status_code == 503
        assert post(made).status_code == 503


def test_the_trained_model_answers(server):
    """Four steps of training are enough to show that the loss falls; the answers themselves are the headline's."""
    weights = tiny.train(4)
    assert set(weights) == set(random_tiny())
