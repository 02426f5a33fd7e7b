"""A real chat model with adapters, so that GRPO can train it on a CPU.

Read in this order:
    tokens.py        text to ids and back, and the chat template
    model.py         Llama's decoder with a cache; LoRA on queries and values
    checkpoint.py    the GGUF file into it
    form.py          questions, and a reward that a regular expression can check
"""

from .checkpoint import load_chat_model
from .form import CAPITALS, UNSEEN, Form, question
from .model import Llama, LlamaConfig
from .tokens import Tokens

__all__ = ["CAPITALS", "UNSEEN", "Form", "Llama", "LlamaConfig", "Tokens", "load_chat_model", "question"]
