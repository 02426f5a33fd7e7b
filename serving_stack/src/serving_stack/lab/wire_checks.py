"""Checks of answers and streams, of stop, n, seed and log-probabilities, of formats and tools."""

import json

import httpx

from .wire_suite import (
    SCHEMA,
    TOOL,
    Target,
    check,
    in_parallel,
    is_error,
    joined,
    reasons,
    refuses,
)

# ---------------------------------------------------------------- answers and streams


@check("models: the model is listed")
def _(t: Target):
    return t.model in [m.id for m in t.client.models.list().data]


@check("models: an unknown one is a 404")
def _(t: Target):
    return refuses(lambda: t.client.models.retrieve("no-such-model"), status=404)


@check("answer: max_tokens cuts, and finish_reason says length")
def _(t: Target):
    r = t.chat()
    return r.choices[0].finish_reason == "length" and r.usage.completion_tokens == 12


@check("answer: usage adds up")
def _(t: Target):
    u = t.chat().usage
    return u.prompt_tokens > 0 and u.total_tokens == u.prompt_tokens + u.completion_tokens


@check("answer: max_completion_tokens is understood")
def _(t: Target):
    return t.chat(max_tokens=None, max_completion_tokens=5).usage.completion_tokens == 5


@check("answer: greedy twice is the same")
def _(t: Target):
    return t.chat().choices[0].message.content == t.text


@check("answer: the same among eight others")
def _(t: Target):
    busy = [lambda i=i: t.chat(messages=[{"role": "user", "content": "x" * (3 + 7 * i)}]) for i in range(7)]
    return in_parallel([*busy, t.chat])[-1].choices[0].message.content == t.text


@check("answer: null counts as left out")
def _(t: Target):
    r = t.raw(t.body(stop=None, seed=None, n=None, top_p=None, stream=None))
    return r.status_code == 200 and r.json()["choices"][0]["message"]["content"] == t.text


@check("answer: a system message and parts of text")
def _(t: Target):
    parts = [{"type": "text", "text": "hel"}, {"type": "text", "text": "lo"}]
    messages = [{"role": "system", "content": "be brief"}, {"role": "user", "content": parts}]
    return t.chat(messages=messages).choices[0].finish_reason == "length"


@check("stream: the same text, one id, one finish_reason")
def _(t: Target):
    chunks = t.stream()
    return joined(chunks) == t.text and len({c.id for c in chunks}) == 1 and reasons(chunks) == ["length"]


@check("stream: the first event names the role, once")
def _(t: Target):
    roles = [c.choices[0].delta.role for c in t.stream() if c.choices]
    return roles[0] == "assistant" and not any(roles[1:])


@check("stream: usage in a last event without choices")
def _(t: Target):
    last = t.stream(stream_options={"include_usage": True})[-1]
    return last.choices == [] and last.usage.completion_tokens == 12


@check("stream: no usage unless asked")
def _(t: Target):
    return all(c.usage is None for c in t.stream())


@check("stream: content type, empty lines, [DONE] at the end")
def _(t: Target):
    r = t.raw(t.body(stream=True))
    events = r.text.split("\n\n")
    form = all(e.startswith("data: ") for e in events[:-1]) and events[-2:] == ["data: [DONE]", ""]
    return form and r.headers["content-type"].startswith("text/event-stream")


@check("stream: an error before the first event is a status, not an event")
def _(t: Target):
    return t.raw(t.body(stream=True, max_tokens=100 * t.context)).status_code == 400


@check("stream: stream_options without stream is refused")
def _(t: Target):
    return is_error(t.raw(t.body(stream_options={"include_usage": True})))


@check("stream: a client that goes does not stop the others")
def _(t: Target):
    for _i in range(3):
        with httpx.stream("POST", f"{t.url}/v1/chat/completions", json=t.body(stream=True, max_tokens=100)) as r:
            next(r.iter_lines())
    return t.chat().choices[0].message.content == t.text


# ---------------------------------------------------------------- stop, n, seed, log-probabilities


@check("stop: a string cuts the text, and finish_reason says stop")
def _(t: Target):
    stop = t.text[3:6]
    r = t.chat(stop=[stop]).choices[0]
    return r.finish_reason == "stop" and r.message.content == t.text[: t.text.find(stop)]


@check("stop: a stream sends nothing of it")
def _(t: Target):
    stop = t.text[3:6]
    chunks = t.stream(stop=stop)
    return joined(chunks) == t.text[: t.text.find(stop)] and reasons(chunks) == ["stop"]


@check("stop: one that does not come changes nothing")
def _(t: Target):
    return t.chat(stop=["\x00never\x00"]).choices[0].message.content == t.text


@check("stop: an empty string is refused")
def _(t: Target):
    return is_error(t.raw(t.body(stop=[""])))


@check("n: two choices, equal when greedy")
def _(t: Target):
    choices = t.chat(n=2).choices
    return [c.index for c in choices] == [0, 1] and all(c.message.content == t.text for c in choices)


