"""Conversations as text. A model that replies has seen one format only, to the character.

ChatML frames each message:   <|im_start|>role\\ncontent<|im_end|>\\n
Alpaca writes prose:          ### Instruction: ... ### Response: ...
"""

from collections.abc import Sequence

Message = dict[str, str]  # {"role": "user", "content": "Hello"}

IM_START, IM_END = "<|im_start|>", "<|im_end|>"
ROLES = ("system", "user", "assistant", "tool")
SYSTEM = "You are a helpful AI assistant named SmolLM, trained by Hugging Face"

ALPACA = (
    "Below is an instruction that describes a task{more}. Write a response that appropriately completes the request."
)


def format_conversation(messages: Sequence[Message], add_generation_prompt: bool = False, system: str = SYSTEM) -> str:
    """The messages in ChatML, as SmolLM2's own template writes them.

    A conversation that does not begin with a system message gets `system` as its first. With
    `add_generation_prompt`, the text ends with the opening of an assistant's message, and the model continues it.

    Raises:
        ValueError: no messages, a role that is unknown, or a special token inside of a content.
    """
    if not messages:
        raise ValueError("messages=[]: a conversation has at least one message; give one with role and content")
    for message in messages:
        check_message(message)
    if messages[0]["role"] != "system":
        messages = [{"role": "system", "content": system}, *messages]
    text = "".join(f"{IM_START}{m['role']}\n{m['content']}{IM_END}\n" for m in messages)
    return text + f"{IM_START}assistant\n" if add_generation_prompt else text


def check_message(message: Message) -> None:
    """Raises ValueError where the format would be broken: a user could write the assistant's turn."""
    if message["role"] not in ROLES:
        raise ValueError(f"role={message['role']!r}: must be one of {', '.join(ROLES)}; rename it")
    if IM_START in message["content"] or IM_END in message["content"]:
        raise ValueError(f"content={message['content']!r:.40}: holds a special token; is it formatted already?")


def format_alpaca(instruction: str, input: str = "") -> str:
    """Stanford Alpaca's prompt; the answer follows it. No special tokens are needed, only an end-of-text."""
    more = ", paired with an input that provides further context" if input else ""
    given = f"### Input:\n{input}\n\n" if input else ""
    return f"{ALPACA.format(more=more)}\n\n### Instruction:\n{instruction}\n\n{given}### Response:\n"


def render_template(
    template: str, messages: Sequence[Message], add_generation_prompt: bool = False, **special_tokens: str
) -> str:
    """A tokenizer's own chat template (Jinja), as it lies in a model's file. It runs in a sandbox: it is a program."""
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.globals["raise_exception"] = _raise
    compiled = environment.from_string(template)
    return compiled.render(messages=list(messages), add_generation_prompt=add_generation_prompt, **special_tokens)


def _raise(message: str) -> None:
    raise ValueError(f"messages: the template refuses them: {message}")
