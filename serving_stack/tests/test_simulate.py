"""The simulation: many schedules without a fault, and every planted fault found and named."""

import pytest

from serving_stack.engine.simulate import run_schedule
from serving_stack.lab.faults import FAULTS
from serving_stack.lab.load import first_fault


def test_property_two_thousand_schedules():
    assert sum(run_schedule(seed) for seed in range(50_000, 52_000)) > 40_000


@pytest.mark.parametrize("name", FAULTS)
def test_effect_a_planted_fault_is_found(name):
    found = first_fault(FAULTS[name], 400)
    assert found["schedule"] is not None and found["said"]
