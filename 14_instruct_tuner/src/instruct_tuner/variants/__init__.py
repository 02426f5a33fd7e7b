"""Other ways to tune few parameters.

Read in this order:
    rslora.py          a scale that does not shrink the gradient as r grows
    dora.py            the direction by LoRA, the length of each row by itself
    prompt_tuning.py   no matrix at all: a few vectors before the prompt
"""

from .dora import DoRALinear
from .prompt_tuning import SoftPrompt
from .rslora import rank_stabilized_alpha

__all__ = ["DoRALinear", "SoftPrompt", "rank_stabilized_alpha"]
