"""What lies between the client library and the network: bounded, and with a key of its own."""

from collections.abc import AsyncIterator, Callable
from typing import Final

import httpx2

from providers.openai.remote_fault import MalformedAnswer, OversizedAnswer

MAX_RESPONSE_BYTES: Final = 32 << 20
MAX_ERROR_BYTES: Final = 64 << 10
EVENT_STREAM: Final = "text/event-stream"
_OK: Final = 200

# All that a server is told. The client library adds what it knows of this machine, and takes
# more from environment variables; neither is the server's concern.
_SENT_HEADERS: Final = frozenset(
    {"host", "accept", "content-type", "content-length", "connection", "user-agent"}
)


class GuardedTransport(httpx2.AsyncBaseTransport):
    """Sends few headers and the key, and takes back no more than a bounded event stream.

    ``find_key`` is asked for each request, so the client library never holds the key and a key
    that changes is used at once.
    """

    def __init__(
        self, inner: httpx2.AsyncBaseTransport, find_key: Callable[[], str | None]
    ) -> None:
        self._inner = inner
        self._find_key = find_key

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send ``request``.

        Raises: MalformedAnswer for a success that is no event stream, or is compressed;
        OversizedAnswer while the body is read.
        """
        response = await self._inner.handle_async_request(self._guarded(request))
        fault = _find_fault(response)
        if fault is not None:
            await response.aclose()
            raise fault
        limit = MAX_RESPONSE_BYTES if response.status_code == _OK else MAX_ERROR_BYTES
        if isinstance(response.stream, httpx2.AsyncByteStream):
            response.stream = _BoundedStream(response.stream, limit)
        return response

    async def aclose(self) -> None:
        """Close all connections."""
        await self._inner.aclose()

    def _guarded(self, request: httpx2.Request) -> httpx2.Request:
        """A copy of ``request`` with the key; the library keeps its own in errors, without."""
        headers = {k: v for k, v in request.headers.items() if k.lower() in _SENT_HEADERS}
        headers["accept"] = EVENT_STREAM
        # Compressed, a few bytes may hold any number.
        headers["accept-encoding"] = "identity"
        key = self._find_key()
        if key is not None:
            headers["authorization"] = f"Bearer {key}"
        return httpx2.Request(
            request.method,
            request.url,
            headers=headers,
            stream=request.stream,
            extensions=request.extensions,
        )


class _BoundedStream(httpx2.AsyncByteStream):
    def __init__(self, inner: httpx2.AsyncByteStream, max_bytes: int) -> None:
        self._inner = inner
        self._max_bytes = max_bytes

    async def __aiter__(self) -> AsyncIterator[bytes]:
        num_bytes = 0
        async for piece in self._inner:
            num_bytes += len(piece)
            if num_bytes > self._max_bytes:
                raise OversizedAnswer(f"the answer is over {self._max_bytes} bytes")
            yield piece

    async def aclose(self) -> None:
        await self._inner.aclose()


def _find_fault(response: httpx2.Response) -> MalformedAnswer | None:
    encoding = response.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"", "identity"}:
        return MalformedAnswer("the answer is compressed, which was not asked for")
    if response.status_code != _OK:
        return None
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == EVENT_STREAM:
        return None
    return MalformedAnswer(f"the answer is {_plain(kind)} instead of an event stream")


def _plain(kind: str) -> str:
    return kind[:60] if kind.isascii() and kind.isprintable() and kind else "of no type"
