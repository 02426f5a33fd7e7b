"""A tool call in an assistant's message: recognised by its frame, read as JSON, and refused where it is not exact."""

import json

TOOL_OPEN, TOOL_CLOSE = "<tool_call>", "</tool_call>"


def parse_tool_call(text: str) -> tuple[str, dict] | None:
    """(name, arguments) of the call that a message is; None where the message is none.

    A message is a call only if it begins with TOOL_OPEN, white space aside. A call that stands later in the text is
    a quotation, and is not run. Between the two marks stands one JSON object with the keys "name", a string, and
    "arguments", an object, and no others.

    Raises:
        ValueError: the message begins as a call and is not a valid one.
    """
    text = text.strip()
    if not text.startswith(TOOL_OPEN):
        return None
    if not text.endswith(TOOL_CLOSE):
        raise ValueError(f"text={text!r:.60}: must end with {TOOL_CLOSE}; was the answer cut off?")
    try:
        call = json.loads(text[len(TOOL_OPEN) : -len(TOOL_CLOSE)])
    except json.JSONDecodeError as error:
        raise ValueError(f"text={text!r:.60}: must be JSON between the marks; {error}") from error
    if not isinstance(call, dict) or set(call) != {"name", "arguments"}:
        raise ValueError(f"call={call!r:.60}: must be an object with name and arguments, and nothing else")
    if not isinstance(call["name"], str) or not isinstance(call["arguments"], dict):
        raise ValueError(f"call={call!r:.60}: name must be a string and arguments an object")
    return call["name"], call["arguments"]
