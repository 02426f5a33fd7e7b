"""The trainer. Read in this order:

config.py       a run in one object
train_step.py   accumulate, unscale, clip, step
precision.py    autocast, loss scaling, a guard against NaN
checkpoint.py   whole or not there; everything that a run needs to go on
evaluate.py     fixed windows, mean over targets
trainer.py      the loop
callbacks.py    logs, early stopping, TensorBoard, hooks
distributed.py  several processes: DDP, FSDP, restarts
"""

from .callbacks import EarlyStopping, GradientNorms, JsonLines, ReduceOnPlateau, TensorBoard, WandB, read_log
from .checkpoint import Checkpoint
from .config import Config, from_dict, from_toml, to_toml
from .evaluate import bits_per_byte, evaluate
from .precision import LossScaler, NaNGuard, autocast
from .train_step import train_step
from .trainer import Trainer, build_optimizer, class_loss, squared_loss, state_hash, token_loss

__all__ = ["Checkpoint", "Config", "EarlyStopping", "GradientNorms", "JsonLines", "LossScaler", "NaNGuard"]
__all__ += ["ReduceOnPlateau", "TensorBoard", "Trainer", "WandB", "autocast", "bits_per_byte", "build_optimizer"]
__all__ += ["class_loss", "evaluate", "from_dict", "from_toml", "read_log", "squared_loss", "state_hash", "to_toml"]
__all__ += ["token_loss", "train_step"]
