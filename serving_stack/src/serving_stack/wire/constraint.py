"""Constrained decoding: only tokens that the schema's automaton can read may come next."""

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor

from .json_schema import compile_schema


class Trie:
    """The tokens of a vocabulary by their bytes: a walk sees each common beginning once."""

    def __init__(self, token_bytes: Sequence[bytes]):
        self.size = len(token_bytes)
        self.root: dict = {}
        for token, content in enumerate(token_bytes):
            node = self.root
            for byte in content:
                node = node.setdefault(byte, {})
            if content:
                node.setdefault(None, []).append(token)


class Constraint:
    """Which tokens may come next, for one request. When the value is complete, only the end token may."""

    def __init__(self, schema: dict, trie: Trie, token_bytes: Sequence[bytes], end_token: int):
        self.automaton, self.states, self.final = compile_schema(schema)
        self.trie, self.token_bytes, self.end_token = trie, token_bytes, end_token
        self._mask = lru_cache(256)(self._mask_of)

    @property
    def complete(self) -> bool:
        """Is the text so far a whole value?"""
        return self.final in self.states

    def allowed(self) -> Tensor:
        """A boolean for each token."""
        return self._mask(self.states)

    def advance(self, token: int) -> None:
        """The token was chosen."""
        if token != self.end_token:
            for byte in self.token_bytes[token]:
                self.states = self.automaton.after(self.states, byte)

    def _mask_of(self, states: frozenset[int]) -> Tensor:
        mask = torch.zeros(self.trie.size, dtype=torch.bool)
        todo, moves = [(self.trie.root, states)], {}
        while todo:
            node, here = todo.pop()
            for byte, child in node.items():
                if byte is None:
                    mask[child] = True
                    continue
                if (here, byte) not in moves:
                    moves[here, byte] = self.automaton.after(here, byte)
                if moves[here, byte]:
                    todo.append((child, moves[here, byte]))
        mask[self.end_token] = self.final in states
        return mask
