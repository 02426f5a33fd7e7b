"""What the labs' pages claim, on the recorded results, with margins."""

from statistics import median

import pytest

from capstone_gpt.lab import labs, record
from capstone_gpt.labs import adam_paper, clipping, landscape, optimizers, size_speed_memory, warmup

RECORDED = labs.recorded(record.read(record.COMMITTED).get("labs", {}))


def test_muon_is_ahead_of_adamw_and_adafactors_state_is_small():
    found = RECORDED["optimizers"]["optimizers"]
    loss = {name: median(one["valid"]) for name, one in found.items()}
    assert loss["Muon"] < loss["AdamW"] - 0.05 and loss["AdamW"] < loss["SGD"] - 0.05
    assert max(found["Muon"]["valid"]) < min(found["AdamW"]["valid"])
    assert found["AdamW"]["bytes"] == 8 and found["Lion"]["bytes"] == 4 and found["Adafactor"]["bytes"] < 0.5
    for name, one in found.items():
        assert f"{one['rate']:g}" == f"{optimizers.RATES[name][1]:g}", f"{name}: the best rate is at the edge"


def test_adam_is_ahead_of_sgd_on_each_task_of_its_paper():
    for task in RECORDED["adam_paper"]["tasks"]:
        loss = adam_paper.losses_of(RECORDED["adam_paper"], task)
        assert loss["Adam"] < loss["SGD"] - 0.02 and loss["Adam"] < loss["momentum"], task


def test_schedules_that_end_low_beat_a_constant_rate():
    found = RECORDED["schedules"]["schedules"]
    loss = {name: median(one["valid"]) for name, one in found.items()}
    assert loss["linear"] < loss["constant"] - 0.03 and loss["cosine"] < loss["constant"]


def test_warm_up_helps_at_the_high_rate_only():
    gain = warmup.gains(RECORDED["warmup"])
    assert gain["0.01"] > 0.05 and gain["0.001"] < 0.01


def test_the_rate_in_the_middle_is_the_best_of_five():
    runs = RECORDED["lr_death"]["runs"]
    valid = {name: float("inf") if one["valid"] is None else one["valid"] for name, one in runs.items()}
    assert valid["0.001"] < min(valid["0.1"], valid["1e-05"]) - 0.2
    assert runs["1e-05"]["moved"] < 0.1 * runs["0.001"]["moved"]


def test_clipping_by_norm_saves_sgd():
    runs = RECORDED["clipping"]["runs"]["SGD, momentum"]
    assert clipping.end(runs["norm"]) < clipping.end(runs["none"]) - 0.1


def test_the_scale_saves_float16_and_bfloat16_needs_none():
    found = RECORDED["fp16_traps"]
    valid = {kind: one["valid"] for kind, one in found["runs"].items()}
    assert abs(valid["float16, scaled"] - valid["float32"]) < 0.1 and abs(valid["bfloat16"] - valid["float32"]) < 0.1
    assert valid["float16"] > valid["float32"] + 0.5
    assert found["scales"]["float16"]["-10"][0] > 0.1 > 0.001 > found["scales"]["bfloat16"]["-10"][0]
    still = {name: one["still"] for name, one in found["weights"].items()}
    assert still["bfloat16"] > still["float16"] + 0.1 and still["bfloat16"] > still["float32"] + 0.2


def test_sorted_batches_have_less_padding():
    fixed, ordered = RECORDED["dynamic_batch"]["padding"].values()
    assert ordered["padding"] < 0.05 < 0.1 < fixed["padding"] and ordered["tokens"] == fixed["tokens"]
    steps = {name: one["steps"] for name, one in RECORDED["dynamic_batch"]["runs"].items()}
    assert steps["growing batch"] < 0.8 * steps["falling rate"]


def test_the_end_of_a_run_is_a_low_place_of_its_plane():
    for one in RECORDED["landscape"]["runs"].values():
        here, lowest = one["here"][0], min(min(row) for row in one["plane"])
        assert here < lowest + 0.1 and landscape.middle(one["rise"]) > 0.1


def test_sizes_are_those_of_the_formula():
    sizes = RECORDED["size_speed_memory"]["sizes"].values()
    assert all(one["parameters"] == one["formula"] == one["bytes"]["weights"] / 4 for one in sizes)
    assert all(one["bytes"]["AdamW"] == 2 * one["bytes"]["gradients"] for one in sizes)
    parameters = [one["parameters"] for one in sizes]
    slowest = min(sizes, key=size_speed_memory.speed)
    assert slowest["parameters"] == max(parameters)


@pytest.mark.parametrize("name", sorted(RECORDED))
def test_each_recorded_outcome_holds_a_number_of_its_result(name):
    text = labs.module(name).outcome(RECORDED[name])
    assert any(character.isdigit() for character in text) and "nan" not in text and "inf " not in text
