"""Says what to type when pytest is started outside of a project's folder. Each project has a conftest.py of its own."""

import pytest

ELSEWHERE = "each project is tested in its own folder: cd 08_kv_speedrun && pytest, or nox -s project-08"


def pytest_addoption(parser):
    parser.addoption("--attempt", default=None, help=ELSEWHERE)
    parser.addoption("--task", action="append", default=None, help=ELSEWHERE)


def pytest_configure(config):
    given = config.getoption("--attempt")
    more = f" (for your work: pytest --attempt {given}, in that folder)" if given else ""
    raise pytest.UsageError(ELSEWHERE + more)
