"""SmolLM2-135M as a model of this chapter: weights and tokenizer out of a GGUF file."""

from .checkpoint import Checkpoint, read_checkpoint
from .tokenizer import Tokens

__all__ = ["Checkpoint", "Tokens", "read_checkpoint"]
