"""Reading a request's body: bounded in size and time, JSON only, one strict model."""

import re
from collections.abc import AsyncIterator
from http import HTTPStatus
from typing import Any, TypeVar

import anyio
from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from api.client_gone import ClientGone
from api.limits import ApiLimits
from api.problem import RefusedRequest
from api.strict_json import parse_object
from api.validation import refusal_of

ModelT = TypeVar("ModelT", bound=BaseModel)

# A client that is still sending would take an early answer for a broken connection, so this much
# is read and thrown away first, for at most so long.
MAX_DISCARDED_BYTES = 16 << 20
DISCARD_S = 2.0

_JSON_TYPE = re.compile(r"application/(?:[a-z0-9.-]+\+)?json", re.IGNORECASE)
_CHARSET = re.compile(r"charset=\"?([^\s;\"]+)", re.IGNORECASE)


async def read_model(request: Request, model: type[ModelT], limits: ApiLimits) -> ModelT:
    """The request's body as a ``model``.

    Raises: RefusedRequest, InvalidJson.
    """
    return parse_model(await read_body(request, limits), model)


async def read_optional_model(request: Request, model: type[ModelT], limits: ApiLimits) -> ModelT:
    """The same, or the model without any field given where there is no body."""
    headers = request.headers
    if headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers:
        return model()
    return await read_model(request, model, limits)


def parse_model(body: bytes, model: type[ModelT]) -> ModelT:
    """``body`` as a ``model``; pure.

    Raises: RefusedRequest, InvalidJson.
    """
    parse_object(body)
    try:
        return model.model_validate_json(body)
    except ValidationError as exc:
        raise refusal_of(exc, model) from None


async def read_body(request: Request, limits: ApiLimits) -> bytes:
    """The whole body, refused before it is read where its headers tell enough.

    Raises: RefusedRequest with unsupported_encoding, unsupported_media_type (415),
    body_too_large (413) or body_too_slow (408); ClientGone.
    """
    try:
        return await _read_body(request, limits)
    except ClientDisconnect:
        raise ClientGone from None


async def _read_body(request: Request, limits: ApiLimits) -> bytes:
    _check_encoding(request)
    _check_type(request)
    num_declared = _declared_bytes(request)
    if num_declared > limits.max_body_bytes:
        if num_declared <= MAX_DISCARDED_BYTES and "expect" not in request.headers:
            await _discard(request.stream())
        raise _too_large(limits)
    chunks: list[bytes] = []
    num_bytes = 0
    with anyio.move_on_after(limits.body_timeout_s):
        pieces = request.stream()
        async for chunk in pieces:
            num_bytes += len(chunk)
            if num_bytes > limits.max_body_bytes:
                await _discard(pieces)
                raise _too_large(limits)
            chunks.append(chunk)
        return b"".join(chunks)
    raise RefusedRequest(
        "body_too_slow",
        f"the body was not complete within {limits.body_timeout_s:g} s",
        status=HTTPStatus.REQUEST_TIMEOUT,
        limit=limits.body_timeout_s,
        closes=True,
    )


def json_body(*models: type[BaseModel], required: bool = True) -> dict[str, Any]:
    """The OpenAPI fragment of a route that reads its body itself."""
    schemas = [{"$ref": f"#/components/schemas/{model.__name__}"} for model in models]
    schema = schemas[0] if len(schemas) == 1 else {"oneOf": schemas}
    content = {"application/json": {"schema": schema}}
    return {"requestBody": {"required": required, "content": content}}


async def _discard(pieces: AsyncIterator[bytes]) -> None:
    num_bytes = 0
    with anyio.move_on_after(DISCARD_S):
        async for chunk in pieces:
            num_bytes += len(chunk)
            if num_bytes > MAX_DISCARDED_BYTES:
                return


def _declared_bytes(request: Request) -> int:
    declared = request.headers.get("content-length", "0")
    return int(declared[:20]) if declared.isdecimal() else 0


def _check_encoding(request: Request) -> None:
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"", "identity"}:
        # A few kilobytes of gzip may hold gigabytes.
        raise RefusedRequest(
            "unsupported_encoding",
            "compressed bodies are not accepted",
            status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            field="content-encoding",
            closes=True,
        )


def _check_type(request: Request) -> None:
    given = request.headers.get("content-type", "")
    charset = _CHARSET.search(given)
    is_utf8 = charset is None or charset.group(1).lower() in {"utf-8", "utf8", "us-ascii"}
    if not _JSON_TYPE.fullmatch(given.split(";", 1)[0].strip()) or not is_utf8:
        # A page of another site can post text and forms without asking first, but no JSON.
        raise RefusedRequest(
            "unsupported_media_type",
            "the body must be JSON in UTF-8",
            status=HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
            field="content-type",
            cure="send Content-Type: application/json",
            closes=True,
        )


def _too_large(limits: ApiLimits) -> RefusedRequest:
    return RefusedRequest(
        "body_too_large",
        f"the body is over {limits.max_body_bytes} bytes",
        status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        limit=limits.max_body_bytes,
        closes=True,
    )