@check("n: a stream numbers its choices")
def _(t: Target):
    chunks = t.stream(n=2)
    ended = sorted(c.choices[0].index for c in chunks if c.choices and c.choices[0].finish_reason)
    return ended == [0, 1]


@check("n: 0 is refused")
def _(t: Target):
    return is_error(t.raw(t.body(n=0)))


@check("seed: the same twice at temperature 1")
def _(t: Target):
    a, b = (t.chat(temperature=1, seed=7, max_tokens=24).choices[0].message.content for _ in range(2))
    return a == b


@check("seed: the same beside neighbours without one")
def _(t: Target):
    alone = t.chat(temperature=1, seed=7, max_tokens=24).choices[0].message.content
    noise = [lambda: t.chat(temperature=1.5, max_tokens=24)] * 5
    mixed = in_parallel([*noise, lambda: t.chat(temperature=1, seed=7, max_tokens=24)])[-1]
    return mixed.choices[0].message.content == alone


@check("logprobs: an entry a token, with the asked alternatives")
def _(t: Target):
    content = t.chat(logprobs=True, top_logprobs=3).choices[0].logprobs.content
    return len(content) == 12 and all(len(e.top_logprobs) == 3 and e.logprob <= 1e-4 for e in content)


@check("logprobs: greedy takes the likeliest")
def _(t: Target):
    content = t.chat(logprobs=True, top_logprobs=2).choices[0].logprobs.content
    return all(abs(e.logprob - e.top_logprobs[0].logprob) < 1e-4 for e in content)


@check("logprobs: not changed by the temperature")
def _(t: Target):
    rows = [t.chat(logprobs=True, top_logprobs=1, max_tokens=1, temperature=x).choices[0].logprobs.content[0]
            for x in (0, 1.9)]  # fmt: skip
    return abs(rows[0].top_logprobs[0].logprob - rows[1].top_logprobs[0].logprob) < 1e-4


@check("logprobs: none unless asked")
def _(t: Target):
    return t.chat().choices[0].logprobs is None


@check("completions: text, usage, log-probabilities")
def _(t: Target):
    r = t.client.completions.create(model=t.model, prompt="hello", max_tokens=6, temperature=0, logprobs=2)
    return r.usage.completion_tokens == 6 and len(r.choices[0].logprobs.tokens) == 6


@check("completions: a prompt of token ids")
def _(t: Target):
    r = t.client.completions.create(model=t.model, prompt=[5, 6, 7], max_tokens=4, temperature=0)
    return r.usage.prompt_tokens == 3


# ---------------------------------------------------------------- formats and tools


@check("response_format: json_object is kept or refused")
def _(t: Target):
    if refuses(lambda: t.chat(response_format={"type": "json_object"}, max_tokens=60)):
        return True
    r = t.chat(response_format={"type": "json_object"}, max_tokens=60).choices[0]
    return r.finish_reason == "length" or isinstance(json.loads(r.message.content), dict)


@check("response_format: a schema is kept")
def _(t: Target):
    form = {"type": "json_schema", "json_schema": {"name": "s", "schema": SCHEMA, "strict": True}}
    r = t.chat(response_format=form, max_tokens=60).choices[0]
    found = json.loads(r.message.content)
    return set(found) == {"ok", "color"} and found["color"] in ("red", "blue") and r.finish_reason == "stop"


@check("response_format: a schema that is not kept is refused")
def _(t: Target):
    schema = {"type": "object", "properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}, "required": ["a"]}
    return refuses(
        lambda: t.chat(response_format={"type": "json_schema", "json_schema": {"name": "s", "schema": schema}})
    )


@check("response_format: an unknown type is refused")
def _(t: Target):
    return is_error(t.raw(t.body(response_format={"type": "xml"})))


@check("response_format: cut JSON says length")
def _(t: Target):
    form = {"type": "json_schema", "json_schema": {"name": "s", "schema": SCHEMA}}
    return t.chat(response_format=form, max_tokens=3).choices[0].finish_reason == "length"


@check("tools: a required call is a call, its arguments obey the schema")
def _(t: Target):
    r = t.chat(tools=[TOOL], tool_choice="required", max_tokens=90).choices[0]
    call = r.message.tool_calls[0].function
    return (
        call.name == "paint" and set(json.loads(call.arguments)) == {"ok", "color"} and r.finish_reason == "tool_calls"
    )


@check("tools: a stream tells the call")
def _(t: Target):
    chunks = t.stream(tools=[TOOL], tool_choice="required", max_tokens=90)
    parts = [p for c in chunks if c.choices for p in c.choices[0].delta.tool_calls or []]
    return json.loads("".join(p.function.arguments or "" for p in parts))["color"] in ("red", "blue")


@check("tools: a cut call is not told as a call")
def _(t: Target):
    r = t.chat(tools=[TOOL], tool_choice="required", max_tokens=4).choices[0]
    return r.finish_reason == "length" and not r.message.tool_calls


@check("tools: tool_choice without tools is refused")
def _(t: Target):
    return is_error(t.raw(t.body(tool_choice="required")))
