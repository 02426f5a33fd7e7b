"""The numbers: README and REPORT say what results.json says, and the experiments can be repeated."""

from pathlib import Path

import pytest
from PACKAGE_NAME.__main__ import COMMANDS
from PACKAGE_NAME.lab import break_it, plots, record
from PACKAGE_NAME.lab.cli import main, options

FOLDER = Path(__file__).parents[1]


def test_nothing_quick_is_committed():
    sections = record.read(record.COMMITTED)
    assert set(sections) == {command.key for command in COMMANDS}
    assert not [name for name, section in sections.items() if section["meta"]["quick"]]


@pytest.mark.parametrize("command", [command.name for command in COMMANDS if command.name != "mutants"])
def test_each_command_runs_quickly(command, tmp_path, capsys):
    assert main("PACKAGE_NAME", "", COMMANDS, plots.draw, [command, "--quick", "--out", str(tmp_path)]) == 0
    assert "Quick run" in capsys.readouterr().out


def test_break_it_is_as_recorded():
    recorded = record.read(record.COMMITTED)["break_it"]["broken rows"]
    repeated = break_it.break_it(options(), lambda line: None)["broken rows"]
    assert repeated == recorded
    assert recorded["100"]["naive"] > 0.9 and recorded["500"]["ours"] == 0
