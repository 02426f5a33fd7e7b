"""What happens around a step: logs, early stopping, TensorBoard, Weights & Biases, gradient norms by hooks.

A callback has any of the methods on_start(trainer), on_step(trainer, record), on_eval(trainer, record) and
on_end(trainer). One with a `state_dict` is saved in the checkpoint.
"""

import json
import math
import os
from pathlib import Path

from torch import Tensor, nn


class JsonLines:
    """One line for each step and evaluation. A line is written at once; a torn last line is cut off on resume.

    Steps that a resumed run repeats are appended again: a reader may check that they are equal.
    """

    def __init__(self, path: Path | str):
        self.path = Path(path)

    def on_start(self, trainer) -> None:
        if self.path.exists():
            whole, newline, _ = self.path.read_bytes().rpartition(b"\n")
            tmp = self.path.with_name(f".{self.path.name}.tmp")
            tmp.write_bytes(whole + newline)
            os.replace(tmp, self.path)

    def on_step(self, trainer, record: dict) -> None:
        with open(self.path, "ab", buffering=0) as file:
            file.write(json.dumps(record).encode() + b"\n")

    on_eval = on_step


def read_log(path: Path | str) -> list[dict]:
    """The records of a `JsonLines` file, without a torn last line."""
    lines = Path(path).read_text(encoding="utf-8").split("\n")[:-1]
    return [json.loads(line) for line in lines]


class EarlyStopping:
    """Stops when the validation loss has not improved for more than `patience` evaluations."""

    def __init__(self, patience: int = 3, min_delta: float | int = 0.0):
        self.patience, self.min_delta = patience, min_delta
        self.best, self.bad = math.inf, 0

    def on_eval(self, trainer, record: dict) -> None:
        if record["valid_loss"] < self.best - self.min_delta:
            self.best, self.bad = record["valid_loss"], 0
        else:
            self.bad += 1
        if self.bad > self.patience:
            trainer.stop = True

    def state_dict(self) -> dict:
        return {"best": self.best, "bad": self.bad}

    def load_state_dict(self, state: dict) -> None:
        self.best, self.bad = state["best"], state["bad"]


class ReduceOnPlateau:
    """Multiplies every learning rate by a `Plateau`'s share."""

    def __init__(self, plateau):
        self.plateau = plateau

    def on_eval(self, trainer, record: dict) -> None:
        trainer.lr_share = self.plateau.observe(record["valid_loss"])

    def state_dict(self) -> dict:
        return self.plateau.state_dict()

    def load_state_dict(self, state: dict) -> None:
        self.plateau.load_state_dict(state)


class GradientNorms:
    """The norm of each parameter's gradient at each step, collected by hooks while the backward pass runs."""

    def __init__(self, model: nn.Module):
        self.norms: dict[str, list[float]] = {name: [] for name, p in model.named_parameters() if p.requires_grad}
        named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
        self.handles = [p.register_post_accumulate_grad_hook(self.hook(name)) for name, p in named]

    def hook(self, name: str):
        def note(p: Tensor) -> None:
            self.norms[name].append(float(p.grad.norm()))

        return note

    def on_end(self, trainer) -> None:
        for handle in self.handles:
            handle.remove()


class TensorBoard:
    """Scalars for TensorBoard (`pip install tensorboard`)."""

    def __init__(self, folder: Path | str):
        from torch.utils.tensorboard import SummaryWriter

        self.writer = SummaryWriter(str(folder))

    def on_step(self, trainer, record: dict) -> None:
        for name, value in record.items():
            if name != "step":
                self.writer.add_scalar(name, value, record["step"])

    on_eval = on_step

    def on_end(self, trainer) -> None:
        self.writer.close()


class WandB:
    """The same for Weights & Biases, offline: the run lies in `folder` (`pip install wandb`)."""

    def __init__(self, folder: Path | str, project: str = "capstone_gpt"):
        import wandb

        self.run = wandb.init(project=project, dir=str(folder), mode="offline")

    def on_step(self, trainer, record: dict) -> None:
        self.run.log(record, step=record["step"])

    on_eval = on_step

    def on_end(self, trainer) -> None:
        self.run.finish()
