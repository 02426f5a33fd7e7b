"""Where weights come from and go to: Hugging Face's GPT-2, and safetensors files that are checked when read."""

from .files import load, save
from .huggingface import from_hf, from_pretrained

__all__ = ["from_hf", "from_pretrained", "load", "save"]
