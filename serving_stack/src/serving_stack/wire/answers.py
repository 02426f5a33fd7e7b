"""Deltas into answers: one JSON object, or events."""

import time
from collections.abc import AsyncIterator

from ..engine.runner import Sampled
from .chat import parse_call
from .errors import ApiError
from .frames import SSEStream, frame
from .protocol import CHAT
from .served import Answer
from .service import Service


def head_of(answer: Answer, service: Service) -> dict:
    """What stands in every event of an answer."""
    chat = answer.generation.kind == CHAT
    kind = "chat.completion.chunk" if chat and answer.generation.stream else answer.generation.kind
    return {"id": answer.id, "object": kind, "created": int(time.time()), "model": service.served.name}


async def events(answer: Answer, service: Service) -> AsyncIterator[str]:
    """Server-sent events. An error in the middle is an event too, and no end mark follows it."""
    generation = answer.generation
    stream = SSEStream(head_of(answer, service), answer.prompt_tokens, generation.include_usage)
    try:
        if generation.tool_choice != "none":
            whole = await collect(answer, service)
            for event in tool_events(stream, whole):
                yield event
        else:
            async for delta, sampled in answer.deltas():
                logprobs = logprobs_of(sampled, service, generation)
                for event in stream.push(delta._replace(logprobs=logprobs)):
                    yield event
    except ApiError as error:
        yield frame(error.body())
        return
    for event in stream.close():
        yield event


def tool_events(stream: SSEStream, whole: dict) -> list[str]:
    """A call is told whole: half of its arguments are of no use."""
    stream.completion_tokens = whole["usage"]["completion_tokens"]
    made = []
    for choice in whole["choices"]:
        message = {name: value for name, value in choice["message"].items() if value is not None}
        calls = [{"index": i, **call} for i, call in enumerate(message.pop("tool_calls", []))]
        delta = {**message, "tool_calls": calls} if calls else message
        for content, reason in ((delta, None), ({}, choice["finish_reason"])):
            told = {"index": choice["index"], "delta": content, "finish_reason": reason}
            made.append(frame({**stream.head, "choices": [told]}))
    return made


async def collect(answer: Answer, service: Service) -> dict:
    """The whole answer as one object."""
    generation = answer.generation
    texts, reasons = [""] * generation.n, [""] * generation.n
    sampled: list[list[Sampled]] = [[] for _ in range(generation.n)]
    stream = SSEStream(head_of(answer, service), answer.prompt_tokens)
    async for delta, new in answer.deltas():
        stream.completion_tokens += delta.num_tokens
        texts[delta.index] += delta.text
        reasons[delta.index] = delta.finish_reason or ""
        sampled[delta.index] += new
    choices = []
    for i in range(generation.n):
        content, reason = content_of(texts[i], reasons[i], answer)
        logprobs = logprobs_of(sampled[i], service, generation)
        choices.append({"index": i, **content, "finish_reason": reason, "logprobs": logprobs})
    head = {**stream.head, "object": generation.kind}
    return {**head, "choices": choices, "usage": stream.usage()}


def content_of(text: str, reason: str, answer: Answer) -> tuple[dict, str]:
    """A choice's text or message, and its finish_reason. A cut call is told as text that was cut."""
    generation = answer.generation
    if generation.kind != CHAT:
        return {"text": text}, reason
    call = None
    if generation.tool_choice != "none" and reason == "stop":
        call = parse_call(text, generation.tools, generation.tool_choice != "auto")
    if call is None:
        return {"message": {"role": "assistant", "content": text}}, reason
    told = {"id": f"call_{answer.id[-12:]}", "type": "function", "function": call}
    return {"message": {"role": "assistant", "content": None, "tool_calls": [told]}}, "tool_calls"


def logprobs_of(sampled: list[Sampled], service: Service, generation) -> dict | None:
    """One entry a token, the end token and those of a stop string included."""
    if generation.logprobs is None or not sampled:
        return None
    names = service.served.token_bytes

    def entry(token: int, logprob: float) -> dict:
        return {"token": names[token].decode(errors="replace"), "logprob": logprob, "bytes": list(names[token])}

    if generation.kind == CHAT:
        content = [{**entry(s.token, s.logprob), "top_logprobs": [entry(*pair) for pair in s.top]} for s in sampled]
        return {"content": content}
    told = [entry(s.token, s.logprob)["token"] for s in sampled]
    top = [{entry(*pair)["token"]: pair[1] for pair in s.top} for s in sampled]
    offsets = [sum(map(len, told[:i])) for i in range(len(told))]
    return {"tokens": told, "token_logprobs": [s.logprob for s in sampled], "top_logprobs": top,
            "text_offset": offsets}  # fmt: skip
