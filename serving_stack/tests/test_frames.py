"""Events: OpenAI's own client reads them."""

import json

import pytest

from serving_stack import Delta


def body(impl, deltas, usage=True, kind="chat.completion.chunk"):
    stream = impl.SSEStream({"id": "x-1", "object": kind, "created": 1, "model": "tiny"}, 11, usage)
    return "".join([event for delta in deltas for event in stream.push(delta)] + stream.close())


def read(text, chat=True):
    """The chunks that the openai client makes of a body."""
    import httpx
    import openai

    answer = lambda request: httpx.Response(200, text=text, headers={"content-type": "text/event-stream"})  # noqa: E731
    with httpx.Client(transport=httpx.MockTransport(answer)) as http:
        client = openai.OpenAI(api_key="x", base_url="http://test/v1", http_client=http, max_retries=0)
        if chat:
            return list(client.chat.completions.create(model="tiny", messages=[], stream=True))
        return list(client.completions.create(model="tiny", prompt="", stream=True))


def choices_of(text):
    """(index, role, content, why it ended) of each event that has a choice."""
    found = [choice for event in text.split("\n\n")[:-2] for choice in json.loads(event[6:])["choices"]]
    return [(c["index"], c["delta"].get("role"), c["delta"].get("content"), c["finish_reason"]) for c in found]


DELTAS = [Delta("he", 1), Delta("", 2), Delta("llo", 1), Delta("", 3, "length")]


def test_oracle_the_openai_client_reads_a_chat(impl):
    chunks = read(body(impl, DELTAS))
    choices = [c.choices[0] for c in chunks if c.choices]
    assert [c.delta.content for c in choices] == ["", "he", "llo", None]
    assert [c.delta.role for c in choices] == ["assistant", None, None, None]
    assert [c.finish_reason for c in choices] == [None, None, None, "length"]
    assert chunks[-1].choices == [] and chunks[-1].usage.completion_tokens == 7
    assert chunks[-1].usage.prompt_tokens == 11 and chunks[-1].usage.total_tokens == 18
    assert {c.id for c in chunks} == {"x-1"} and not any(c.usage for c in chunks[:-1])


def test_oracle_the_openai_client_reads_a_completion(impl):
    chunks = read(body(impl, DELTAS, usage=False, kind="text_completion"), chat=False)
    assert [(c.choices[0].text, c.choices[0].finish_reason) for c in chunks] == [("he", None), ("llo", None),
                                                                                 ("", "length")]  # fmt: skip


@pytest.mark.task("SSEStream")
def test_property_an_event_for_each_text_and_a_last_one_with_the_usage(impl):
    """All tokens are counted, also those of a delta that gives no event."""
    text = body(impl, DELTAS)
    told = [(0, "assistant", "", None), (0, None, "he", None), (0, None, "llo", None), (0, None, None, "length")]
    assert choices_of(text) == told
    last = json.loads(text.split("\n\n")[-3][6:])
    assert last["choices"] == [] and last["id"] == "x-1" and last["model"] == "tiny"
    assert last["usage"] == {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}


@pytest.mark.task("SSEStream")
def test_property_the_end_mark_is_last(impl):
    for usage in (False, True):
        text = body(impl, DELTAS, usage)
        assert text.endswith("\n\ndata: [DONE]\n\n") and text.count("[DONE]") == 1
        events = [json.loads(e[6:]) for e in text.strip().split("\n\n")[:-1]]
        assert [bool(e.get("usage")) for e in events] == [False] * (len(events) - usage) + [True] * usage


@pytest.mark.task("SSEStream")
def test_property_two_choices(impl):
    deltas = [Delta("a", 1, index=1), Delta("b", 1), Delta("", 1, "stop", 1), Delta("c", 1, "length")]
    told = [(1, "assistant", "", None), (1, None, "a", None), (0, "assistant", "", None), (0, None, "b", None),
            (1, None, None, "stop"), (0, None, "c", None), (0, None, None, "length")]  # fmt: skip
    assert choices_of(body(impl, deltas)) == told


@pytest.mark.task("SSEStream")
def test_property_the_head_that_was_given_stays_as_it_was(impl):
    head = {"id": "x-1", "object": "text_completion", "created": 1, "model": "tiny"}
    stream, before = impl.SSEStream(head, 3, True), dict(head)
    assert stream.push(Delta("a", 1)) and stream.close() and head == before


@pytest.mark.task("SSEStream")
@pytest.mark.parametrize("kind", ["chat.completion.chunk", "text_completion"])
def test_property_logprobs_stand_where_they_are_not_none(impl, kind):
    """Empty ones too, and never at an event of a chat that has no text."""
    text = body(impl, [Delta("a", 1, logprobs={}), Delta("b", 1), Delta("", 1, "stop", 0, {})], False, kind)
    choices = [json.loads(event[6:])["choices"][0] for event in text.split("\n\n")[:-2]]
    want = [True, False, True] if kind == "text_completion" else [False, True, False, False]
    assert ["logprobs" in choice for choice in choices] == want
