"""A request's body, checked field by field. What is not supported is refused with a 400, never ignored in silence."""

import json
from dataclasses import dataclass, field

from .errors import ApiError
from .fields import boolean, integer, number, typed
from .protocol_chat import parse_chat

CHAT, COMPLETION = "chat.completion", "text_completion"
BOTH = {"model", "max_tokens", "temperature", "top_p", "n", "stop", "seed", "stream", "stream_options", "logprobs",
        "user", "frequency_penalty", "presence_penalty", "logit_bias"}  # fmt: skip
FIELDS = {
    CHAT: BOTH | {"messages", "max_completion_tokens", "top_logprobs", "response_format", "tools", "tool_choice",
                  "parallel_tool_calls", "metadata", "store"},
    COMPLETION: BOTH | {"prompt", "echo", "best_of", "suffix"},
}  # fmt: skip
NEUTRAL = {"frequency_penalty": (0,), "presence_penalty": (0,), "logit_bias": ({},), "echo": (False,), "best_of": (1,),
           "suffix": ("",), "store": (False,), "parallel_tool_calls": (True, False)}  # fmt: skip
MOST_CHOICES, MOST_STOPS = 8, 4


@dataclass
class Generation:
    """What a checked body asks for."""

    kind: str
    prompt: list[int] | None = None
    text: str = ""
    messages: list[dict] = field(default_factory=list)
    max_tokens: int | None = None
    temperature: int | float = 1.0
    top_p: int | float = 1.0
    n: int = 1
    stop: list[str] = field(default_factory=list)
    seed: int | None = None
    stream: bool = False
    include_usage: bool = False
    logprobs: int | None = None
    schema: dict | None = None  # that the answer must obey
    tools: list[dict] = field(default_factory=list)
    tool_choice: str = "none"  # "none", "auto", "required", or a name


def parse_json(data: bytes) -> dict:
    """The body as an object. Raises ApiError."""
    try:
        body = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise ApiError(400, f"the body is not JSON: {type(error).__name__}", code="invalid_json") from None
    if not isinstance(body, dict):
        raise ApiError(400, "the body is not a JSON object", code="invalid_json")
    return body


def parse(body: dict, kind: str, model: str, vocab_size: int) -> Generation:
    """The body of a request of this kind, checked.

    Raises:
        ApiError: 404 for another model, 400 for everything else, with the field in `param`.
    """
    for name in body:
        if name not in FIELDS[kind]:
            raise ApiError(400, f"{name!r} is not supported by this server", name, "unsupported_parameter")
    for name, allowed in NEUTRAL.items():
        if body.get(name) is not None and body[name] not in allowed:
            raise ApiError(400, f"{name}={body[name]!r} is not supported; leave it out", name, "unsupported_value")
    if typed(body, "model", str, None) != model:
        raise ApiError(404, f"the model {body.get('model')!r} does not exist; it is {model!r}", "model",
                       "model_not_found")  # fmt: skip
    made = Generation(kind)
    made.max_tokens = integer(body, "max_tokens", None, 1)
    made.max_tokens = integer(body, "max_completion_tokens", made.max_tokens, 1)
    made.temperature = number(body, "temperature", 1.0, 0, 2)
    made.top_p = number(body, "top_p", 1.0, 1e-6, 1)
    made.n = integer(body, "n", 1, 1, MOST_CHOICES)
    made.seed = integer(body, "seed", None, -(2**63), 2**63 - 1)
    made.stream = boolean(body, "stream")
    options = typed(body, "stream_options", dict, {})
    made.include_usage = boolean(options, "include_usage")
    if options and not made.stream:
        raise ApiError(400, "stream_options needs stream=true", "stream_options")
    made.stop = _stop(body)
    (parse_chat if kind == CHAT else _completion)(body, made, vocab_size)
    return made


def _stop(body: dict) -> list[str]:
    stop = body.get("stop")
    stops = [] if stop is None else [stop] if isinstance(stop, str) else stop
    if not isinstance(stops, list) or not all(isinstance(s, str) and s for s in stops) or len(stops) > MOST_STOPS:
        raise ApiError(400, f"stop: a text, or a list of at most {MOST_STOPS} that are not empty", "stop")
    return stops


def _completion(body: dict, made: Generation, vocab_size: int) -> None:
    prompt = body.get("prompt")
    if isinstance(prompt, list) and len(prompt) == 1 and isinstance(prompt[0], (str, list)):
        prompt = prompt[0]
    if isinstance(prompt, str):
        made.text = prompt
    elif isinstance(prompt, list) and prompt and all(type(i) is int and 0 <= i < vocab_size for i in prompt):
        made.prompt = prompt
    else:
        raise ApiError(400, f"prompt: one text, or a list of token ids below {vocab_size}", "prompt", "invalid_value")
    made.logprobs = integer(body, "logprobs", None, 0, 5)
