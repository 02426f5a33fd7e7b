"""The crowd: locust's readers and who watches them. The parts that need locust or Prometheus are skipped without."""

import shutil
import time
from importlib.util import find_spec

import pytest

from serving_stack import EngineConfig
from serving_stack.lab import crowd, record, tiny
from serving_stack.lab.load import settle
from serving_stack.lab.running import running
from serving_stack.lab.scrape import Pages, prometheus, reading
from serving_stack.lab.serve import random_tiny

LOAD = record.read(record.COMMITTED)["load"]


@pytest.mark.load
@pytest.mark.timeout(300)
@pytest.mark.skipif(find_spec("locust") is None, reason="locust is not installed: pip install -e '.[load]'")
def test_a_crowd_leaves_nothing():
    found = crowd.crowd(4, settle, lambda line: None)
    assert found["failures"] == 0 and found["whole"] > 20 and found["left"] > 0
    assert found["whole"] + found["left"] <= found["streams"] + found["readers"]
    assert found["streams open when the clients were killed"] > 0
    assert found["blocks held after the crowd"] == found["blocks held after the kill"] == 0
    assert found["scraped"]["faults"] == [] and found["scraped"]["pages read by our own parser"] >= 4
    assert found["scraped"]["most blocks held"] > 0


@pytest.mark.timeout(200)
def test_requests_that_time_out_are_told_so_and_leave_nothing():
    found = crowd.timeouts(settle, 24, seconds=0.4)
    assert found["timeout"] >= 12 and found["timeout"] + found["answered"] == 24 and found["blocks held"] == 0


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="no program prometheus (Debian: apt install prometheus)")
def test_oracle_prometheus_reads_the_page_and_takes_the_rules():
    config = EngineConfig(num_blocks=16)
    with running(tiny.served(random_tiny(), config), config) as server, prometheus(server.url) as watcher:
        for _ in range(60):
            if watcher.ask("instance:serving_kv_blocks:share") is not None:
                break
            time.sleep(0.25)
        assert watcher.ask("instance:serving_kv_blocks:share") == 0 and watcher.ask("serving_kv_blocks_total") == 16


def test_our_own_reader_adds_up_and_notices_a_counter_that_falls():
    pages = Pages()
    pages.add('# TYPE a counter\na_total{r="x"} 2\na_total{r="y"} 3\n# TYPE b gauge\nb 7\n')
    pages.add('# TYPE a counter\na_total{r="x"} 2\na_total{r="y"} 1\n# TYPE b gauge\nb 4\n')
    assert pages.largest == {"a_total": 5, "b": 7} and pages.last == {"a_total": 3, "b": 4}
    assert pages.faults == ["a_total fell"] and pages.pages == 2


def test_a_page_that_cannot_be_read_is_a_fault():
    with reading("http://127.0.0.1:9") as pages:
        pass
    assert pages.pages == 0 and len(pages.faults) == 1


def test_quantiles_of_a_histogram():
    assert crowd.quantiles({"10": 98, "20": 1, "500": 1}) == {"p50": 10, "p99": 20}


def test_the_recorded_crowd():
    """Thousands of streams, no failure, nothing held; both readers of the page agree; headers hide the stream."""
    found = LOAD["crowd"]
    assert found["streams"] >= 2000 and found["failures"] == 0 and LOAD["timeouts"]["timeout"] > 0
    assert found["blocks held after the crowd"] == found["blocks held after the kill"] == 0
    assert LOAD["timeouts"]["blocks held"] == 0 and found["scraped"]["faults"] == []
    times = found["milliseconds"]
    assert times["whole stream"]["p50"] > 2 * times["headers"]["p50"]
    watched = found["prometheus"]
    assert watched["scrapes"] >= 60 and watched["scrapes that failed"] == 0
    assert all(watched[name] == found["scraped"][name] for name in ("requests counted", "output tokens"))
    assert len(watched["recorded series"]) == 5
