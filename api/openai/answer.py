"""Where answers come from: a run through all actors, or one generation straight from a model."""

import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from http import HTTPStatus
from typing import Protocol

import anyio

from api.problem import RefusedRequest
from api.runs import FINAL_STATES, Runs
from bus.prompt_client import PromptClient, Token
from contracts.errors import (
    Cancelled,
    DeadlineExceeded,
    PromptbusError,
    RemoteError,
    RunFinished,
)
from contracts.generation import FinishReason, GenerationResult, TextDelta, Usage
from contracts.journal_entry import JournalEntry
from contracts.run_view import RunView, build_run_view
from contracts.task import GenerateAnswer
from contracts.waiting import WaitReport

logger = logging.getLogger(__name__)

ABANDON_S = 5.0


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer and what it took; ``findings`` name what the validator refused it for."""

    output: str
    model: str
    finish_reason: FinishReason
    usage: Usage
    findings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Waiting:
    """Nothing to say yet, and why."""

    reason: str


Piece = str | Waiting | Answer


class AnswerSource(Protocol):
    """One answer on its way."""

    @property
    def run_id(self) -> str:
        """The run it belongs to."""

    async def whole(self) -> Answer:
        """The answer, once it is there. Raises: PromptbusError saying why there is none."""

    def live(self) -> AsyncGenerator[Piece, None]:
        """The text as it comes, last the whole answer. Raises: as :meth:`whole`."""

    async def abandon(self) -> None:
        """Nobody wants it any more: end the work on it."""


class SentText:
    """What of an answer was sent already; pure."""

    def __init__(self) -> None:
        self._text: list[str] = []
        self._num_chars = 0

    def take(self, delta: TextDelta) -> str:
        """The text to send for ``delta``: nothing where it does not continue what was sent."""
        if delta.offset != self._num_chars:
            return ""
        self._text.append(delta.text)
        self._num_chars += len(delta.text)
        return delta.text

    def rest(self, output: str) -> str:
        """What of the whole ``output`` was not sent, because pieces were lost on their way.

        Raises: RefusedRequest where other text was sent, which cannot be taken back.
        """
        if not output.startswith("".join(self._text)):
            raise RefusedRequest(
                "answer_changed",
                "the answer was begun anew after some of it was sent",
                status=HTTPStatus.BAD_GATEWAY,
                cure="ask again, or without stream",
            )
        return output[self._num_chars :]


class DirectAnswer:
    """An answer straight from a model, without a run."""

    def __init__(
        self, client: PromptClient, task: GenerateAnswer, *, outlives_client: bool = False
    ) -> None:
        self._client = client
        self._task = task
        self._outlives_client = outlives_client
        self.run_id = task.run_id

    async def whole(self) -> Answer:
        """The answer; cancelling the caller stops the generation, unless it is keyed."""
        result = await self._client.generate(self._task, outlives_caller=self._outlives_client)
        return _answer_of(result)

    async def live(self) -> AsyncGenerator[Piece, None]:
        """The text as it comes; closing the generator stops the generation."""
        sent = SentText()
        async with aclosing(
            self._client.stream(self._task, outlives_caller=self._outlives_client)
        ) as items:
            async for item in items:
                if isinstance(item, WaitReport):
                    yield Waiting(item.message)
                elif isinstance(item, Token):
                    text = sent.take(item.delta)
                    if text:
                        yield text
                else:
                    rest = sent.rest(item.output)
                    if rest:
                        yield rest
                    yield _answer_of(item)

    async def abandon(self) -> None:
        """Whoever stopped listening has stopped the generation already."""


class RunAnswer:
    """The answer of an orchestrated run.

    With ``as_generated`` the text of its first attempt is told as it comes, which is honest only
    where no second one may replace it; else it is told when the run has decided.
    """

    def __init__(
        self,
        client: PromptClient,
        runs: Runs,
        run_id: str,
        *,
        as_generated: bool,
        max_wait_s: float,
        outlives_client: bool = False,
    ) -> None:
        self._client = client
        self._runs = runs
        self._outlives_client = outlives_client
        self._as_generated = as_generated
        self._max_wait_s = max_wait_s
        self.run_id = run_id

    async def whole(self) -> Answer:
        """The answer of the run's outcome."""
        view = await self._runs.wait(self.run_id, self._max_wait_s)
        if view.state not in FINAL_STATES:
            await self.abandon()
            raise DeadlineExceeded(what=f"run {self.run_id}", deadline_s=self._max_wait_s)
        return _answer_of_view(view)

    async def live(self) -> AsyncGenerator[Piece, None]:
        """The text as it comes, or all of it after the outcome."""
        sent = SentText()
        journal: list[JournalEntry] = []
        async with aclosing(self._client.follow(self.run_id)) as items:
            async for item in items:
                if isinstance(item, JournalEntry):
                    journal.append(item)
                elif isinstance(item, WaitReport):
                    yield Waiting(item.message)
                elif self._as_generated:
                    text = sent.take(item.delta)
                    if text:
                        yield text
        journal.sort(key=lambda entry: entry.sequence)
        answer = _answer_of_view(build_run_view(self.run_id, journal))
        rest = sent.rest(answer.output)
        if rest:
            yield rest
        yield answer

    async def abandon(self) -> None:
        """Cancel the run, unless it has its outcome already or its client may come back for it."""
        if self._outlives_client:
            return
        with anyio.move_on_after(ABANDON_S, shield=True):
            try:
                await self._runs.cancel(self.run_id, "the client hung up")
            except RunFinished:
                return
            except PromptbusError as exc:
                logger.warning("could not cancel %s: %s", self.run_id, exc)


def _answer_of(result: GenerationResult) -> Answer:
    """Raises: Cancelled, RefusedRequest for an answer that broke off."""
    _check_finished(result.finish_reason)
    return Answer(result.output, result.model, result.finish_reason, result.usage)


def _answer_of_view(view: RunView) -> Answer:
    """Raises: Cancelled, RemoteError with what the run failed of."""
    if view.error is not None:
        raise RemoteError(view.error)
    if view.state == "cancelled":
        raise Cancelled("the run was cancelled")
    metrics = view.execution_metrics
    finish_reason: FinishReason = metrics.get("finish_reason", "stop")
    _check_finished(finish_reason)
    return Answer(
        output=view.output or "",
        model=view.selected_model or "",
        finish_reason=finish_reason,
        usage=Usage.model_validate(metrics),
        findings=() if view.accepted else tuple(finding.name for finding in view.findings),
    )


def _check_finished(finish_reason: FinishReason) -> None:
    if finish_reason == "cancelled":
        raise Cancelled("the generation was cancelled")
    if finish_reason == "error":
        raise RefusedRequest(
            "answer_broke_off", "the answer broke off", status=HTTPStatus.BAD_GATEWAY
        )
