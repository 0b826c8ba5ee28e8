"""The only way to a model, for orchestrated and direct use alike."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence

from contracts.errors import InvalidInput, NotReady, PromptbusError
from contracts.generation import GenerationRequest, GenerationResult, TextDelta, Usage
from contracts.presence import ModelReport
from contracts.waiting import WaitNote
from providers.cancellation import Cancellation
from providers.fallback import error_of_chain, may_fall_back
from providers.foreign_error import as_provider_failed
from providers.generation_job import GenerationJob, build_job
from providers.local.manager.memory_plan import DeviceMemory
from providers.model_hosting import HostsModels
from providers.model_report import build_model_report
from providers.piece_queue import PieceQueue
from providers.provider import Generated, LoadedModel, OnProgress, OnText, OnWait, Provider
from providers.provider_error import AnswerBrokeOff
from providers.registries.model_entry import ModelEntry
from providers.registries.model_registry import ModelRegistry
from providers.registries.strategy_registry import StrategyRegistry

logger = logging.getLogger(__name__)


class ProviderGateway:
    """Resolves a request against the registries and runs it with the provider of its model.

    A model that fails before its first token is replaced by the fallbacks of its entry, in order
    and each once; the result's ``fallback_from`` then names the model that was asked for. After
    the first token a failure is final. With ``local_only`` no remote provider is ever asked.

    Every method may raise UnknownModel, UnknownStrategy, NotReady (the provider's libraries are
    missing here), ModelLoadFailed, DoesNotFit, OutOfMemory, ProviderFailed, and InvalidInput for
    what only the model can judge, such as a prompt longer than its context.
    """

    def __init__(
        self,
        models: ModelRegistry,
        strategies: StrategyRegistry,
        providers: Iterable[Provider],
    ) -> None:
        self._models = models
        self._strategies = strategies
        self._providers = {provider.name: provider for provider in providers}

    async def generate(
        self, request: GenerationRequest, *, cancel: Cancellation | None = None
    ) -> GenerationResult:
        """The whole answer.

        Setting ``cancel`` returns what there is with ``finish_reason`` cancelled; cancelling the
        awaiting task stops decoding too, and returns nothing.
        """
        called_at = time.perf_counter()
        jobs = self._jobs(request)
        return await self._run(jobs, None, None, cancel or Cancellation(), called_at)

    async def stream(
        self, request: GenerationRequest, *, cancel: Cancellation | None = None
    ) -> AsyncGenerator[TextDelta | WaitNote | GenerationResult, None]:
        """Notes while it waits, the pieces of the answer as they come, and the result at last.

        Closing the iterator stops decoding; to be sure that it is closed, iterate within
        ``contextlib.aclosing``. Setting ``cancel`` ends the stream with a cancelled result.
        """
        called_at = time.perf_counter()
        jobs = self._jobs(request)
        stop = Cancellation()
        forget = cancel.on_cancel(stop.cancel) if cancel is not None else None
        pieces = PieceQueue()
        generation = asyncio.create_task(self._run(jobs, pieces.put, pieces.put, stop, called_at))
        generation.add_done_callback(lambda _: pieces.end())
        generation.add_done_callback(_mark_seen)
        try:
            offset = 0
            while (piece := await pieces.get()) is not None:
                if isinstance(piece, WaitNote):
                    yield piece
                    continue
                yield TextDelta(offset=offset, text=piece)
                offset += len(piece)
            yield await generation
        finally:
            stop.cancel()
            generation.cancel()
            if forget is not None:
                forget()

    def models(self) -> tuple[ModelReport, ...]:
        """All models of the registry that this gateway has a provider for, and their state."""
        loaded = {name: provider.loaded() for name, provider in self._providers.items()}
        return tuple(
            build_model_report(
                entry,
                provider,
                strategies=[
                    self._strategies.get(key, entry) for key in self._strategies.known_for(entry)
                ],
                loaded=[state for state in loaded[provider.name] if state.model == entry.key],
            )
            for entry in self._models.list()
            if (provider := self._providers.get(entry.provider)) is not None
        )

    async def load(
        self, model: str, strategy: str | None = None, on_progress: OnProgress | None = None
    ) -> LoadedModel:
        """Make ``model`` resident, with its default strategy unless another is named.

        ``on_progress`` is called on the event loop. Returns at once when it is resident already.
        """
        entry = self._models.get(model)
        wanted = self._strategies.get(strategy or entry.default_strategy, entry)
        provider = self._provider(entry)
        try:
            return await provider.load(entry, wanted, on_progress)
        except PromptbusError:
            raise
        except Exception as exc:
            raise as_provider_failed(provider.name, exc) from exc

    async def unload(self, model: str) -> bool:
        """Free ``model`` once nothing uses it; False when it was not resident."""
        return await self._provider(self._models.get(model)).unload(model)

    def pin(self, model: str, *, pinned: bool = True) -> None:
        """Whether ``model``, once resident, is never evicted; no matter where nothing is loaded."""
        provider = self._provider(self._models.get(model))
        if isinstance(provider, HostsModels):
            provider.pin(model, pinned=pinned)

    def memory(self) -> tuple[DeviceMemory, ...]:
        """What models may use of each device of this machine, and what they hold."""
        return tuple(device for host in self._hosts() for device in host.memory())

    async def set_budgets(self, budgets: Mapping[str, int]) -> None:
        """Bytes that models may use of the devices named; what no longer fits leaves when idle."""
        for host in self._hosts():
            await host.set_budgets(budgets)

    async def close(self) -> None:
        """Free all models; the gateway takes no request afterwards."""
        await asyncio.gather(*(provider.close() for provider in self._providers.values()))

    def _jobs(self, request: GenerationRequest) -> tuple[GenerationJob, ...]:
        """What is asked, and what is asked instead when that fails."""
        asked = self._models.get(request.model)
        if request.local_only and asked.is_remote:
            raise self._not_local(asked)
        chain = [
            entry
            for entry in self._models.chain(asked.key)
            if not (request.local_only and entry.is_remote)
        ]
        keys = [request.strategy or asked.default_strategy]
        keys += [self._strategy_of_fallback(request, entry) for entry in chain[1:]]
        return tuple(
            build_job(
                request,
                entry,
                self._strategies.get(key, entry),
                has_fallback=entry is not chain[-1],
            )
            for entry, key in zip(chain, keys, strict=True)
        )

    def _strategy_of_fallback(self, request: GenerationRequest, entry: ModelEntry) -> str:
        if request.strategy in self._strategies.known_for(entry):
            return request.strategy or entry.default_strategy
        return entry.default_strategy

    def _not_local(self, entry: ModelEntry) -> InvalidInput:
        local = ", ".join(known.key for known in self._models.list() if not known.is_remote)
        return InvalidInput(
            field="local_only",
            reason=f"model {entry.key} is remote",
            cure=f"choose a local model: {local or 'there is none'}; or leave local_only out",
        )

    def _hosts(self) -> list[HostsModels]:
        return [one for one in self._providers.values() if isinstance(one, HostsModels)]

    def _provider(self, entry: ModelEntry) -> Provider:
        provider = self._providers.get(entry.provider)
        if provider is None:
            raise NotReady(
                f"model {entry.key} needs the provider {entry.provider}, which is not set up here",
                cure=f"send the prompt to an executor that runs the provider {entry.provider}",
            )
        if not provider.available:
            raise NotReady(
                f"the libraries of the provider {entry.provider} are not installed here",
                cure=f"pip install 'promptbus[{entry.provider}]'",
            )
        return provider

    async def _run(
        self,
        jobs: Sequence[GenerationJob],
        on_text: OnText | None,
        on_wait: OnWait | None,
        cancel: Cancellation,
        called_at: float,
    ) -> GenerationResult:
        """The result of the first of ``jobs`` that succeeds."""
        speech = _Speech(on_text)
        say = None if on_text is None else speech.say
        errors: list[PromptbusError] = []
        for job in jobs:
            try:
                provider = self._provider(job.entry)
                generated = await _generate(provider, job, say, on_wait, cancel)
            except PromptbusError as exc:
                if speech.has_begun:
                    raise _broken_off(job, exc) from exc
                is_final = isinstance(exc, AnswerBrokeOff) or not (errors or may_fall_back(exc))
                if is_final or cancel.cancelled:
                    raise
                errors.append(exc)
                if job is not jobs[-1]:
                    logger.warning("%s gives way to its fallback: %s", job.entry.key, exc)
            else:
                asked = jobs[0].entry.key
                return _result(job, provider, generated, called_at, asked)
        raise error_of_chain(errors)


class _Speech:
    """Hands text on, and remembers that there was some."""

    def __init__(self, on_text: OnText | None) -> None:
        self._on_text = on_text
        self.has_begun = False

    def say(self, text: str) -> None:
        self.has_begun = True
        if self._on_text is not None:
            self._on_text(text)


async def _generate(
    provider: Provider,
    job: GenerationJob,
    on_text: OnText | None,
    on_wait: OnWait | None,
    cancel: Cancellation,
) -> Generated:
    try:
        return await provider.generate(job, on_text=on_text, on_wait=on_wait, cancel=cancel)
    except PromptbusError:
        raise
    except Exception as exc:
        raise as_provider_failed(provider.name, exc) from exc


def _broken_off(job: GenerationJob, error: PromptbusError) -> PromptbusError:
    if isinstance(error, AnswerBrokeOff) or not error.retryable:
        return error
    return AnswerBrokeOff(provider=job.entry.provider, reason=error.message, cure=error.cure)


def _mark_seen(generation: asyncio.Task[GenerationResult]) -> None:
    # The reader of a stream may leave just as its generation fails; nobody is left to be told.
    if not generation.cancelled():
        generation.exception()


def _result(
    job: GenerationJob, provider: Provider, generated: Generated, called_at: float, asked: str
) -> GenerationResult:
    first_token_at = generated.first_token_at
    return GenerationResult(
        output=generated.output,
        model=job.entry.key,
        strategy=job.strategy.key,
        provider=provider.name,
        source=provider.source,
        finish_reason=generated.finish_reason,
        cache_hit=generated.cache_hit,
        load_time_ms=round(generated.load_time_ms, 3),
        queue_time_ms=round(generated.queue_time_ms, 3),
        first_token_ms=None if first_token_at is None else _ms(called_at, first_token_at),
        inference_time_ms=_ms(generated.started_at, generated.ended_at),
        total_time_ms=_ms(called_at, generated.ended_at),
        cancel_time_ms=generated.cancel_time_ms,
        fallback_from=None if asked == job.entry.key else asked,
        usage=Usage(
            prompt_tokens=generated.prompt_tokens,
            completion_tokens=generated.completion_tokens,
            total_tokens=generated.prompt_tokens + generated.completion_tokens,
        ),
    )


def _ms(begin: float, end: float) -> float:
    return round((end - begin) * 1000, 3)
