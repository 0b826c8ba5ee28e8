"""JSON was asked for: does the output parse, and does it satisfy the schema?

With a `response_format` the output must be bare JSON, as a client hands it to its parser
unseen. Where only the prompt's words ask for JSON, a fenced block counts, and so does one JSON
value with a sentence around it unless the prompt wants nothing else.
"""

import json
import re
from typing import Any

from actors.validator.exchange import Exchange
from actors.validator.finding import Finding, FindingName
from actors.validator.folding import fold
from actors.validator.intent import JSON_ONLY, REFUSAL
from actors.validator.schema import InvalidSchemaError, find_mismatch

_VALUE_START = re.compile(r"[\[{]")
_MAX_DETAIL_CHARS = 120


class _NotJsonError(Exception):
    pass


def find_json_defects(exchange: Exchange) -> tuple[Finding, ...]:
    """Invalid JSON, or JSON that the schema refuses; nothing where JSON was not asked for."""
    if not exchange.wants_json or not exchange.output:
        return ()
    try:
        value = (
            _parse(exchange.output)
            if exchange.format_type in {"json_object", "json_schema"}
            else _parse_leniently(exchange)
        )
    except _NotJsonError as error:
        if exchange.format_type not in {"json_object", "json_schema"} and _is_refusal(exchange):
            return ()
        detail = str(error)[:_MAX_DETAIL_CHARS]
        return (Finding(FindingName.INVALID_JSON, f"The output is not valid JSON: {detail}.", 100),)
    return _check_shape(exchange, value)


def _check_shape(exchange: Exchange, value: object) -> tuple[Finding, ...]:
    if exchange.format_type == "json_object" and not isinstance(value, dict):
        detail = "The output is JSON, but not an object."
        return (Finding(FindingName.SCHEMA_MISMATCH, detail, 80),)
    if exchange.format_type != "json_schema" or exchange.response_format is None:
        return ()
    try:
        detail_or_none = find_mismatch(exchange.response_format, value)
    except InvalidSchemaError:
        # Refused where prompts are accepted; an answer is not to blame for it.
        return ()
    if detail_or_none is None:
        return ()
    return (Finding(FindingName.SCHEMA_MISMATCH, detail_or_none, 90),)


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _parse(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise _NotJsonError(str(error)) from error


def _parse_leniently(exchange: Exchange) -> Any:
    try:
        return _parse(exchange.output)
    except _NotJsonError as error:
        reason = error
    candidates = [fence.code for fence in exchange.fences if fence.tag in {"", "json", "jsonc"}]
    if candidates:
        return [_parse(code) for code in candidates if code.strip()]
    if exchange.intent.asks(JSON_ONLY):
        raise reason
    return _first_value(exchange.output, reason)


def _first_value(text: str, reason: _NotJsonError) -> Any:
    start = _VALUE_START.search(text)
    if start is None:
        raise reason
    try:
        return json.JSONDecoder(parse_constant=_refuse_constant).raw_decode(text, start.start())[0]
    except (ValueError, RecursionError) as error:
        raise _NotJsonError(str(error)) from error


def _is_refusal(exchange: Exchange) -> bool:
    return REFUSAL.search(fold(exchange.text[:400])) is not None
