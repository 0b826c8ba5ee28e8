"""JSON Schema (2020-12) for structured outputs, safe against hostile schemas and outputs.

No reference is ever fetched, patterns are bounded, and a validation that would take too many
steps is given up as undecided.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError, ValidationError
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable

from actors.validator.pattern import search

# OpenAI allows 5,000 properties and 120,000 characters of names; a schema for one answer is small.
MAX_SCHEMA_CHARS = 64_000
MAX_SCHEMA_DEPTH = 64
# One step is one keyword on one value, near 3 us: 30 ms at most.
_MAX_STEPS = 8_000
_MAX_DETAIL_CHARS = 160
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")

Keyword = Callable[[Any, Any, Any, Any], Iterable[ValidationError] | None]


class InvalidSchemaError(ValueError):
    """A response format that cannot be enforced; `reason` says why in one sentence."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"The response format cannot be used: {reason}")


class _StepsSpentError(Exception):
    pass


class _Steps:
    def __init__(self, num_left: int) -> None:
        self.num_left = num_left

    def spend(self) -> None:
        self.num_left -= 1
        if self.num_left < 0:
            raise _StepsSpentError


_steps: ContextVar[_Steps] = ContextVar("schema_steps")


def check_schema(response_format: Mapping[str, Any] | None) -> None:
    """Check an OpenAI `response_format` before a prompt is accepted.

    Raises:
        InvalidSchemaError: unknown type, no schema, a schema that is not valid JSON Schema
            2020-12, too large or too deep, or one that refers outside itself.
    """
    if response_format is None:
        return
    kind = response_format.get("type")
    if kind in ("text", "json_object"):
        return
    if kind != "json_schema":
        raise InvalidSchemaError("type must be text, json_object or json_schema.")
    _compile(_encode(schema_of(response_format)))


def schema_of(response_format: Mapping[str, Any]) -> object:
    """The schema inside an OpenAI `json_schema` response format, None where it has none."""
    inner = response_format.get("json_schema")
    return inner.get("schema") if isinstance(inner, Mapping) else None


def find_mismatch(response_format: Mapping[str, Any], value: object) -> str | None:
    """Why `value` does not satisfy the schema, in one sentence; None where it does or where that
    cannot be decided within bounds.

    Raises:
        InvalidSchemaError: as `check_schema`.
    """
    validator = _compile(_encode(schema_of(response_format)))
    token = _steps.set(_Steps(_MAX_STEPS))
    try:
        error = next(iter(validator.iter_errors(value)), None)
    except (_StepsSpentError, Unresolvable, RecursionError, ArithmeticError):
        return None
    finally:
        _steps.reset(token)
    if error is None:
        return None
    message = error.message
    if len(message) > _MAX_DETAIL_CHARS:
        message = f"{message[:_MAX_DETAIL_CHARS]}..."
    return f"At {error.json_path}: {message}."


def _encode(schema: object) -> str:
    if not isinstance(schema, dict | bool):
        raise InvalidSchemaError("json_schema.schema must be an object.")
    try:
        text = json.dumps(schema)
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidSchemaError(f"the schema is not JSON ({error}).") from error
    if len(text) > MAX_SCHEMA_CHARS:
        raise InvalidSchemaError(f"the schema is longer than {MAX_SCHEMA_CHARS} characters.")
    return text


@lru_cache(maxsize=64)
def _compile(schema_text: str) -> Any:
    schema = json.loads(schema_text)
    _check_depth(schema, MAX_SCHEMA_DEPTH)
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        reason = error.message[:_MAX_DETAIL_CHARS]
        raise InvalidSchemaError(f"at {error.json_path}: {reason}.") from error
    except (RecursionError, Unresolvable) as error:
        raise InvalidSchemaError("the schema cannot be resolved.") from error
    for reference in _references(schema):
        _check_reference(schema, reference)
    if isinstance(schema, dict):
        schema.pop("$schema", None)
        if '"patternProperties"' in schema_text:
            _drop_unevaluated(schema)
    # An empty registry retrieves nothing; the default one would open URLs.
    return _BoundedValidator(schema, registry=Registry())


def _check_depth(node: object, depth: int) -> None:
    if depth == 0:
        raise InvalidSchemaError(f"the schema is nested deeper than {MAX_SCHEMA_DEPTH} levels.")
    for child in _children(node):
        _check_depth(child, depth - 1)


def _children(node: object) -> Iterable[Any]:
    if isinstance(node, dict):
        return node.values()
    return node if isinstance(node, list) else ()


def _references(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        for name in _REFERENCES:
            if isinstance(node.get(name), str):
                yield node[name]
    for child in _children(node):
        yield from _references(child)


def _check_reference(root: object, reference: str) -> None:
    if not reference.startswith("#"):
        raise InvalidSchemaError(f"{reference[:80]!r} refers outside the schema.")
    if not reference.startswith("#/"):
        return
    node: Any = root
    for part in reference[2:].split("/"):
        key = part.replace("~1", "/").replace("~0", "~").replace("%25", "%")
        if isinstance(node, list) and key.isdecimal() and int(key) < len(node):
            node = node[int(key)]
        elif isinstance(node, dict) and key in node:
            node = node[key]
        else:
            raise InvalidSchemaError(f"{reference[:80]!r} refers to nothing.")


def _drop_unevaluated(node: Any) -> None:
    # unevaluatedProperties runs patternProperties through an unbounded re.search.
    if isinstance(node, dict):
        node.pop("unevaluatedProperties", None)
    for child in _children(node):
        _drop_unevaluated(child)


def _metered(keyword: Keyword) -> Keyword:
    def check(
        validator: Any, value: Any, instance: Any, schema: Any
    ) -> Iterable[ValidationError] | None:
        _steps.get().spend()
        return keyword(validator, value, instance, schema)

    return check


def _pattern(validator: Any, pattern: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not search(pattern, instance):
        yield ValidationError(f"{instance[:40]!r} does not match {pattern!r}")


def _pattern_properties(
    validator: Any, patterns: Any, instance: Any, schema: Any
) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    for pattern, inner in patterns.items():
        for name, value in instance.items():
            _steps.get().spend()
            if search(pattern, name):
                yield from validator.descend(value, inner, path=name, schema_path=pattern)


def _additional_properties(
    validator: Any, inner: Any, instance: Any, schema: Any
) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    known = schema.get("properties", {})
    patterns = schema.get("patternProperties", {})
    for name, value in instance.items():
        if name in known or any(search(pattern, name) for pattern in patterns):
            continue
        _steps.get().spend()
        if inner is False:
            yield ValidationError(f"{name[:40]!r} is not an allowed property")
        else:
            yield from validator.descend(value, inner, path=name)


def _unique_items(
    validator: Any, is_unique: Any, instance: Any, schema: Any
) -> Iterator[ValidationError]:
    if is_unique and isinstance(instance, list):
        texts = {json.dumps(item, sort_keys=True) for item in instance}
        if len(texts) < len(instance):
            yield ValidationError("the items are not unique")


_OWN_KEYWORDS: dict[str, Keyword] = {
    "pattern": _pattern,
    "patternProperties": _pattern_properties,
    "additionalProperties": _additional_properties,
    "uniqueItems": _unique_items,
}
_BoundedValidator: Any = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    {
        name: _metered(keyword)
        for name, keyword in {**Draft202012Validator.VALIDATORS, **_OWN_KEYWORDS}.items()
    },
)
