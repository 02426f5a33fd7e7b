"""A small transformer language model, whose attention patterns are looked at and whose heads are removed one by one.

Read `model.py`: embeddings, layers of attention and feed-forward, logits; `look` shows weights and removes heads.
"""

from .model import Block, Transformer

__all__ = ["Block", "Transformer"]
