"""Errors in the shape and with the codes that OpenAI's clients know; pure."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from fastapi import Response

from api.problem import RETRY_AFTER_S, public_info
from contracts.errors import ErrorInfo
from contracts.message import Message

RUN_ID_HEADER: Final = "X-Run-Id"

# Ours to theirs; codes that are not here are told as they are.
_CODES: Final[Mapping[str, str]] = {
    "unknown_model": "model_not_found",
    "prompt_too_long": "context_length_exceeded",
    "missing_field": "missing_required_parameter",
    "wrong_type": "invalid_type",
    "not_allowed": "invalid_value",
    "out_of_range": "invalid_value",
    "invalid_input": "invalid_value",
    "queue_full": "rate_limit_exceeded",
    "rate_limited": "rate_limit_exceeded",
    "too_many_requests": "rate_limit_exceeded",
    "too_many_bad_keys": "rate_limit_exceeded",
    "missing_key": "invalid_api_key",
    "invalid_key": "invalid_api_key",
    "unexpected": "server_error",
    "internal": "server_error",
}
_STATUSES: Final[Mapping[str, HTTPStatus]] = {
    "unknown_model": HTTPStatus.NOT_FOUND,
    "queue_full": HTTPStatus.TOO_MANY_REQUESTS,
    "idempotency_mismatch": HTTPStatus.UNPROCESSABLE_ENTITY,
}


class ErrorDetail(Message):
    """What is wrong; ``param`` names the field, ``code`` is for programs."""

    message: str
    type: str
    param: str | None
    code: str


class ErrorBody(Message):
    """The body of every error under ``/v1``."""

    error: ErrorDetail


def status_of(info: ErrorInfo) -> int:
    """The HTTP status of ``info``: OpenAI says 400 of every request that is wrong in itself."""
    if info.code in _STATUSES:
        return _STATUSES[info.code]
    if info.status == HTTPStatus.UNPROCESSABLE_ENTITY:
        return HTTPStatus.BAD_REQUEST
    return public_info(info).status


def error_body(info: ErrorInfo) -> dict[str, Any]:
    """``{"error": {…}}`` with message, type, param and code."""
    shown = public_info(info)
    message = f"{shown.message} ({shown.cure})" if shown.cure else shown.message
    detail = ErrorDetail(
        message=message,
        type=_type_of(info),
        param=shown.field,
        code=_CODES.get(shown.code, shown.code),
    )
    return ErrorBody(error=detail).model_dump(mode="json")


def error_response(
    info: ErrorInfo, *, run_id: str | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    """The HTTP response of ``info``.

    The client libraries send failed requests again by themselves. With a ``run_id`` the prompt was
    accepted and worked on, so they are told not to; without, only where it may help.
    """
    sent = dict(headers or {})
    again = info.retryable and run_id is None
    sent["x-should-retry"] = "true" if again else "false"
    if again:
        sent.setdefault("Retry-After", str(RETRY_AFTER_S))
    if run_id is not None:
        sent[RUN_ID_HEADER] = run_id
    return Response(
        json.dumps(error_body(info)), status_of(info), sent, media_type="application/json"
    )


def _type_of(info: ErrorInfo) -> str:
    status = status_of(info)
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        return "rate_limit_error"
    if status < HTTPStatus.INTERNAL_SERVER_ERROR:
        return "invalid_request_error"
    return "server_error"
