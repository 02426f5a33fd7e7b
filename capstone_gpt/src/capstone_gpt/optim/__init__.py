"""How weights move. Read in this order:

param_groups.py   which parameters decay
adamw.py          AdamW, as a function and as an optimizer
muon.py           momentum and Newton–Schulz
muon_fast.py      the same in batched products, with AdamW for the rest
schedule.py       the learning rate as a function of the step
"""

from .adamw import AdamW, adamw
from .muon import muon, newton_schulz
from .muon_fast import MuonAdamW, orthogonalise
from .param_groups import param_groups
from .schedule import Plateau, constant_lr, cosine_lr, polynomial_lr, restarts_lr, step_lr, trapezoid_lr

__all__ = ["AdamW", "MuonAdamW", "Plateau", "adamw", "constant_lr", "cosine_lr", "muon", "newton_schulz"]
__all__ += ["orthogonalise", "param_groups", "polynomial_lr", "restarts_lr", "step_lr", "trapezoid_lr"]
