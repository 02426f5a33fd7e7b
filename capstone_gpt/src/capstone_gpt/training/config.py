"""A run in one frozen object: read from a TOML file, written into the checkpoint, compared when a run resumes."""

import dataclasses
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from ..model.modern import ModernConfig
from ..optim.schedule import constant_lr, cosine_lr, trapezoid_lr

CHOICES = {
    "optimizer": ("muon", "adamw"),
    "schedule": ("trapezoid", "cosine", "constant"),
    "precision": ("float32", "bfloat16", "float16"),
}


@dataclass(frozen=True)
class Config:
    """Everything that decides what a run computes. `model` is read by whoever builds the model."""

    steps: int = 300
    batch_size: int = 12  # sequences of one micro-batch
    accumulation: int = 1  # micro-batches of one step
    optimizer: str = "muon"
    lr: float | int = 3e-3  # of AdamW
    muon_lr: float | int = 0.02
    weight_decay: float | int = 0.0
    max_norm: float | int = float("inf")  # of all gradients together
    schedule: str = "trapezoid"
    warmup_steps: int = 20
    decay: float | int = 0.5  # the share of the steps over which a trapezoid falls
    precision: str = "float32"  # autocast, where it is another one
    eval_interval: int = 0  # steps; 0 is never
    checkpoint_interval: int = 0
    seed: int = 0
    model: ModernConfig = field(default_factory=ModernConfig)

    def __post_init__(self):
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"{name}={getattr(self, name)!r}: choose one of {', '.join(allowed)}")
        for name in ("steps", "batch_size", "accumulation"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)}: must be at least 1")

    def rate(self, step: int) -> float:
        """The share of the peak learning rate at a step."""
        if self.schedule == "constant":
            return constant_lr(step, 1.0, self.warmup_steps)
        if self.schedule == "cosine":
            return cosine_lr(step, 1.0, self.warmup_steps, max(self.steps, self.warmup_steps + 1), min_lr=0.1)
        return trapezoid_lr(step, 1.0, self.warmup_steps, self.steps, self.decay)

    def state_dict(self) -> dict:
        return dataclasses.asdict(self)

    def load_state_dict(self, state: dict) -> None:
        """A run resumes with the config that it began with. It may end, evaluate and save at other steps.

        Raises:
            ValueError: another value of a field.
        """
        for name, value in self.state_dict().items():
            if value != state.get(name) and name != "steps" and not name.endswith("_interval"):
                raise ValueError(f"{name}={value!r}: the checkpoint's run has {state.get(name)!r}; use another folder")


def from_toml(path: Path | str) -> Config:
    """Raises:
    ValueError: a name that `Config` does not have, or a refused value.
    """
    return from_dict(tomllib.loads(Path(path).read_text(encoding="utf-8")))


def from_dict(values: dict) -> Config:
    for owner, given in ((Config, values), (ModernConfig, values.get("model", {}))):
        unknown = sorted(set(given) - {f.name for f in dataclasses.fields(owner)})
        if unknown:
            raise ValueError(f"{unknown[0]}: {owner.__name__} has no such field")
    return Config(**{**values, "model": ModernConfig(**values.get("model", {}))})


def to_toml(config: Config) -> str:
    """The config as TOML. Fields that are None are left out."""
    values = config.state_dict()
    model = values.pop("model")
    return f"{table(values)}\n[model]\n{table(model)}"


def table(values: dict) -> str:
    lines = []
    for name, value in values.items():
        if value is not None:
            text = f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else value
            lines.append(f"{name} = {text}\n")
    return "".join(lines)
