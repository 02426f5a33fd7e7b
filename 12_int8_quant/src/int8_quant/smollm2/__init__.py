"""The real model's file into the chapter's decoder.

Read in this order:
    tokens.py        text to ids
    checkpoint.py    a GGUF file into a configuration and weights
"""

from .checkpoint import Checkpoint, load_decoder, read_checkpoint, state_name
from .tokens import Tokens

__all__ = ["Checkpoint", "Tokens", "load_decoder", "read_checkpoint", "state_name"]
