"""The toy language with a model of it and a reward, and the chat model: each made once for all tests."""

import pytest


@pytest.fixture(scope="session")
def stage():
    """The workbook's, which its cells share."""
    from ppo_loop.lab.break_it import small_stage

    return small_stage()


@pytest.fixture(scope="session")
def world(stage):
    return stage.world


@pytest.fixture(scope="session")
def reference(stage):
    return stage.reference


@pytest.fixture(scope="session")
def chat_model():
    """SmolLM2 and its tokens; a test that trains it takes a copy."""
    from ppo_loop.lab import fetch
    from ppo_loop.smollm2 import load_chat_model

    return load_chat_model(fetch.model("smollm2"))
