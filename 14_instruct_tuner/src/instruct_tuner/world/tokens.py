"""The small world's tokens: words, numbers up to 99, signs, and the frames of a call. Nothing else exists in it."""

import re
from collections.abc import Iterable

import torch
from torch import Tensor

from ..finetune import Example
from ..labels import answer_labels
from ..template import IM_END, IM_START, format_conversation

SYSTEM = "Answer."
FRAMES = (IM_END, IM_START, "<tool_call>", "</tool_call>", '{"name": "', '", "arguments": {"', '": "', '"}}')
PIECES = re.compile("|".join([*map(re.escape, FRAMES), r"[A-Za-z]+", r"\d+", r"[.,?+*\n-]", " "]))
LEFT, RIGHT = re.compile(r"[\w.,?+*-]"), re.compile(r"[\w+*-]")  # a space between these two is implied


class WordTokens:
    """Every piece of `text` is a token; id 0 ends an answer, and pads."""

    def __init__(self, text: str):
        self.pieces = list(dict.fromkeys([*FRAMES, *PIECES.findall(text)]))
        self.ids = {piece: i for i, piece in enumerate(self.pieces)}
        self.end = self.ids[IM_END]

    def encode(self, text: str) -> list[int]:
        """Ids; single spaces between words are implied.

        Raises:
            ValueError: a piece that the world does not have, or spaces that would not come back.
        """
        pieces = [piece for piece in PIECES.findall(text) if piece != " "]
        if unknown := [piece for piece in pieces if piece not in self.ids]:
            raise ValueError(f"text={text!r:.60}: the world has no {unknown[0]!r}")
        ids = [self.ids[piece] for piece in pieces]
        if self.decode(ids) != text:
            raise ValueError(f"text={text!r:.60}: would come back as {self.decode(ids)!r:.60}")
        return ids

    def decode(self, ids: Iterable[int]) -> str:
        """The text."""
        text = ""
        for piece in (self.pieces[i] for i in ids):
            text += " " * bool(text and LEFT.match(text[-1]) and RIGHT.match(piece[0])) + piece
        return text

    @property
    def header(self) -> list[int]:
        """What opens an assistant's message."""
        return self.encode(f"{IM_START}assistant\n")


def prompt_ids(tokens: WordTokens, question: str) -> Tensor:
    """A question in the format, open for the answer."""
    messages = [{"role": "user", "content": question}]
    return torch.tensor(tokens.encode(format_conversation(messages, add_generation_prompt=True, system=SYSTEM)))


def example(tokens: WordTokens, question: str, answer: str) -> Example:
    """A question and its answer, with the labels of the answer alone."""
    messages = [{"role": "user", "content": question}, {"role": "assistant", "content": answer}]
    ids = torch.tensor(tokens.encode(format_conversation(messages, system=SYSTEM)))
    return Example(ids, answer_labels(ids, tokens.header, tokens.end))
