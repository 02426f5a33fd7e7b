"""A JSON schema becomes an automaton over bytes (Willard and Louf 2023, Outlines).

The part of JSON schema is OpenAI's strict one: objects with fixed properties in their order, arrays, texts, numbers,
booleans, null, enum, const, anyOf. An object without `properties` is any JSON object, up to DEPTH levels deep. What
the automaton cannot keep is refused by name. No white space is generated, which every JSON reader accepts.
"""

import json
from collections.abc import Sequence

from .automaton import Automaton, SchemaError

DEPTH = 4  # levels of an object without properties
MOST_NESTED = 12
KNOWN = {"type", "properties", "required", "additionalProperties", "items", "minItems", "maxItems", "enum", "const",
         "anyOf", "title", "description", "default", "$schema"}  # fmt: skip


def build(made: Automaton, start: int, schema: object, nested: int = 0) -> int:
    """Add a schema to the automaton; returns the state after a value that obeys it."""
    if not isinstance(schema, dict) or nested > MOST_NESTED:
        raise SchemaError(f"a schema is an object, at most {MOST_NESTED} levels deep")
    if unknown := set(schema) - KNOWN:
        raise SchemaError(f"{sorted(unknown)[0]!r} is not supported in a schema")
    if "enum" in schema or "const" in schema:
        values = schema.get("enum", [schema.get("const")])
        return either(made, start, [lambda s, v=v: made.text(s, plain_json(v)) for v in values])
    if "anyOf" in schema:
        return either(made, start, [lambda s, p=p: build(made, s, p, nested + 1) for p in schema["anyOf"]])
    kind = schema.get("type")
    if isinstance(kind, list):
        return either(made, start, [lambda s, k=k: build(made, s, {**schema, "type": k}, nested + 1) for k in kind])
    if kind == "object":
        return build_object(made, start, schema, nested)
    if kind == "array":
        return build_array(made, start, schema, nested)
    if kind == "string":
        return made.string(start)
    if kind in ("number", "integer"):
        return made.number(start, kind == "integer")
    if kind == "boolean":
        return either(made, start, [lambda s, w=w: made.text(s, w) for w in ("true", "false")])
    if kind == "null":
        return made.text(start, "null")
    raise SchemaError(f"type {kind!r} is not supported in a schema")


def plain_json(value) -> str:
    """A value as it is generated: without white space."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def either(made: Automaton, start: int, parts: Sequence) -> int:
    if not parts:
        raise SchemaError("enum, anyOf and type need at least one choice")
    end = made.state()
    for part in parts:
        branch = made.state()
        made.free[start].append(branch)
        made.free[part(branch)].append(end)
    return end


def build_object(made: Automaton, start: int, schema: dict, nested: int) -> int:
    """The properties in their order. A property that is not required may be left out."""
    if "properties" not in schema:
        return any_object(made, start, DEPTH)
    required = schema.get("required", [])
    if missing := set(required) - schema["properties"].keys():
        raise SchemaError(f"required {sorted(missing)[0]!r} is none of the properties")
    if schema.get("additionalProperties", False) is not False:
        raise SchemaError("additionalProperties must be false")
    first, later = made.text(start, "{"), None  # before the first property, and after one
    for name, part in schema["properties"].items():
        branch = made.state()
        if first is not None:
            made.free[first].append(branch)
        if later is not None:
            made.free[made.text(later, ",")].append(branch)
        end = build(made, made.text(branch, plain_json(name) + ":"), part, nested + 1)
        if name in required:
            first, later = None, end
        else:
            joined = made.state()
            for state in (end, later):
                if state is not None:
                    made.free[state].append(joined)
            later = joined
    end = made.state()
    for state in (first, later):
        if state is not None:
            made.free[state].append(end)
    return made.text(end, "}")


def build_array(made: Automaton, start: int, schema: dict, nested: int) -> int:
    least, most = schema.get("minItems", 0), schema.get("maxItems")
    if "items" not in schema or max(least, most or 0) > 64:
        raise SchemaError("an array needs items, and at most 64 of them")
    at, end = made.text(start, "["), made.state()
    if least == 0:
        made.free[at].append(end)
    for i in range(max(least, most if most is not None else least + 1)):
        at = build(made, at if i == 0 else made.text(at, ","), schema["items"], nested + 1)
        if i + 1 >= least:
            made.free[at].append(end)
    if most is None:
        made.free[build(made, made.text(at, ","), schema["items"], nested + 1)].append(at)
    elif most == 0:
        made.free[at].append(end)
    return made.text(end, "]")


def any_value(made: Automaton, start: int, depth: int) -> int:
    parts = [made.string, lambda s: made.number(s, False)]
    parts += [lambda s, w=w: made.text(s, w) for w in ("true", "false", "null")]
    if depth > 0:
        parts += [lambda s: any_object(made, s, depth), lambda s: any_array(made, s, depth)]
    return either(made, start, parts)


def any_object(made: Automaton, start: int, depth: int) -> int:
    opened = made.text(start, "{")
    item, end = made.state(), made.state()
    made.free[opened] += [item, end]
    at = any_value(made, made.text(made.string(item), ":"), depth - 1)
    made.free[made.text(at, ",")].append(item)
    made.free[at].append(end)
    return made.text(end, "}")


def any_array(made: Automaton, start: int, depth: int) -> int:
    opened = made.text(start, "[")
    item, end = made.state(), made.state()
    made.free[opened] += [item, end]
    at = any_value(made, item, depth - 1)
    made.free[made.text(at, ",")].append(item)
    made.free[at].append(end)
    return made.text(end, "]")


def compile_schema(schema: object) -> tuple[Automaton, frozenset[int], int]:
    """(automaton, states at the start, final state). Raises SchemaError."""
    made = Automaton()
    start = made.state()
    try:
        final = build(made, start, schema)
    except (AttributeError, TypeError) as error:
        raise SchemaError(f"this is no JSON schema: {error}") from None
    return made, made.closure({start}), final
