"""The real model's file into the chapter's decoder.

Read in this order:
    tokens.py        text to ids and back, special tokens too
    checkpoint.py    a GGUF file into a configuration, weights, tokens and the model's own chat template
"""

from .checkpoint import Checkpoint, load_decoder, read_checkpoint, state_name
from .tokens import Tokens

__all__ = ["Checkpoint", "Tokens", "load_decoder", "read_checkpoint", "state_name"]
