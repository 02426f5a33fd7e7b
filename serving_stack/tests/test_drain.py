"""The readiness drill: SIGTERM under load. `/ready` turns first, no stream is lost, the exit code is 0."""

import signal
import sys
import threading
import time

import httpx
import pytest

from serving_stack.lab.replicas import kill_under_load, replicas, stream


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends a process at once; it has no SIGTERM to drain on")
@pytest.mark.timeout(200)
def test_sigterm_under_load_loses_no_stream():
    """vllm 24885, 36666; gpustack 6203."""
    with replicas(1, "--drain-delay", "3.0") as [one]:
        whole = stream(one.url, "hello", 60)
        assert whole[1] and len(whole[0]) > 10
        found, threads, begun = [], [], [threading.Event() for _ in range(6)]
        for event in begun:
            threads.append(threading.Thread(target=lambda e=event: found.append(stream(one.url, "hello", 400, e))))
            threads[-1].start()
        assert all(event.wait(60) for event in begun)
        one.process.send_signal(signal.SIGTERM)
        seen = []
        for _ in range(30):
            try:
                seen.append((httpx.get(f"{one.url}/ready", timeout=1).status_code,
                             httpx.get(f"{one.url}/health", timeout=1).status_code))  # fmt: skip
            except httpx.TransportError:
                break
            if seen[-1][0] == 503:
                refused = httpx.post(f"{one.url}/v1/completions", json={"model": "tiny", "prompt": "x"}, timeout=5)
                assert refused.status_code == 503 and refused.headers["retry-after"]
                break
            time.sleep(0.02)
        assert (503, 200) in seen, "not ready, and alive"
        for thread in threads:
            thread.join()
        assert [ended for _, ended in found] == [True] * 6
        assert one.process.wait(20) == 0


@pytest.mark.timeout(200)
def test_a_replica_that_is_killed_loses_no_answer():
    found = kill_under_load()
    assert found["whole"] == found["streams"] == 12
