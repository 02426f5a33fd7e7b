"""Server-sent events: one JSON object an event, and at the end what the answer cost.

The format is that of OpenAI's API reference, "Streaming".
"""

import json
from typing import NamedTuple


class Delta(NamedTuple):
    """What came new for one choice: text, and how many tokens were generated for it, also for text that is held."""

    text: str
    num_tokens: int
    finish_reason: str | None = None
    index: int = 0
    logprobs: dict | None = None


def frame(content: dict) -> str:
    """One event."""
    return f"data: {json.dumps(content)}\n\n"


class SSEStream:
    """The events of one answer. `head` has id, object, created and model, and stands in every event."""

    def __init__(self, head: dict, prompt_tokens: int, include_usage: bool = False):
        self.head = head
        self.prompt_tokens = prompt_tokens
        self.completion_tokens = 0
        self.include_usage = include_usage
        self._begun: set[int] = set()

    def push(self, delta: Delta) -> list[str]:
        """The events for a delta: none if there is nothing to tell.

        A chat's choice begins with an event that names its role. Text and finish_reason never share an event of a chat.
        A completion's choice has one event, with the text and the finish_reason or null.
        """
        self.completion_tokens += delta.num_tokens
        if not delta.text and delta.finish_reason is None:
            return []
        if self.head["object"] == "text_completion":
            return [self._event(delta, {"text": delta.text}, delta.finish_reason)]
        events = []
        if delta.index not in self._begun:
            self._begun.add(delta.index)
            events.append(self._event(delta._replace(logprobs=None), {"delta": {"role": "assistant", "content": ""}}))
        if delta.text:
            events.append(self._event(delta, {"delta": {"content": delta.text}}))
        if delta.finish_reason is not None:
            events.append(self._event(delta._replace(logprobs=None), {"delta": {}}, delta.finish_reason))
        return events

    def close(self) -> list[str]:
        """The usage, if it was asked for, in an event without choices, and the end mark."""
        events = []
        if self.include_usage:
            events.append(frame({**self.head, "choices": [], "usage": self.usage()}))
        return [*events, "data: [DONE]\n\n"]

    def usage(self) -> dict[str, int]:
        """Tokens of the prompt, once, and all tokens that were generated, those of a stop string included."""
        return {
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            "total_tokens": self.prompt_tokens + self.completion_tokens,
        }

    def _event(self, delta: Delta, content: dict, finish_reason: str | None = None) -> str:
        choice = {"index": delta.index, **content, "finish_reason": finish_reason}
        if delta.logprobs is not None:
            choice["logprobs"] = delta.logprobs
        return frame({**self.head, "choices": [choice]})
