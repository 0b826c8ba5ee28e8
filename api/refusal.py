"""What is refused before any route is asked, in the shape that the address speaks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final

from starlette.types import Receive, Scope, Send

from api.access import Scopes
from api.allowance import Quota
from api.openai.error import error_response
from api.problem import problem_response
from contracts.errors import ErrorInfo

POLICY_VIOLATION: Final = 1008

_DENIAL: Final = "websocket.http.response"
_CHALLENGE: Final = 'Bearer realm="promptbus"'


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a client is turned away, and the headers that tell it what to do."""

    info: ErrorInfo
    headers: Mapping[str, str] = field(default_factory=dict)

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with it; a WebSocket hears it as the response to its handshake."""
        headers = dict(self.headers)
        if scope["type"] == "websocket" and _DENIAL not in scope.get("extensions", {}):
            await send({"type": "websocket.close", "code": POLICY_VIOLATION})
        elif scope["path"].startswith("/v1/"):
            await error_response(self.info, headers=headers)(scope, receive, send)
        else:
            await problem_response(self.info, headers=headers)(scope, receive, send)


def foreign_host() -> Refusal:
    """The request names a server that this one is not."""
    return Refusal(
        ErrorInfo(
            code="foreign_host",
            message="this server is not reached by that name",
            status=HTTPStatus.MISDIRECTED_REQUEST,
            field="host",
            cure="use localhost, or list the name in PROMPTBUS_ALLOWED_HOSTS",
        )
    )


def foreign_origin() -> Refusal:
    """A page of another site asks for something to be done."""
    return Refusal(
        ErrorInfo(
            code="foreign_origin",
            message="pages of other sites may not do this",
            status=HTTPStatus.FORBIDDEN,
            field="origin",
            cure="list the page's origin in PROMPTBUS_ALLOWED_ORIGINS",
        )
    )


def no_key() -> Refusal:
    """The request shows no key."""
    return Refusal(
        ErrorInfo(
            code="missing_key",
            message="an API key is needed",
            status=HTTPStatus.UNAUTHORIZED,
            field="authorization",
            cure="send it as: Authorization: Bearer <key>",
        ),
        {"WWW-Authenticate": _CHALLENGE},
    )


def bad_key() -> Refusal:
    """The key shown opens nothing; which of the reasons it is stays untold."""
    return Refusal(
        ErrorInfo(
            code="invalid_key",
            message="the API key is unknown, expired or revoked",
            status=HTTPStatus.UNAUTHORIZED,
            field="authorization",
            cure="ask for a new one; they are made by: promptbus keys create",
        ),
        {"WWW-Authenticate": f'{_CHALLENGE}, error="invalid_token"'},
    )


def missing_scope(scopes: Scopes) -> Refusal:
    """The key is good, but not for this."""
    wanted = " or ".join(sorted(scopes))
    return Refusal(
        ErrorInfo(
            code="missing_scope",
            message=f"this key lacks the scope {wanted}",
            status=HTTPStatus.FORBIDDEN,
            field="authorization",
            cure=f"use one made with --scopes {sorted(scopes)[0]}",
        ),
        {"WWW-Authenticate": f'{_CHALLENGE}, error="insufficient_scope"'},
    )


def too_many(code: str, message: str, limit: int, quota: Quota | None = None) -> Refusal:
    """The client has had its share for now; ``quota`` tells when there is more."""
    wait_s = 1 if quota is None else quota.wait_s
    headers = {"Retry-After": str(wait_s)} | ({} if quota is None else quota.headers())
    return Refusal(
        ErrorInfo(
            code=code,
            message=message,
            status=HTTPStatus.TOO_MANY_REQUESTS,
            retryable=True,
            limit=limit,
            cure=f"ask again in {wait_s} s",
        ),
        headers,
    )
