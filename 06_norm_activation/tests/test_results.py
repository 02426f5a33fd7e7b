"""The numbers: README and REPORT say what results.json says, and the experiments can be repeated."""

from pathlib import Path

import pytest
from norm_activation.__main__ import COMMANDS, run
from norm_activation.lab import record

FOLDER = Path(__file__).parents[1]


def test_nothing_quick_is_committed_and_every_figure_is_shown():
    sections = record.read(record.COMMITTED)
    assert {command.key for command in COMMANDS} <= set(sections)
    assert not [name for name, section in sections.items() if section.get("meta", {}).get("quick")]
    shown = (FOLDER / "results/REPORT.md").read_text()
    assert all(figure.name in shown for figure in (FOLDER / "results").glob("*.png"))


@pytest.mark.parametrize("command", ["headline", "bench", "dynamics", "framework", "laboratory"])
def test_each_command_runs_quickly(command, tmp_path, capsys):
    assert run([command, "--quick", "--out", str(tmp_path)]) == 0
    assert "Quick run" in capsys.readouterr().out


def test_the_real_model_is_selected_by_its_option():
    assert [command.name for command in COMMANDS if command.model] == ["smollm2"]
