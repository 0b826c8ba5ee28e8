"""The server of one registry entry: one question, one streamed answer."""

import time
from collections.abc import Callable
from typing import Final
from urllib.parse import urlsplit

import anyio
import httpx2
import openai

from providers.generation_job import GenerationJob
from providers.openai.chat_chunk import ChatChunk, read_chunk
from providers.openai.chat_request import build_request
from providers.openai.guarded_transport import GuardedTransport
from providers.openai.remote_fault import StreamEnded, TooSlow
from providers.openai.transcript import Transcript
from providers.registries.model_entry import ModelEntry

MAX_CONNECTIONS: Final = 256
CONNECT_S: Final = 5.0
CONNECT_WITH_FALLBACK_S: Final = 0.8


class RemoteServer:
    """Asks the server of ``entry``; ``find_key`` gives its key anew for each request.

    Nothing is taken from the environment: neither proxies nor what the client library looks for.
    """

    def __init__(self, entry: ModelEntry, find_key: Callable[[], str | None]) -> None:
        self._entry = entry
        limits = httpx2.Limits(max_connections=MAX_CONNECTIONS, max_keepalive_connections=16)
        # Reading the certificates takes long, and plain http looks at none.
        verify = urlsplit(entry.base_url or "").scheme != "http"
        inner = httpx2.AsyncHTTPTransport(verify=verify, trust_env=False, limits=limits)
        self._client = openai.AsyncOpenAI(
            base_url=entry.base_url,
            api_key="held by the transport",
            organization="",
            project="",
            max_retries=0,
            http_client=httpx2.AsyncClient(
                transport=GuardedTransport(inner, find_key), trust_env=False, follow_redirects=False
            ),
        )

    async def answer(self, job: GenerationJob, transcript: Transcript) -> None:
        """Let ``transcript`` hear the whole answer to ``job``.

        Raises: TooSlow, StreamEnded, ValueError for what cannot be read, openai.APIError.
        """
        entry, begun_s = self._entry, anyio.current_time()
        patience_s = min(entry.first_token_timeout_s, entry.timeout_s)
        with anyio.CancelScope(deadline=begun_s + patience_s) as scope:

            def on_life() -> None:
                scope.deadline = begun_s + entry.timeout_s

            await self._read(job, transcript, on_life)
        if scope.cancelled_caught:
            in_time = scope.deadline > begun_s + patience_s
            raise TooSlow(entry.timeout_s if in_time else patience_s)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def _read(
        self, job: GenerationJob, transcript: Transcript, on_life: Callable[[], None]
    ) -> None:
        connect_s = CONNECT_WITH_FALLBACK_S if job.has_fallback else CONNECT_S
        stream: openai.AsyncStream[openai.types.chat.ChatCompletionChunk]
        stream = await self._client.chat.completions.create(
            **build_request(job), timeout=httpx2.Timeout(None, connect=connect_s)
        )
        async with stream:
            async for piece in stream:
                chunk = read_chunk(piece)
                if _shows_life(chunk):
                    on_life()
                transcript.hear(chunk, time.perf_counter())
                if transcript.is_cut:
                    return
        if transcript.finish_reason is None:
            raise StreamEnded
        transcript.end()


def _shows_life(chunk: ChatChunk) -> bool:
    return bool(chunk.text) or chunk.thought or chunk.finish_reason is not None
