"""JSON as promptbus takes it: UTF-8, one object, no double keys, only finite numbers; pure.

Python's parser and pydantic's both let through what another reader may understand differently
(RFC 8259 section 4 leaves double names open, section 6 has no NaN), so it is refused here.
"""

import json
import math
import re
from http import HTTPStatus
from typing import Any, NoReturn

from api.problem import RefusedRequest
from contracts.errors import InvalidJson

# Beyond this no field takes an integer; Python refuses to parse more than 4300 digits at all.
MAX_INTEGER_DIGITS = 40
BOM = "\ufeff"

_SURROGATE_ESCAPE = re.compile(r"\\u[dD][89a-fA-F]")


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object in ``body``.

    Raises: InvalidJson (400); RefusedRequest with duplicate_key (400), or not_finite,
    invalid_unicode, out_of_range, not_object (422).
    """
    text = _decode(body)
    try:
        document = json.loads(
            text,
            object_pairs_hook=_object_of,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_bounded,
        )
    except ValueError as exc:
        raise InvalidJson("the body is not valid JSON") from exc
    except RecursionError as exc:
        raise InvalidJson("the body is nested too deeply") from exc
    if _SURROGATE_ESCAPE.search(text):
        _check_unicode(document)
    if not isinstance(document, dict):
        raise RefusedRequest("not_object", "the body must be a JSON object")
    return document


def _decode(body: bytes) -> str:
    try:
        text = body.decode()
    except UnicodeDecodeError as exc:
        raise InvalidJson("the body is not UTF-8", cure="send JSON in UTF-8") from exc
    if text.startswith(BOM):
        raise InvalidJson("the body begins with a byte order mark", cure="send it without")
    return text


def _object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise RefusedRequest(
            "duplicate_key", "an object has the same key twice", status=HTTPStatus.BAD_REQUEST
        )
    return found


def _refuse_constant(_name: str) -> NoReturn:
    raise RefusedRequest("not_finite", "numbers must be finite: no NaN, no Infinity")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        _refuse_constant(text)
    return number


def _bounded(text: str) -> int:
    if len(text) > MAX_INTEGER_DIGITS:
        raise RefusedRequest(
            "out_of_range", "an integer has too many digits", limit=MAX_INTEGER_DIGITS
        )
    return int(text)


def _check_unicode(document: Any) -> None:
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError as exc:
        raise RefusedRequest(
            "invalid_unicode", "a string has half of a surrogate pair", cure="send whole characters"
        ) from exc
