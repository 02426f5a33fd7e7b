"""The heads of a real model that copy: found by score, drawn, and removed.

Read in this order:
    checkpoint.py   the weights and the tokenizer out of a GGUF file
    llama.py        the forward pass of a Llama, with the chapter's attention and every weight kept
    heads.py        scores of previous-token, induction and sink heads; the loss without some heads
"""

from .checkpoint import Checkpoint, Tokens, read_checkpoint
from .heads import head_scores, loss_by_copy, repeated_tokens
from .llama import Llama, LlamaConfig

__all__ = ["Checkpoint", "Llama", "LlamaConfig", "Tokens", "head_scores", "loss_by_copy", "read_checkpoint"]
__all__ += ["repeated_tokens"]
