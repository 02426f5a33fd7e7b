"""The simulation: many schedules without a fault, and every planted fault found and named.

They run in a process of their own, without the tests' type checks: a schedule then takes a millisecond.
"""

import json
import subprocess
import sys

import pytest

from serving_stack.lab.faults import FAULTS

PROGRAM = """
import json
from serving_stack.engine.simulate import run_schedule
from serving_stack.lab.faults import FAULTS
from serving_stack.lab.load import first_fault
steps = sum(run_schedule(seed) for seed in range(50_000, 52_000))
print(json.dumps({"steps": steps, "faults": {name: first_fault(plant, 400) for name, plant in FAULTS.items()}}))
"""


@pytest.fixture(scope="module")
def found():
    run = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-2000:]
    return json.loads(run.stdout)


def test_property_two_thousand_schedules(found):
    assert found["steps"] > 40_000


@pytest.mark.parametrize("name", FAULTS)
def test_effect_a_planted_fault_is_found(found, name):
    assert found["faults"][name]["schedule"] is not None and found["faults"][name]["said"]
