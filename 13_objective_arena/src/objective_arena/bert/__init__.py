"""BERT: masked tokens and sentence pairs, then fine-tuning."""

from .pairs import pack, sentence_pair

__all__ = ["pack", "sentence_pair"]
