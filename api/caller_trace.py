"""A caller that is traced itself: the runs it submits are linked to its trace."""

from opentelemetry import context, propagate
from starlette.types import ASGIApp, Receive, Scope, Send

_HEADER = b"traceparent"


class CallerTrace:
    """Makes the caller's span the current one for as long as the request is handled."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request or socket."""
        headers = dict(scope.get("headers", ()))
        if _HEADER not in headers:
            await self._app(scope, receive, send)
            return
        carrier = {_HEADER.decode(): headers[_HEADER].decode("latin-1")}
        token = context.attach(propagate.extract(carrier))
        try:
            await self._app(scope, receive, send)
        finally:
            context.detach(token)
