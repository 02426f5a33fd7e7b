"""The Triton kernels: exact in the interpreter, and compiled to tensor-core instructions without a GPU."""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason="triton is not installed (Linux only)"
)
CASES = Path(__file__).with_name("triton_cases.py")


def run(what, **environment):
    done = subprocess.run(
        [sys.executable, CASES, what],
        capture_output=True,
        text=True,
        env={**os.environ, "TRITON_DEFAULT_FP_FUSION": "1", "OMP_NUM_THREADS": "1", **environment},
    )
    assert done.returncode == 0, done.stderr[-2000:]


def test_the_interpreter_agrees_with_the_reference():
    run("interpreted", TRITON_INTERPRET="1")


@pytest.mark.timeout(240)
def test_machine_code_holds_the_tensor_core_instruction(tmp_path):
    run("compiled", TRITON_INTERPRET="0")
