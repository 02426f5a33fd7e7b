"""The conversation with tools: answer, run the call, answer again."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from ..template import IM_END, IM_START, Message
from .calculator import calculate, clock
from .parse import parse_tool_call


class Tool(NamedTuple):
    """A function, and the names of its arguments, all strings and all needed."""

    function: Callable[..., str]
    arguments: tuple[str, ...]


def default_tools() -> dict[str, Tool]:
    """The calculator and the clock."""
    return {"calculator": Tool(calculate, ("expression",)), "clock": Tool(clock, ())}


def run_tool_call(name: str, arguments: dict, tools: Mapping[str, Tool]) -> str:
    """What the tool says.

    Raises:
        ValueError: a tool that there is not, or arguments that are not exactly its own. Nothing is run then.
    """
    if name not in tools:
        raise ValueError(f"name={name!r}: there is no such tool; the tools are {', '.join(tools)}")
    tool = tools[name]
    if set(arguments) != set(tool.arguments) or not all(isinstance(v, str) for v in arguments.values()):
        raise ValueError(f"arguments={arguments!r:.60}: {name} takes the strings ({', '.join(tool.arguments)})")
    return tool.function(**arguments)


def answer_with_tools(
    reply: Callable[[Sequence[Message]], str],
    messages: Sequence[Message],
    tools: Mapping[str, Tool],
    most_calls: int = 3,
) -> list[Message]:
    """The conversation after the assistant has answered. `reply(messages)` is the model.

    A call that is refused comes back as a message of role "tool" that begins with "error:", so that the model can
    correct itself. What a tool says goes in with its special tokens taken out: it is a stranger's text.
    A model that still calls after `most_calls` calls has the last word with its call, which is not run.
    """
    messages = list(messages)
    for _ in range(most_calls + 1):
        text = reply(messages)
        messages.append({"role": "assistant", "content": text})
        if sum(m["role"] == "tool" for m in messages) >= most_calls:
            break
        try:
            call = parse_tool_call(text)
            if call is None:
                break
            result = run_tool_call(*call, tools)
        except ValueError as error:
            result = f"error: {error}"
        messages.append({"role": "tool", "content": result.replace(IM_START, "").replace(IM_END, "")})
    return messages
