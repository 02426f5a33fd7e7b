"""Constrained decoding: whatever the automaton lets through is JSON that obeys the schema."""

import json
import random

import pytest

from serving_stack.wire.automaton import SchemaError
from serving_stack.wire.constraint import Constraint, Trie
from serving_stack.wire.json_schema import compile_schema

BYTES = [*(bytes([b]) for b in range(256)), b"", b'{"', b'":', b"true", b"fal", b'"},', b"12", b"\xc3\xa9"]
TRIE = Trie(BYTES)
PERSON = {"type": "object", "required": ["name", "age"], "additionalProperties": False,
          "properties": {"name": {"type": "string"}, "age": {"type": "integer"}, "tags": {
              "type": "array", "items": {"enum": ["a", "b"]}, "minItems": 1, "maxItems": 3},
              "more": {"anyOf": [{"type": "null"}, {"type": "number"}]}}}  # fmt: skip


def accepts(schema, text):
    automaton, states, final = compile_schema(schema)
    for byte in text.encode():
        states = automaton.after(states, byte)
    return final in states


def walk(schema, seed, most=400):
    """A random text that the constraint allows, until only the end may come."""
    g, constraint, data = random.Random(seed), Constraint(schema, TRIE, BYTES, 256), b""
    for _ in range(most):
        allowed = constraint.allowed().nonzero()[:, 0].tolist()
        assert allowed, f"nothing may follow {data!r}"
        if 256 in allowed and (len(allowed) == 1 or g.random() < 0.5):
            return data.decode()
        close = [t for t in allowed if BYTES[t] in (b'"', b"}", b"]", b'"},')]
        token = g.choice(close) if close and g.random() < 0.4 else g.choice([t for t in allowed if t != 256])
        constraint.advance(token)
        data += BYTES[token]
    return None


@pytest.mark.parametrize("schema", [PERSON, {"type": "object"}, {"type": "array", "items": {"type": "boolean"}},
                                    {"enum": ["x", 5, None, {"a": 1}]}, {"type": ["string", "null"]},
                                    {"type": "number"}])  # fmt: skip
def test_property_what_is_allowed_is_json(schema):
    done = [text for seed in range(12) if (text := walk(schema, seed)) is not None]
    assert len(done) >= 6
    for text in done:
        value = json.loads(text)
        if schema is PERSON:
            assert {"name", "age"} <= set(value) <= set(PERSON["properties"]) and isinstance(value["age"], int)


@pytest.mark.parametrize("text, fits", [
    ('{"name":"é\\n\\u00e9","age":-12}', True), ('{"name":"x","age":0,"tags":["a","b"],"more":-1.5}', True),
    ('{"age":1,"name":"x"}', False), ('{"name":"x"}', False), ('{"name":"x","age":01}', False),
    ('{"name":"x","age":1,"tags":[]}', False), ('{"name":"x","age":1,"tags":["a","a","a","a"]}', False),
    ('{"name":"a\nb","age":1}', False), ('{"name":"x","age":1.5}', False), ('{"name":"x","age":1}x', False),
])  # fmt: skip
def test_which_texts_obey(text, fits):
    assert accepts(PERSON, text) == fits


@pytest.mark.parametrize("n, least, most", [(n, least, most) for n in range(5) for least, most in
                                            ((0, None), (2, None), (0, 2), (1, 1), (0, 0))])  # fmt: skip
def test_arrays_have_the_right_length(n, least, most):
    schema = {"type": "array", "items": {"type": "null"}, "minItems": least}
    schema |= {} if most is None else {"maxItems": most}
    assert accepts(schema, "[" + ",".join(["null"] * n) + "]") == (n >= least and (most is None or n <= most))


@pytest.mark.parametrize("schema", [{"type": "string", "pattern": "a"}, {"type": "thing"}, {"anyOf": []}, {"$ref": "#"},
                                    {"type": "object", "properties": {}, "required": ["a"]}, {"type": "array"}, [],
                                    {"type": "object", "properties": {}, "additionalProperties": True},
                                    {"enum": 5}, {"type": "object", "properties": 7}])  # fmt: skip
def test_bad_input_what_is_not_kept_is_refused(schema):
    """llama.cpp 24096: a format that is ignored looks as if it had been kept."""
    with pytest.raises(SchemaError):
        compile_schema(schema)


def test_bad_input_a_schema_without_end():
    schema = {"type": "null"}
    for _ in range(40):
        schema = {"type": "array", "items": schema}
    with pytest.raises(SchemaError):
        compile_schema(schema)
