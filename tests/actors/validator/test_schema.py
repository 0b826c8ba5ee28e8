"""Schemas from strangers: refused with a reason, never fetched, never slow."""

import socket
import time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.validator.pattern import search
from actors.validator.schema import (
    MAX_SCHEMA_CHARS,
    MAX_SCHEMA_DEPTH,
    InvalidSchemaError,
    check_schema,
    find_mismatch,
)


def wanted(schema: object) -> dict[str, Any]:
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "integer"}
    for _ in range(depth):
        schema = {"type": "array", "items": schema}
    return schema


@pytest.mark.parametrize(
    "response_format",
    [
        None,
        {"type": "text"},
        {"type": "json_object"},
        wanted({"type": "object"}),
        wanted(True),
        wanted({"$ref": "#/$defs/node", "$defs": {"node": {"type": "string"}}}),
        wanted({"$schema": "http://json-schema.org/draft-07/schema#", "type": "string"}),
    ],
)
def test_usable_formats_are_let_in(response_format: dict[str, Any] | None) -> None:
    check_schema(response_format)


@pytest.mark.parametrize(
    "response_format",
    [
        {},
        {"type": "xml"},
        {"type": "json_schema"},
        {"type": "json_schema", "json_schema": {"name": "a"}},
        wanted("string"),
        wanted([]),
        wanted({"type": "strnig"}),
        wanted({"required": "name"}),
        wanted({"properties": []}),
        wanted({"minLength": -1}),
        wanted({"enum": {1, 2}}),
        wanted({"$ref": "#/$defs/missing"}),
        wanted({"description": "x" * MAX_SCHEMA_CHARS}),
        wanted(nested(MAX_SCHEMA_DEPTH + 1)),
        wanted(nested(5_000)),
    ],
)
def test_unusable_formats_are_refused_with_a_reason(response_format: dict[str, Any]) -> None:
    with pytest.raises(InvalidSchemaError) as caught:
        check_schema(response_format)
    assert caught.value.reason


@pytest.mark.parametrize("keyword", ["$ref", "$dynamicRef"])
@pytest.mark.parametrize(
    "reference",
    ["http://127.0.0.1:9/schema.json", "https://example.org/a", "file:///etc/passwd", "other.json"],
)
def test_a_reference_to_elsewhere_is_refused_and_never_opened(
    keyword: str, reference: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with pytest.raises(InvalidSchemaError, match="refers outside"):
        check_schema(wanted({"properties": {"a": {keyword: reference}}}))


@given(
    schema=st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=8),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["type", "properties", "items", "$ref", "pattern", "enum", "not"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
@settings(max_examples=200, deadline=None)
def test_any_schema_is_let_in_or_refused_with_the_typed_error(schema: object) -> None:
    try:
        check_schema(wanted(schema))
    except InvalidSchemaError:
        return
    assert find_mismatch(wanted(schema), {"a": 1}) is None or schema is not True


PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name", "age"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("value", "part"),
    [
        ({"name": "Ana"}, "age"),
        ({"name": "Ana", "age": "3"}, "integer"),
        ({"name": "Ana", "age": -1}, "minimum"),
        ({"name": "Ana", "age": 1, "city": "Lugo"}, "city"),
        ([], "object"),
    ],
)
def test_a_mismatch_says_where_and_why(value: object, part: str) -> None:
    detail = find_mismatch(wanted(PERSON), value)
    assert detail is not None
    assert detail.startswith("At $")
    assert part in detail


def test_a_value_that_fits_has_no_mismatch() -> None:
    assert find_mismatch(wanted(PERSON), {"name": "Ana", "age": 3}) is None


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "string", "pattern": "^(a+)+$"},
        {"type": "string", "pattern": "(a|a)*b"},
        {"type": "string", "pattern": "(.*)(.*)(.*)(.*)(.*)x"},
        {"additionalProperties": False, "patternProperties": {"(a*)*b": {}}},
        {"$ref": "#/$defs/a", "$defs": {"a": {"anyOf": [{"$ref": "#/$defs/a"}]}}},
        {
            "$defs": {"a": {"allOf": [{"items": {"$ref": "#/$defs/a"}}] * 8}},
            "$ref": "#/$defs/a",
        },
    ],
)
def test_a_costly_schema_is_given_up_in_bounded_time(schema: dict[str, Any]) -> None:
    deep: Any = []
    for _ in range(50):
        deep = [deep, deep] if len(str(deep)) < 10_000 else [deep]
    started_s = time.process_time()
    for value in ("a" * 50_000 + "!", {"a" * 5_000: 1}, deep):
        find_mismatch(wanted(schema), value)
    assert time.process_time() - started_s < 2


def test_a_simple_pattern_is_enforced() -> None:
    assert search("^[0-9]{5}$", "28001")
    assert not search("^[0-9]{5}$", "CP 28001")
