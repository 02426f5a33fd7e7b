"""Checks of what a server must refuse, each with an error and not with silence."""

import httpx

from .wire_suite import Target, check, first_line, is_error, refuses, socket_to

# ---------------------------------------------------------------- what must be refused


@check("error: another model is a 404 with its code")
def _(t: Target):
    return refuses(lambda: t.chat(model="no/such"), code="model_not_found", status=404)


@check("error: too long is context_length_exceeded")
def _(t: Target):
    return refuses(lambda: t.chat(max_tokens=10 * t.context), code="context_length_exceeded", status=400)


@check("error: numbers out of range")
def _(t: Target):
    wrong = [{"max_tokens": -1}, {"max_tokens": 0}, {"temperature": 3}, {"temperature": -1}, {"top_p": 0}, {"n": 1000},
             {"top_logprobs": 5}]  # fmt: skip
    return all(is_error(t.raw(t.body(**w))) for w in wrong)


@check("error: fields of another type")
def _(t: Target):
    wrong = [{"max_tokens": "many"}, {"stream": "yes"}, {"messages": "hello"}, {"stop": 5}, {"seed": 1.5},
             {"temperature": True}]  # fmt: skip
    return all(is_error(t.raw(t.body(**w))) for w in wrong)


@check("error: messages that are none")
def _(t: Target):
    wrong = [[], [{"role": "nobody", "content": "x"}], [{"role": "user", "content": 5}], ["hello"], [{"role": "user"}]]
    return all(is_error(t.raw(t.body(messages=m))) for m in wrong)


@check("error: an image for a model that reads text")
def _(t: Target):
    part = {"type": "image_url", "image_url": {"url": "http://127.0.0.1/x.png"}}
    return is_error(t.raw(t.body(messages=[{"role": "user", "content": [part]}])))


@check("error: an unknown field is refused, not ignored")
def _(t: Target):
    return is_error(t.raw(t.body(repetition_penalty_2=1.3)))


@check("error: a penalty that is not supported is refused")
def _(t: Target):
    r = t.raw(t.body(frequency_penalty=1.5))
    return is_error(r) if r.status_code != 200 else r.json()["choices"][0]["message"]["content"] != t.text


@check("error: a body that is no JSON, or no object")
def _(t: Target):
    return all(is_error(t.raw(data)) for data in ("{", "[]", "5", '"x"', "null", b"\xff\xfe", ""))


@check("error: JSON of a hundred thousand brackets")
def _(t: Target):
    return is_error(t.raw("[" * 100_000)) and is_error(t.raw('{"a":' * 50_000))


@check("error: a megabyte of prompt")
def _(t: Target):
    return is_error(t.raw(t.body(messages=[{"role": "user", "content": "x" * 1_000_000}])))


@check("error: ten megabytes of body")
def _(t: Target):
    try:
        return is_error(t.raw("x" * 10_000_000))
    except httpx.TransportError:  # the door may close while we are sending
        return t.chat().choices[0].finish_reason == "length"


@check("error: a flood of headers")
def _(t: Target):
    with socket_to(t) as connection:
        connection.sendall(b"GET /v1/models HTTP/1.1\r\n")
        try:
            for i in range(4000):
                connection.sendall(f"x-{i}: {'y' * 100}\r\n".encode())
        except OSError:
            return True
        return first_line(connection).split(" ")[1:2] in (["400"], ["431"], [])


@check("error: a request that is no HTTP")
def _(t: Target):
    with socket_to(t) as connection:
        connection.sendall(b"\x16\x03\x01 hello\r\n\r\n")
        return " 400" in first_line(connection) or first_line(connection) == ""


@check("error: an unknown path and another method have an error object")
def _(t: Target):
    return is_error(t.raw({}, "/v1/nothing")) and is_error(httpx.get(f"{t.url}/v1/chat/completions"))


@check("headers: X-Request-Id comes back, and twice the same id is no fault")
def _(t: Target):
    answers = [t.raw(t.body(max_tokens=2), **{"x-request-id": "abc"}) for _ in range(2)]
    return all(a.status_code == 200 and a.headers.get("x-request-id") == "abc" for a in answers)


@check("health: alive and ready are two questions")
def _(t: Target):
    return all(httpx.get(f"{t.url}{path}").status_code == 200 for path in ("/health", "/ready"))
