"""Errors as clients see them: RFC 9457 problem details, which never carry the input."""

from http import HTTPStatus
from typing import Final

from fastapi import Request, Response
from starlette.exceptions import HTTPException

from contracts.errors import ErrorInfo, PromptbusError
from contracts.message import Message

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_S = 1

_HIDDEN = "an unexpected fault; the log of the server tells more"


class Problem(Message):
    """The body of every error (RFC 9457).

    ``code`` is the stable name for programs, ``field`` the part of the request that is wrong,
    ``limit`` what it must keep to, ``cure`` what a person can do, ``run_id`` the run it is about.
    """

    type: str
    title: str
    status: int
    code: str
    detail: str
    field: str | None = None
    limit: float | None = None
    cure: str | None = None
    run_id: str | None = None


class RefusedRequest(PromptbusError):
    """A request that this floor refuses; ``info`` says with which code and status."""

    def __init__(
        self,
        code: str,
        message: str,
        *,
        status: int = HTTPStatus.UNPROCESSABLE_ENTITY,
        field: str | None = None,
        limit: float | None = None,
        cure: str | None = None,
        closes: bool = False,
    ) -> None:
        super().__init__(message, cure=cure)
        self.closes = closes
        self.info = ErrorInfo(
            code=code, message=message, status=status, field=field, limit=limit, cure=cure
        )

    def to_wire(self) -> ErrorInfo:
        """The refusal as it travels."""
        return self.info


def public_info(info: ErrorInfo) -> ErrorInfo:
    """``info`` as a client may see it: unforeseen faults keep their code and lose their text."""
    if not HTTPStatus.BAD_REQUEST <= info.status < 600:  # noqa: PLR2004 - end of the 5xx class
        info = info.model_copy(update={"status": int(HTTPStatus.INTERNAL_SERVER_ERROR)})
    if info.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        return info.model_copy(update={"message": _HIDDEN, "cure": None, "field": None})
    return info


def build_problem(info: ErrorInfo, run_id: str | None = None) -> Problem:
    """The problem document of ``info``."""
    shown = public_info(info)
    return Problem(
        type=f"urn:promptbus:error:{shown.code}",
        title=shown.code.replace("_", " ").capitalize(),
        status=shown.status,
        code=shown.code,
        detail=shown.message,
        field=shown.field,
        limit=shown.limit,
        cure=shown.cure,
        run_id=run_id,
    )


def problem_response(
    info: ErrorInfo, *, run_id: str | None = None, headers: dict[str, str] | None = None
) -> Response:
    """The HTTP response of ``info``."""
    problem = build_problem(info, run_id)
    sent = dict(headers or {})
    if problem.status == HTTPStatus.SERVICE_UNAVAILABLE and info.retryable:
        sent.setdefault("Retry-After", str(RETRY_AFTER_S))
    return Response(problem.encode(), problem.status, sent, MEDIA_TYPE)


async def on_promptbus_error(_request: Request, exc: Exception) -> Response:
    """Turn an error of promptbus into its problem."""
    if not isinstance(exc, PromptbusError):
        raise exc
    # What is left of a refused body would be read as the next request.
    headers = {"Connection": "close"} if getattr(exc, "closes", False) else None
    return problem_response(exc.to_wire(), headers=headers)


async def on_http_exception(_request: Request, exc: Exception) -> Response:
    """Turn what the router says (no such path, wrong method) into a problem."""
    if not isinstance(exc, HTTPException):
        raise exc
    phrase = HTTPStatus(exc.status_code).phrase
    info = ErrorInfo(
        code=phrase.lower().replace(" ", "_"), message=phrase.lower(), status=exc.status_code
    )
    return problem_response(info, headers=dict(exc.headers or {}))


def unexpected_response() -> Response:
    """The response to a fault nobody foresaw."""
    return problem_response(ErrorInfo(code="internal", message=_HIDDEN))
