"""The loop: batches, a step, now and then an evaluation and a checkpoint. Killed anywhere, it ends with the same bits.

trainer = Trainer(model, Pairs(x, y), Config(steps=300), folder="runs/first")
trainer.resume()  # False if there is nothing to resume
trainer.fit()
"""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..data.sampler import Sampler
from ..optim.adamw import AdamW
from ..optim.muon_fast import MuonAdamW
from ..optim.param_groups import param_groups
from .checkpoint import Checkpoint
from .config import Config
from .precision import LossScaler, autocast
from .train_step import IGNORE, train_step


def token_loss(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Generation: the sum of the losses of all next tokens."""
    return F.cross_entropy(model(x).flatten(0, 1).float(), y.flatten(), reduction="sum", ignore_index=IGNORE)


def class_loss(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Classification: one class a sample."""
    return F.cross_entropy(model(x), y, reduction="sum")


def squared_loss(model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """Regression: one number a sample."""
    return F.mse_loss(model(x).squeeze(-1), y, reduction="sum")


def build_optimizer(model: nn.Module, config: Config) -> torch.optim.Optimizer:
    """Each group remembers its peak rate as `initial_lr`."""
    if config.optimizer == "muon":
        made = MuonAdamW(model, config.lr, config.muon_lr, weight_decay=config.weight_decay)
    else:
        made = AdamW(param_groups(model, config.weight_decay), config.lr)
    for group in made.param_groups:
        group["initial_lr"] = group["lr"]
    return made


class Trainer:
    """Trains any model on any data that `data[indices]` gives as (x, y), with any loss that is a sum over targets.

    `evaluator(model)` is a number to report every `eval_interval` steps. `folder` is where the checkpoint lies.
    """

    def __init__(
        self,
        model: nn.Module,
        data: Any,
        config: Config,
        loss: Callable[[nn.Module, Tensor, Tensor], Tensor] = token_loss,
        evaluator: Callable[[nn.Module], float] | None = None,
        callbacks: Sequence[Any] = (),
        folder: Path | str | None = None,
        optimizer: torch.optim.Optimizer | None = None,
    ):
        self.model, self.data, self.config = model, data, config
        self.loss, self.evaluator, self.callbacks = loss, evaluator, list(callbacks)
        self.optimizer = optimizer or build_optimizer(model, config)
        for group in self.optimizer.param_groups:
            group.setdefault("initial_lr", group["lr"])
        self.sampler = Sampler(len(data), config.batch_size, config.seed)
        self.scaler = LossScaler() if config.precision == "float16" else None
        self.step, self.stop, self.lr_share = 0, False, 1.0
        self.history: list[dict] = []
        self.checkpoint = Checkpoint(Path(folder) / "checkpoint.pt") if folder else None
        if folder:
            Path(folder).mkdir(parents=True, exist_ok=True)

    # -- what a checkpoint holds

    def parts(self) -> dict[str, Any]:
        """Everything with a state. The step and the random generators are the checkpoint's own business."""
        found = {"config": self.config, "model": self.model, "optimizer": self.optimizer, "sampler": self.sampler}
        if self.scaler:
            found["scaler"] = self.scaler
        stateful = [c for c in self.callbacks if hasattr(c, "state_dict")]
        return found | {f"{type(c).__name__} {i}": c for i, c in enumerate(stateful)}

    def save(self) -> None:
        self.checkpoint.save(self.step, self.parts())

    def resume(self) -> bool:
        """Go on where the last checkpoint was made. False if there is none."""
        if self.checkpoint is None or not self.checkpoint.path.exists():
            return False
        self.step = self.checkpoint.load(self.parts())
        return True

    # -- the loop

    def fit(self, until: int | None = None) -> list[dict]:
        """Train until step `until` (the config's last one by default); returns the records of these steps.

        The end of the run is saved too, where there is a folder.
        """
        first = len(self.history)
        self.tell("on_start")
        last = min(until or self.config.steps, self.config.steps)
        while self.step < last and not self.stop:
            self.train_once()
        if self.checkpoint:
            self.save()
        self.tell("on_end")
        return self.history[first:]

    def train_once(self) -> None:
        c = self.config
        for group in self.optimizer.param_groups:
            group["lr"] = group["initial_lr"] * c.rate(self.step) * self.lr_share
        micro_batches = [self.data[next(self.sampler)] for _ in range(c.accumulation)]
        self.model.train()
        loss, norm = train_step(self.loss_sum, self.optimizer, micro_batches, c.max_norm, self.scaler)
        self.step += 1
        lr = self.optimizer.param_groups[-1]["lr"]
        self.note("on_step", {"step": self.step, "loss": loss, "grad_norm": norm, "lr": lr})
        if self.evaluator and c.eval_interval and self.step % c.eval_interval == 0:
            self.note("on_eval", {"step": self.step, "valid_loss": self.evaluator(self.model)})
        if self.checkpoint and c.checkpoint_interval and self.step % c.checkpoint_interval == 0:
            self.save()

    def loss_sum(self, x: Tensor, y: Tensor) -> Tensor:
        with autocast(self.config.precision):
            return self.loss(self.model, x, y)

    def note(self, event: str, record: dict) -> None:
        self.history.append(record)
        self.tell(event, record)

    def tell(self, event: str, *args: Any) -> None:
        for callback in self.callbacks:
            if method := getattr(callback, event, None):
                method(self, *args)


def state_hash(*parts: Any) -> str:
    """A hash of every number in some state dicts: equal hashes are equal bits."""
    digest = hashlib.sha256()

    def add(value: Any) -> None:
        if isinstance(value, Tensor):
            digest.update(value.detach().cpu().reshape(-1).contiguous().view(torch.uint8).numpy().tobytes())
        elif isinstance(value, dict):
            for key in sorted(value, key=str):
                digest.update(str(key).encode())
                add(value[key])
        elif isinstance(value, (list, tuple)):
            for item in value:
                add(item)
        else:
            digest.update(repr(value).encode())

    for part in parts:
        add(part.state_dict())
    return digest.hexdigest()[:16]
