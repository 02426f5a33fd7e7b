"""The numbers: README and REPORT say what results.json says, and the experiments can be repeated."""

from pathlib import Path
from statistics import median

import mistakes
import pytest
from instruct_tuner.__main__ import COMMANDS
from instruct_tuner.lab import bench, experiment, fetch, plots, record
from instruct_tuner.lab.cli import main
from mutants import mutants

FOLDER = Path(__file__).parents[1]
RESULTS = record.read(record.COMMITTED)


def test_nothing_quick_is_committed():
    assert set(RESULTS) - {"trial"} == {command.key for command in COMMANDS}
    assert not [name for name, section in RESULTS.items() if section["meta"]["quick"]]
    for name in ("elicited", "packing", "smollm2", "break_it"):
        assert 5_000 < (FOLDER / "results" / f"{name}.png").stat().st_size < 250_000


@pytest.mark.timeout(240)
@pytest.mark.parametrize("command", ["headline", "break", "variants"])
def test_each_command_runs_quickly(command, tmp_path, capsys):
    assert main("instruct_tuner", "", COMMANDS, plots.draw, [command, "--quick", "--out", str(tmp_path)]) == 0
    assert "Quick run" in capsys.readouterr().out


def test_the_recorded_mutants_are_those_that_there_are():
    recorded = RESULTS["mutants"]["tasks"]
    assert {task: n["mutants"] for task, n in recorded.items()} == {task: len(mutants(task)) for task in mistakes.TASKS}
    assert not any(n["survive"] for n in recorded.values())


def test_effect_the_recorded_headline():
    runs = RESULTS["headline"]["runs"]
    assert max(runs["base"]["facts"]) < 0.05 and max(runs["base"]["sums"]) < 0.05
    assert min(runs["base"]["prose"]) > 0.9
    for name in ("LoRA, r = 4", "LoRA, r = 8", "LoRA, r = 16"):
        assert runs[name]["facts"][0] > 0.75 > 0.5 > runs[name]["facts"][1], "seed 0 answers, seed 1 does not"
        assert median(runs[name]["parameters"]) < 0.25 * median(runs["full"]["parameters"])
    assert median(runs["QLoRA, r = 4"]["bytes"]) < 0.4 * median(runs["LoRA, r = 4"]["bytes"])
    assert all(min(run["forgetting"]) > 0.3 for name, run in runs.items() if name != "base")
    packing = RESULTS["headline"]["packing"]
    assert packing == experiment.packing(lambda line: None)
    assert packing["to the longest of all"] < 0.2 and packing["packed"] > 0.999


def test_effect_the_recorded_real_model():
    s = RESULTS["smollm2"]
    assert s["after"]["json"] > 0.9 > s["before"]["json"] + 0.2 and s["after"]["calls"] > 0.9
    assert s["after"]["sums right"] > s["before"]["sums right"] + 0.3
    assert s["loss"]["fp32"] < s["loss"]["NF4"] < s["loss"]["fp32"] + 1
    assert s["bytes"]["NF4, double quantization"] < s["bytes"]["NF4"] < 0.4 * s["bytes"]["fp32"]


def test_effect_the_recorded_real_instructions():
    s = RESULTS["instructions"]
    assert s["after"]["gold loss"] < 0.9 * s["before"]["gold loss"]
    assert all(s["after"][score] > 1.1 * s["before"][score] for score in ("ROUGE-L", "BLEU", "chrF"))


def test_the_bench_says_what_the_readme_says():
    b = RESULTS["bench"]
    assert b["packing"]["rows"]["ours"] <= bench.MOST_OVER_BOUND * b["packing"]["lower bound"]
    assert bench.ratio(b["packing"], "ours", "TRL") > 2 and bench.ratio(b["useful tokens"], "packed", "padded") > 1.5


def test_break_it_is_as_the_pages_say():
    runs = RESULTS["break_it"]["runs"]
    right = runs["as it should be"]
    assert runs["end of turn not scored"]["facts"] == 0 and runs["end of turn not scored"]["tokens"] > 20
    assert runs["learning rate of pre-training"]["forgetting"] > right["forgetting"] + 0.5
    assert runs["three examples"]["on the three"] < 0.01 and runs["three examples"]["facts"] < 0.3


@pytest.mark.real
@pytest.mark.skipif(not fetch.is_local(fetch.SMOLLM2), reason="the real model is not on this machine: nox -s models")
@pytest.mark.timeout(300)
def test_the_real_models_template_is_ours_and_it_answers():
    from instruct_tuner.lab import cli, real_model

    model = real_model.read(cli.options(), print)  # compares the file's own template with format_conversation
    said = model.reply([[{"role": "user", "content": real_model.CHAT}], [{"role": "user", "content": "Say hi."}]], 12)
    assert "Paris" in said[0] and said[1]
    assert model.tokens.decode(model.tokens.header[1:]) == "assistant\n"
    text = "Ünïcode 12 <|im_end|>\n"
    assert model.tokens.encode(text)[-2] == model.tokens.end
