"""Messages into a prompt, and tool calls out of an answer.

A chat template is a Jinja program that comes with the model. It is run in a sandbox: a file from elsewhere may not
reach anything of this process.
"""

import json
import re
from collections.abc import Sequence

from jinja2 import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from .errors import ApiError

PLAIN_TEMPLATE = """{% for m in messages %}{{ m.role }}: {{ m.content }}
{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}"""
CALL = re.compile(r"<tool_call>\s*(.*?)\s*</tool_call>", re.DOTALL)
ABOUT_TOOLS = """You can call these functions:
{}
To call one, answer only with <tool_call>{{"name": ..., "arguments": ...}}</tool_call>."""


class ChatTemplate:
    """Renders messages into the text of a prompt."""

    def __init__(self, source: str = PLAIN_TEMPLATE):
        environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
        self.template = environment.from_string(source)

    def render(self, messages: Sequence[dict], tools: Sequence[dict] = ()) -> str:
        """The prompt, which ends where the assistant begins. Raises ApiError if the template refuses the messages."""
        messages = list(messages)
        if tools:
            described = "\n".join(json.dumps(tool["function"]) for tool in tools)
            messages.insert(0, {"role": "system", "content": ABOUT_TOOLS.format(described)})
        try:
            return self.template.render(messages=messages, add_generation_prompt=True)
        except TemplateError as error:
            raise ApiError(400, f"the chat template refuses these messages: {error}", "messages") from None


def call_schema(tools: Sequence[dict], choice: str) -> dict:
    """The schema of one tool call: any of the tools, or the one with this name."""
    functions = [tool["function"] for tool in tools if choice in ("required", tool["function"]["name"])]
    empty = {"type": "object", "properties": {}}
    return {"anyOf": [
        {"type": "object", "required": ["name", "arguments"],
         "properties": {"name": {"const": f["name"]}, "arguments": f.get("parameters") or empty}}
        for f in functions
    ]}  # fmt: skip


def parse_call(text: str, tools: Sequence[dict], constrained: bool) -> dict | None:
    """The tool call in an answer, None if there is none that is whole. A cut answer is no call."""
    found = text if constrained else next(iter(CALL.findall(text)), "")
    try:
        call = json.loads(found)
    except ValueError:
        return None
    names = [tool["function"]["name"] for tool in tools]
    if not isinstance(call, dict) or call.get("name") not in names or not isinstance(call.get("arguments"), dict):
        return None
    return {"name": call["name"], "arguments": json.dumps(call["arguments"])}
