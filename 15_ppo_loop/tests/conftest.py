"""The toy language and a model of it, made once for all tests."""

import pytest


@pytest.fixture(scope="session")
def world():
    from ppo_loop.integration import World

    return World(0)


@pytest.fixture(scope="session")
def reference(world):
    from ppo_loop.integration import make_reference

    return make_reference(world, steps=150, lr=5e-3, batch=64)
