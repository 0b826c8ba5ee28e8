"""The provider that asks OpenAI-compatible servers; the client is imported with the first job."""

import asyncio
import importlib.util
import logging
import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import anyio

from contracts.errors import InvalidInput, NotReady, UnknownModel
from contracts.generation import Source
from providers.cancellation import Cancellation
from providers.generation_job import GenerationJob
from providers.openai.cooldown import Cooldown
from providers.openai.retry import retry_delay_s
from providers.openai.transcript import Transcript
from providers.provider import Generated, LoadedModel, OnProgress, OnText, OnWait
from providers.provider_error import ProviderCooling
from providers.registries.model_entry import ModelEntry
from providers.registries.strategy_registry import Strategy

if TYPE_CHECKING:
    from providers.openai.remote_fault import RemoteFault
    from providers.openai.remote_server import RemoteServer

logger = logging.getLogger(__name__)

FindKey = Callable[[str], str | None]


class OpenAIProvider:
    """Chat completions of remote servers, streamed.

    ``find_key`` gives the value of the environment variable that an entry names. A failed request
    is sent again only before its first token; a server that keeps failing is left alone for a
    while, in which its models fail at once.
    """

    name = "openai"
    source: Source = "remote"
    loads_models = False

    def __init__(self, find_key: FindKey, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._find_key = find_key
        self._cooldown = Cooldown(clock)
        self._servers: dict[str, RemoteServer] = {}
        self._available = importlib.util.find_spec("openai") is not None
        self._random = random.Random()  # noqa: S311 - spreads retries, hides nothing

    @property
    def available(self) -> bool:
        """Whether the client library is installed; does not import it."""
        return self._available

    def holds(self, entry: ModelEntry) -> bool:
        """Whether the model can be asked: the library is installed, and its key is there."""
        return self._available and self._key_fault(entry) is None

    async def generate(
        self,
        job: GenerationJob,
        *,
        on_text: OnText | None,
        on_wait: OnWait | None,
        cancel: Cancellation,
    ) -> Generated:
        """Ask the server, and again where that may help.

        Raises: NotReady without its key, ProviderCooling, ProviderRefused, ProviderFailed,
        DeadlineExceeded before the first token; AnswerBrokeOff after it; InvalidInput.
        """
        if job.local_only:
            raise InvalidInput(field="local_only", reason=f"model {job.entry.key} is remote")
        entered_at = time.perf_counter()
        transcript = Transcript(job, on_text)
        transcript.restart(entered_at)
        loop = asyncio.get_running_loop()
        cancelled_at: list[float] = []
        with anyio.CancelScope() as scope:

            def stop() -> None:
                cancelled_at.append(time.perf_counter())
                loop.call_soon_threadsafe(scope.cancel)

            forget = cancel.on_cancel(stop)
            try:
                await self._answer(job, transcript)
            finally:
                forget()
        if scope.cancelled_caught:
            transcript.finish_reason = "cancelled"
        return _generated(transcript, entered_at, cancelled_at)

    def loaded(self) -> tuple[LoadedModel, ...]:
        """Nothing is resident here."""
        return ()

    async def load(
        self, entry: ModelEntry, strategy: Strategy, on_progress: OnProgress | None
    ) -> LoadedModel:
        """There is nothing to load, so this succeeds at once.

        Raises: NotReady without the entry's key.
        """
        if entry.provider != self.name:
            raise UnknownModel(model=entry.key, known=())
        self._check_key(entry)
        return LoadedModel(model=entry.key, strategy=strategy.key, size_bytes=0)

    async def unload(self, model: str) -> bool:
        """There is nothing to free."""
        return False

    async def close(self) -> None:
        """Close all connections."""
        servers = tuple(self._servers.values())
        self._servers.clear()
        for server in servers:
            await server.close()

    async def _answer(self, job: GenerationJob, transcript: Transcript) -> None:
        entry = job.entry
        self._check_key(entry)
        self._admit(entry)
        try:
            fault = await self._ask(job, transcript)
        except BaseException:
            self._cooldown.abandon(entry.key)
            raise
        if fault is None:
            self._cooldown.succeed(entry.key)
            return
        if fault.cools:
            self._cooldown.fail(entry.key, fault.retry_after_s)
        else:
            self._cooldown.abandon(entry.key)
        # Not from what the library raised: it may quote the server, and that the prompt or a key.
        raise fault.error

    async def _ask(self, job: GenerationJob, transcript: Transcript) -> "RemoteFault | None":
        """Ask until there is an answer, or a fault that another try would not mend."""
        entry, begun_s, num_failed = job.entry, time.monotonic(), 0
        server = await self._server(entry)
        # Here and not above, because many processes never ask a remote server.
        from providers.openai.remote_fault import judge  # noqa: PLC0415

        while True:
            transcript.restart(time.perf_counter())
            try:
                await server.answer(job, transcript)
                return None
            except Exception as exc:
                fault = judge(exc, entry, has_begun=transcript.has_begun)
            num_failed += 1
            delay_s = retry_delay_s(
                num_failed,
                max_retries=entry.max_retries if fault.may_pass else 0,
                retry_after_s=fault.retry_after_s,
                elapsed_s=time.monotonic() - begun_s,
                has_fallback=job.has_fallback,
                jitter=self._random.random(),
            )
            if delay_s is None:
                return fault
            logger.info("%s: asked again in %.2f s: %s", entry.key, delay_s, fault.error)
            await anyio.sleep(delay_s)

    def _admit(self, entry: ModelEntry) -> None:
        left_s = self._cooldown.admit(entry.key)
        if left_s > 0:
            raise ProviderCooling(
                provider=self.name, reason=f"model {entry.key} failed often of late", left_s=left_s
            )

    async def _server(self, entry: ModelEntry) -> "RemoteServer":
        server = self._servers.get(entry.key)
        if server is None:
            # The import and the certificates take long enough to be felt by all others here.
            built = await asyncio.to_thread(self._build_server, entry)
            server = self._servers.setdefault(entry.key, built)
        return server

    def _build_server(self, entry: ModelEntry) -> "RemoteServer":
        from providers.openai.remote_server import RemoteServer  # noqa: PLC0415

        return RemoteServer(entry, lambda: self._key(entry))

    def _key(self, entry: ModelEntry) -> str | None:
        return None if entry.api_key_env is None else self._find_key(entry.api_key_env)

    def _key_fault(self, entry: ModelEntry) -> str | None:
        if entry.api_key_env is None:
            return None
        key = self._find_key(entry.api_key_env)
        if not key:
            return "is not set"
        if not key.isascii() or not key.isprintable() or " " in key:
            return "holds no key: there are blanks or other signs in it that no key has"
        return None

    def _check_key(self, entry: ModelEntry) -> None:
        fault = self._key_fault(entry)
        if fault is not None:
            raise NotReady(
                f"model {entry.key}: the variable {entry.api_key_env} {fault}",
                cure=f"set {entry.api_key_env} in the environment of the executor",
            )


def _generated(transcript: Transcript, entered_at: float, cancelled_at: list[float]) -> Generated:
    ended_at = time.perf_counter()
    is_cancelled = transcript.finish_reason == "cancelled"
    return Generated(
        output=transcript.output,
        finish_reason=transcript.finish_reason or "error",
        prompt_tokens=transcript.prompt_tokens,
        completion_tokens=transcript.completion_tokens,
        cache_hit=True,
        load_time_ms=0.0,
        queue_time_ms=(transcript.started_at - entered_at) * 1000,
        started_at=transcript.started_at,
        first_token_at=transcript.first_token_at,
        ended_at=ended_at,
        cancel_time_ms=round((ended_at - cancelled_at[0]) * 1000, 3)
        if is_cancelled and cancelled_at
        else None,
    )
