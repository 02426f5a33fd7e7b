"""A request: its prompt, its output so far, and where its keys and values lie."""

from dataclasses import dataclass, field

import torch


@dataclass(frozen=True)
class SamplingParams:
    """How the next token is chosen, and when to stop. Temperature 0 is greedy."""

    temperature: int | float = 1.0
    top_p: int | float = 1.0
    max_tokens: int = 16
    seed: int | None = None
    stop_token_ids: tuple[int, ...] = ()
    logprobs: int | None = None  # how many of the likeliest tokens to report beside the chosen one

    def __post_init__(self):
        if not 0 <= self.temperature <= 2:
            raise ValueError(f"temperature={self.temperature}: from 0 (greedy) to 2")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p={self.top_p}: above 0, at most 1")
        if self.max_tokens < 1:
            raise ValueError(f"max_tokens={self.max_tokens}: at least 1")


@dataclass(eq=False)
class Request:
    """One text that grows. `num_computed` of its tokens have keys and values, in the blocks of `table`."""

    id: str
    prompt: list[int]
    params: SamplingParams = field(default_factory=SamplingParams)
    tag: str = ""  # of the prefix cache: model, adapter, salt
    parent: "Request | None" = None  # the first of several answers to one prompt
    output: list[int] = field(default_factory=list)
    logprobs: list[tuple[float, list[tuple[int, float]]]] = field(default_factory=list)
    table: list[int] = field(default_factory=list)
    num_computed: int = 0
    num_cached: int = 0  # tokens that admission found computed
    num_preemptions: int = 0
    finish_reason: str | None = None  # "stop", "length", "abort"; a request that has one leaves at the next step
    constraint: object = None  # what tokens may come next (`wire.json_schema`)

    def __post_init__(self):
        if not self.prompt:
            raise ValueError("prompt=[]: at least one token, for the first output token needs a row of logits")
        self.generator = torch.Generator()
        if self.params.seed is None:
            self.generator.seed()
        else:
            self.generator.manual_seed(self.params.seed)

    @property
    def num_tokens(self) -> int:
        """Tokens of prompt and output."""
        return len(self.prompt) + len(self.output)

    @property
    def tokens(self) -> list[int]:
        """Prompt and output."""
        return self.prompt + self.output

    @property
    def num_missing(self) -> int:
        """Tokens without keys and values. One is a decode, more are a prompt (or a preempted text)."""
        return self.num_tokens - self.num_computed
