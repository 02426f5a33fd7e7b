"""The fields that only a chat's body has: messages, log-probabilities, response_format, tools."""

import json
from typing import TYPE_CHECKING

from .automaton import SchemaError
from .errors import ApiError
from .fields import boolean, integer, typed
from .json_schema import compile_schema

if TYPE_CHECKING:
    from .protocol import Generation

MOST_LOGPROBS = 20


def parse_chat(body: dict, made: "Generation", vocab_size: int) -> None:
    made.messages = _messages(body.get("messages"))
    wants = boolean(body, "logprobs")
    top = integer(body, "top_logprobs", None, 0, min(MOST_LOGPROBS, vocab_size))
    if top is not None and not wants:
        raise ApiError(400, "top_logprobs needs logprobs=true", "top_logprobs")
    made.logprobs = (top or 0) if wants else None
    _response_format(typed(body, "response_format", dict, {"type": "text"}), made)
    _tools(body, made)


def _messages(messages) -> list[dict]:
    if not isinstance(messages, list) or not messages:
        raise ApiError(400, "messages: a list with at least one message", "messages")
    checked = []
    for i, message in enumerate(messages):
        at = f"messages[{i}]"
        if not isinstance(message, dict) or message.get("role") not in ("system", "developer", "user", "assistant",
                                                                        "tool"):  # fmt: skip
            raise ApiError(400, f"{at}: an object whose role is system, user, assistant or tool", "messages")
        content = message.get("content")
        if isinstance(content, list):
            if not all(isinstance(p, dict) and p.get("type") == "text" and isinstance(p.get("text"), str)
                       for p in content):  # fmt: skip
                raise ApiError(400, f"{at}: parts of type 'text' only; this model reads nothing else", "messages")
            content = "".join(part["text"] for part in content)
        if content is None and message.get("tool_calls"):
            content = json.dumps(message["tool_calls"])
        if not isinstance(content, str):
            raise ApiError(400, f"{at}: content must be a text", "messages", "invalid_type")
        role = "system" if message["role"] == "developer" else message["role"]
        checked.append({"role": role, "content": content})
    return checked


def _response_format(wanted: dict, made: "Generation") -> None:
    kind = wanted.get("type")
    if kind == "json_schema":
        made.schema = (wanted.get("json_schema") or {}).get("schema")
        if not isinstance(made.schema, dict):
            raise ApiError(400, "response_format: json_schema.schema must be an object", "response_format")
    elif kind == "json_object":
        made.schema = {"type": "object"}
    elif kind != "text":
        raise ApiError(400, f"response_format: type {kind!r} is not supported", "response_format")
    if made.schema is not None:
        _check_schema(made.schema, "response_format")


def _check_schema(schema: object, param: str) -> None:
    try:
        compile_schema(schema)
    except SchemaError as error:
        raise ApiError(400, f"{param}: {error}", param, "unsupported_schema") from None


def _tools(body: dict, made: "Generation") -> None:
    tools = typed(body, "tools", list, [])
    choice = body.get("tool_choice") or ("auto" if tools else "none")
    for tool in tools:
        function = tool.get("function") if isinstance(tool, dict) and tool.get("type") == "function" else None
        if not isinstance(function, dict) or not isinstance(function.get("name"), str):
            raise ApiError(400, "tools: each is {type: function, function: {name, parameters}}", "tools")
        _check_schema(function.get("parameters") or {"type": "object", "properties": {}}, "tools")
    names = [tool["function"]["name"] for tool in tools]
    if isinstance(choice, dict):
        choice = (choice.get("function") or {}).get("name")
        if choice not in names:
            raise ApiError(400, f"tool_choice: {choice!r} is none of the tools", "tool_choice")
    elif choice not in ("none", "auto", "required"):
        raise ApiError(400, f"tool_choice={choice!r}: none, auto, required, or a function", "tool_choice")
    if choice not in ("none", "auto") and not tools:
        raise ApiError(400, f"tool_choice={choice!r} needs tools", "tool_choice")
    if made.schema is not None and choice != "none":
        raise ApiError(400, "response_format and tools together are not supported; choose one", "tools")
    made.tools, made.tool_choice = tools, choice
