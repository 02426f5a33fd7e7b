"""A served model, its limits, and the answers that wait for tokens."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

from ..engine.request import Request
from ..engine.runner import Runner, Sampled
from .chat import ChatTemplate
from .detokenize import StreamDetokenizer
from .errors import ApiError
from .frames import Delta
from .protocol import Generation


@dataclass
class ServedModel:
    """A model with everything that turns text into tokens and back."""

    name: str
    runner: Runner
    token_bytes: list[bytes]
    encode: Callable[[str], list[int]]
    end_token: int
    max_model_len: int
    template: ChatTemplate = field(default_factory=ChatTemplate)


@dataclass(frozen=True)
class Limits:
    """What a client may ask for."""

    max_waiting: int = 64  # requests; the next one is told to come again
    request_timeout: int | float = 300.0  # seconds from arrival to the last token
    max_body: int = 1 << 20  # bytes
    drain_delay: int | float = 0.5  # seconds between "not ready" and the closed door
    drain_timeout: int | float = 60.0


@dataclass(eq=False)
class Choice:
    """One of the texts of an answer."""

    request: Request
    detokenizer: StreamDetokenizer
    index: int
    unsent: int = 0  # tokens that no delta has told of
    sampled: list[Sampled] = field(default_factory=list)  # their log-probabilities


@dataclass(eq=False)
class Answer:
    """What a client waits for: deltas of its choices, or an error."""

    id: str
    generation: Generation
    prompt_tokens: int
    arrival: float
    choices: list[Choice] = field(default_factory=list)
    queue: asyncio.Queue = field(default_factory=asyncio.Queue)

    async def deltas(self) -> AsyncIterator[tuple[Delta, list[Sampled]]]:
        """Deltas with the sampled tokens that they tell of, until every choice has ended. Raises ApiError."""
        left = len(self.choices)
        while left:
            item = await self.queue.get()
            if isinstance(item, ApiError):
                raise item
            yield item
            left -= item[0].finish_reason is not None
