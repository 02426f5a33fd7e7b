"""What TensorBoard and Weights & Biases wrote, read again: every step's loss is there."""

import json
import struct
import time

import pytest
import torch

from capstone_gpt import Config, ModernConfig, ModernGPT, Pairs, Trainer
from capstone_gpt.training import TensorBoard
from capstone_gpt.training.callbacks import WandB

BLOCK = 32_768  # bytes of a block in LevelDB's log format, which wandb writes


def trained(*callbacks):
    config = Config(steps=4, eval_interval=2, model=ModernConfig(65, 16, 1, 2, 16))
    x = torch.randint(65, (20, 16))
    trainer = Trainer(ModernGPT(config.model), Pairs(x, x), config, evaluator=lambda model: 2.5, callbacks=callbacks)
    return trainer.fit()


def test_tensorboard_has_every_step(tmp_path):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    history = trained(TensorBoard(tmp_path))
    read = EventAccumulator(str(tmp_path)).Reload()
    losses = [(r["step"], r["loss"]) for r in history if "loss" in r]
    assert [(e.step, e.value) for e in read.Scalars("loss")] == [(s, pytest.approx(v, rel=1e-6)) for s, v in losses]
    assert [(e.step, e.value) for e in read.Scalars("valid_loss")] == [(2, 2.5), (4, 2.5)]


def test_wandb_has_every_step_without_a_network(tmp_path, monkeypatch):
    pytest.importorskip("wandb", reason="pip install wandb")
    monkeypatch.setenv("WANDB_SILENT", "true")
    history = trained(WandB(tmp_path))
    (path,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    found, end = steps(path), time.monotonic() + 60
    while len(found) < 4 and time.monotonic() < end:  # a process of wandb's own writes the file
        time.sleep(0.1)
        found = steps(path)
    for record in history:
        assert {name: found[record["step"]][name] for name in record} == record


def steps(path):
    """What a file of wandb holds of each step."""
    from wandb.proto import wandb_internal_pb2

    found = {}
    for content in records(path.read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(content)
        if record.WhichOneof("record_type") == "history":
            items = {item.key or "/".join(item.nested_key): json.loads(item.value_json) for item in record.history.item}
            found.setdefault(items["step"], {}).update(items)
    return found


def records(data):
    """The records of a file: pieces with a header of checksum (4 bytes), length (2) and kind (1; 3 and 2 go on)."""
    place, whole = 7, b""  # behind the file's own header
    while place + 7 <= len(data):
        if BLOCK - place % BLOCK < 7:
            place += BLOCK - place % BLOCK
            continue
        length, kind = struct.unpack_from("<HB", data, place + 4)
        if place + 7 + length > len(data):
            return  # not written to its end yet
        whole += data[place + 7 : place + 7 + length]
        place += 7 + length
        if kind in (1, 4):
            yield whole
            whole = b""
