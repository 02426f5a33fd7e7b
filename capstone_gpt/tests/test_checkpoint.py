"""Checkpoints: whole or not there, everything comes back, damage is noticed."""

import os
import random

import numpy as np
import pytest
import torch
from given import (
    Compiled,
    Counter,
    Draws,
    Unsavable,
    folder,
    generators,
    inode,
    randn,
    sizes_on_disk_before_the_move,
    trained_parts,
)
from torch import nn


@pytest.fixture
def tmp_path():
    """In memory: these tests look at names, contents and the order of calls, and wait for no disk."""
    hold, where = folder()
    with hold:
        yield where


@pytest.mark.task("Checkpoint")
def test_everything_comes_back(impl, seed, tmp_path):
    parts = trained_parts(seed)
    checkpoint = impl.Checkpoint(tmp_path / "c.pt")
    assert checkpoint.save(17, parts) is None
    fresh = trained_parts(seed + 1)
    assert impl.Checkpoint(str(tmp_path / "c.pt")).load(fresh) == 17
    for p, q in zip(parts["model"].parameters(), fresh["model"].parameters(), strict=True):
        assert torch.equal(p, q)
        states = (parts["optimizer"].state[p], fresh["optimizer"].state[q])
        assert torch.equal(states[0]["exp_avg"], states[1]["exp_avg"]) and states[0]["step"] == states[1]["step"] == 2
    assert fresh["sampler"].position == parts["sampler"].position


@pytest.mark.task("Checkpoint")
def test_the_three_generators_go_on(impl, tmp_path):
    def draw():
        return torch.rand(3).tolist(), np.random.rand(3).tolist(), np.random.randn(), random.random(), random.gauss()

    draw(), random.gauss()  # half a pair of normal numbers is kept for the next call
    checkpoint = impl.Checkpoint(tmp_path / "c.pt")
    checkpoint.save(1, {})
    want = draw()
    checkpoint.load({})
    assert draw() == want


@pytest.mark.task("Checkpoint")
def test_the_generators_come_last_and_a_refused_file_moves_none(impl, tmp_path):
    def draw():
        return torch.rand(1).item(), np.random.rand(), random.random()

    checkpoint = impl.Checkpoint(tmp_path / "c.pt")
    checkpoint.save(1, {"part": Draws(3)})
    want = draw()
    checkpoint.load({"part": Draws()})
    assert draw() == want
    checkpoint.save(2, {"part": Draws(3)})
    draw()
    before = generators()
    with pytest.raises(ValueError):
        checkpoint.load({"other": Draws()})
    assert generators() == before


@pytest.mark.task("Checkpoint")
def test_a_save_that_breaks_off_leaves_the_old_file(impl, seed, tmp_path):
    checkpoint = impl.Checkpoint(tmp_path / "c.pt")
    checkpoint.save(1, {"sampler": Counter(3)})
    with pytest.raises(RuntimeError):
        checkpoint.save(2, {"sampler": Unsavable()})
    loaded = Counter()
    assert checkpoint.load({"sampler": loaded}) == 1 and loaded.position == 3
    assert os.listdir(tmp_path) == ["c.pt"]


@pytest.mark.task("Checkpoint")
def test_the_content_is_on_the_disk_before_the_name_moves(impl, tmp_path):
    """Counted, not simulated: the files' sizes at each fsync that stands before the first rename."""
    checkpoint = impl.Checkpoint(tmp_path / "c.pt")
    checkpoint.save(1, {"sampler": Counter(3)})
    written = sizes_on_disk_before_the_move(lambda: checkpoint.save(2, {"sampler": Counter(4)}), tmp_path)
    assert (tmp_path / "c.pt").stat().st_size in written


@pytest.mark.task("Checkpoint")
def test_the_name_moves_to_a_new_file(impl, tmp_path):
    """Nothing is written into the file that the name points to: whoever has it open reads the old one."""
    checkpoint = impl.Checkpoint(tmp_path / "c.pt")
    checkpoint.save(1, {"sampler": Counter(3)})
    old, before = tmp_path / "old", (tmp_path / "c.pt").read_bytes()
    os.link(tmp_path / "c.pt", old)
    checkpoint.save(2, {"sampler": Counter(4)})
    assert inode(old) != inode(tmp_path / "c.pt") and old.read_bytes() == before
    assert sorted(os.listdir(tmp_path)) == ["c.pt", "old"]


@pytest.mark.task("Checkpoint")
@pytest.mark.parametrize("change", ["a bit", "the end", "all but the beginning", "everything"])
def test_damage_is_noticed_before_anything_changes(impl, tmp_path, change):
    checkpoint = impl.Checkpoint(tmp_path / "c.pt")
    model = nn.Linear(40, 30)
    checkpoint.save(1, {"model": model})
    content = bytearray((tmp_path / "c.pt").read_bytes())
    if change == "a bit":
        content[len(content) // 2] ^= 1
    else:
        content = content[: {"the end": -7, "all but the beginning": 5, "everything": 0}[change]]
    (tmp_path / "c.pt").write_bytes(content)
    with torch.no_grad():
        model.weight.fill_(5.0)
    with pytest.raises(ValueError):
        checkpoint.load({"model": model})
    assert (model.weight == 5).all()


@pytest.mark.task("Checkpoint")
def test_other_parts_are_refused(impl, tmp_path):
    checkpoint = impl.Checkpoint(tmp_path / "c.pt")
    checkpoint.save(1, {"sampler": Counter(3), "other": Counter(2)})
    with pytest.raises(ValueError):
        checkpoint.load({"sampler": Counter()})
    with pytest.raises(ValueError):
        checkpoint.load({"sampler": Counter(), "other": Counter(), "third": Counter()})


@pytest.mark.task("Checkpoint")
def test_a_compiled_model_and_a_plain_one_have_the_same_checkpoint(impl, seed):
    hold, where = folder()
    with hold:
        plain, other = nn.Linear(3, 2), nn.Linear(3, 2)
        with torch.no_grad():
            plain.weight.copy_(randn(seed, 2, 3))
        impl.Checkpoint(where / "c.pt").save(1, {"model": Compiled(plain)})
        impl.Checkpoint(where / "c.pt").load({"model": other})
        assert torch.equal(plain.weight, other.weight)
        third = Compiled(nn.Linear(3, 2))
        impl.Checkpoint(where / "c.pt").save(2, {"model": plain})
        assert impl.Checkpoint(where / "c.pt").load({"model": third}) == 2
        assert torch.equal(plain.weight, third._orig_mod.weight)
