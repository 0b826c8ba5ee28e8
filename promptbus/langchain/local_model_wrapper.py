"""LangChain's LLM interface on promptbus."""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import aclosing, closing
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import LLM
from langchain_core.outputs import Generation, GenerationChunk, LLMResult
from pydantic import ConfigDict, Field, PrivateAttr, ValidationError

from bus.prompt_client import StreamItem, Token
from contracts.envelope import first_problem
from contracts.errors import InvalidInput
from contracts.generation import GenerationResult
from contracts.prompt import Priority
from contracts.run_id import new_run_id
from contracts.task import GenerateAnswer
from promptbus.langchain.bus_session import BusSession, shared_session

TIMEOUT_S = 600.0

_SAMPLING = ("max_tokens", "temperature", "top_p", "repetition_penalty", "seed")
_WISHES = frozenset({*_SAMPLING, "strategy", "priority", "local_only", "timeout_s"})


class LocalModelWrapper(LLM):
    """A model of promptbus as a LangChain LLM.

    Each call is one generation over the bus, where it queues, is batched and is cancelled like
    any other; what is left out follows the model's entry in the registry. Wishes may also be given
    per call, or by ``bind``. Several prompts of one call are generated at once. Ending a stream, or
    cancelling an awaited call, stops its generation.

    Calls raise promptbus's errors: InvalidInput, NotReady where no promptbus runs, BusUnavailable,
    UnknownModel, RemoteError with what an executor says.
    """

    model_config = ConfigDict(extra="forbid")

    model_key: str = "pocket"
    strategy: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    repetition_penalty: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    priority: Priority = Priority.NORMAL
    local_only: bool = False
    timeout_s: float = TIMEOUT_S
    session: BusSession = Field(default_factory=shared_session, exclude=True, repr=False)

    _last: GenerationResult | None = PrivateAttr(default=None)

    def get_metrics(self) -> dict[str, float | int | str | bool | None]:
        """What the last finished generation took, times in ms; empty before the first."""
        return {} if self._last is None else self._last.execution_metrics()

    @property
    def _llm_type(self) -> str:
        return "promptbus"

    @property
    def _identifying_params(self) -> Mapping[str, Any]:
        chosen = {name: getattr(self, name) for name in ("strategy", *_SAMPLING, "local_only")}
        return {"model_name": self.model_key, "stop": self.stop, **chosen}

    def _call(
        self,
        prompt: str,
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> str:
        (result,) = self.session.generate([self._task(prompt, stop, kwargs)])
        self._last = result
        return result.output

    async def _acall(
        self,
        prompt: str,
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> str:
        (result,) = await self.session.agenerate([self._task(prompt, stop, kwargs)])
        self._last = result
        return result.output

    def _generate(
        self,
        prompts: list[str],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> LLMResult:
        tasks = [self._task(prompt, stop, kwargs) for prompt in prompts]
        return self._to_llm_result(self.session.generate(tasks))

    async def _agenerate(
        self,
        prompts: list[str],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> LLMResult:
        tasks = [self._task(prompt, stop, kwargs) for prompt in prompts]
        return self._to_llm_result(await self.session.agenerate(tasks))

    def _stream(
        self,
        prompt: str,
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[GenerationChunk]:
        with closing(self.session.stream(self._task(prompt, stop, kwargs))) as items:
            for item in items:
                chunk = self._to_chunk(item)
                if chunk is None:
                    continue
                if run_manager is not None:
                    run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk

    async def _astream(
        self,
        prompt: str,
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[GenerationChunk]:
        async with aclosing(self.session.astream(self._task(prompt, stop, kwargs))) as items:
            async for item in items:
                chunk = self._to_chunk(item)
                if chunk is None:
                    continue
                if run_manager is not None:
                    await run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk

    def _to_chunk(self, item: StreamItem) -> GenerationChunk | None:
        """The text of ``item``; a result is remembered, notes why it waits are passed over."""
        if isinstance(item, GenerationResult):
            self._last = item
        return GenerationChunk(text=item.delta.text) if isinstance(item, Token) else None

    def _to_llm_result(self, results: list[GenerationResult]) -> LLMResult:
        if results:
            self._last = results[-1]
        usage = [result.usage.model_dump() for result in results]
        return LLMResult(
            generations=[
                [Generation(text=result.output, generation_info=result.execution_metrics())]
                for result in results
            ],
            llm_output={
                "model_name": self.model_key,
                "token_usage": {name: sum(one[name] for one in usage) for name in usage[0]}
                if usage
                else {},
            },
        )

    def _task(self, prompt: str, stop: list[str] | None, wishes: dict[str, Any]) -> GenerateAnswer:
        """One generation, with the wishes of this call over those of the wrapper.

        Raises: InvalidInput naming the wish.
        """
        for name in wishes.keys() - _WISHES:
            known = ", ".join(sorted(_WISHES))
            raise InvalidInput(field=name, reason="is no wish", cure=f"wish for one of: {known}")
        fields = {name: getattr(self, name) for name in _WISHES} | wishes
        chosen = self.stop if stop is None else tuple(stop)
        try:
            return GenerateAnswer(
                run_id=new_run_id(), model=self.model_key, prompt=prompt, stop=chosen, **fields
            )
        except ValidationError as exc:
            where, reason = first_problem(exc)
            raise InvalidInput(field=where, reason=reason) from exc


def create_local_llm(
    model_key: str = "pocket", strategy: str | None = None, **kwargs: Any
) -> LocalModelWrapper:
    """A LangChain LLM for the registry's ``model_key``, run with ``strategy``.

    ``kwargs`` are fields of :class:`LocalModelWrapper`.

    Raises: InvalidInput for one that is unknown or malformed.
    """
    try:
        return LocalModelWrapper(model_key=model_key, strategy=strategy, **kwargs)
    except ValidationError as exc:
        where, reason = first_problem(exc)
        raise InvalidInput(field=where, reason=reason) from exc
