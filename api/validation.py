"""From pydantic's findings to one error with a stable code; pure, and never with the input."""

import difflib
import re
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from api.problem import RefusedRequest
from contracts.errors import InvalidJson, PromptbusError
from contracts.prompt import MAX_PROMPT_BYTES

# A name from outside is shown only when it could be the name of a field.
_PLAIN_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")

_CODES: Mapping[str, str] = {
    "missing": "missing_field",
    "extra_forbidden": "unknown_field",
    "too_long": "max_items",
    "string_too_long": "too_long",
    "string_too_short": "too_short",
    "finite_number": "not_finite",
    "enum": "not_allowed",
    "literal_error": "not_allowed",
    "greater_than": "out_of_range",
    "greater_than_equal": "out_of_range",
    "less_than": "out_of_range",
    "less_than_equal": "out_of_range",
    "string_pattern_mismatch": "malformed",
    "json_invalid": "invalid_json",
    "string_unicode": "invalid_unicode",
}
_LIMITS = ("le", "lt", "ge", "gt", "max_length", "min_length")

# What the contracts' own validators say, told by the words they use.
_TEXT_CODES = (
    (re.compile(r"^is missing"), "missing_field", None),
    (re.compile(r"^is not supported"), "unsupported_parameter", None),
    (re.compile(r"^is empty$"), "empty_prompt", None),
    (re.compile(r"^is longer than"), "prompt_too_long", MAX_PROMPT_BYTES),
    (re.compile(r"^control character U\+D[89A-F]"), "invalid_unicode", None),
    (re.compile(r"^control character"), "control_character", None),
)


def refusal_of(exc: ValidationError, model: type[BaseModel] | None = None) -> PromptbusError:
    """The error to raise for ``exc``; ``model`` is what was validated, for the nearest name."""
    error = exc.errors(include_input=False, include_url=False)[0]
    return refusal_from(error, model)


def refusal_from(
    error: ErrorDetails | dict[str, Any], model: type[BaseModel] | None
) -> PromptbusError:
    """The same for one entry of pydantic's list of errors."""
    kind = str(error["type"])
    if kind == "json_invalid":
        return InvalidJson("the body is not valid JSON")
    location = tuple(error["loc"])
    if kind == "extra_forbidden":
        return _unknown_field(location, model)
    if kind == "value_error":
        return _text_refusal(location, str(error["msg"]))
    code = _CODES.get(kind) or ("wrong_type" if _is_type_error(kind) else "invalid_input")
    field = _field(location)
    return RefusedRequest(
        code,
        f"{field}: {_lower_first(str(error['msg']))}",
        field=field,
        limit=_limit(error.get("ctx") or {}),
    )


def _limit(context: Mapping[str, Any]) -> float | None:
    for name in _LIMITS:
        value = context.get(name)
        if isinstance(value, int | float):
            return float(value)
    return None


def _is_type_error(kind: str) -> bool:
    return kind.endswith(("_type", "_parsing")) or kind == "int_from_float"


def _unknown_field(location: tuple[Any, ...], model: type[BaseModel] | None) -> RefusedRequest:
    name = str(location[-1])
    known = tuple(model.model_fields) if model is not None else ()
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.6)
    cure = f"did you mean {near[0]}?" if near else f"known fields: {', '.join(sorted(known))}"
    field = _field(location)
    return RefusedRequest("unknown_field", f"{field}: is no field here", field=field, cure=cure)


def _text_refusal(location: tuple[Any, ...], text: str) -> RefusedRequest:
    reason = text.removeprefix("Value error, ")
    field = _field(location)
    if not location and ": " in reason:
        field, _, reason = reason.partition(": ")
    for pattern, code, limit in _TEXT_CODES:
        if pattern.search(reason):
            return RefusedRequest(code, f"{field}: {reason}", field=field, limit=limit)
    return RefusedRequest("invalid_input", f"{field}: {reason}", field=field)


def _field(location: tuple[Any, ...]) -> str:
    parts = [str(part) for part in location]
    shown = [part if part.isdecimal() or _PLAIN_NAME.fullmatch(part) else "…" for part in parts]
    return ".".join(shown) or "body"


def _lower_first(text: str) -> str:
    return text[:1].lower() + text[1:]
