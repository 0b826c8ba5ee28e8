"""What a client of the bus does: submit, follow, wait, cancel, look; for API, CLI and programs."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from types import TracebackType
from typing import Self

import anyio
from opentelemetry import propagate

from bus.connection import Connection
from bus.dead_letters import DeadLetters
from bus.journal import Journal
from bus.presence_board import PresenceBoard
from bus.prompt_queue import PromptQueue
from bus.publisher import PUBLISH_DEADLINE_S, Publisher
from bus.queued_runs import QueuedRuns
from bus.room import Room
from bus.run_claims import RunClaims
from bus.run_cursor import RunCursor
from bus.run_feed import RunItem
from bus.run_feeds import RunFeeds, RunFollower
from bus.run_journal import RunJournal
from bus.standings import Standings
from bus.stored_events import StoredEvents
from bus.token_stream import Token
from contracts import subjects
from contracts.actor_kind import ActorKind
from contracts.envelope import TRACEPARENT
from contracts.errors import (
    DeadlineExceeded,
    MalformedMessage,
    PromptbusError,
    RemoteError,
    RunFinished,
    UnknownRun,
)
from contracts.event import AnswerGenerated, CancelRequested, Outcome, StepEvent, StepFailed
from contracts.generation import GenerationResult, TextDelta
from contracts.idempotency import keyed_run_id, request_digest
from contracts.journal_entry import JournalEntry
from contracts.prompt import Priority, SubmitPrompt
from contracts.run_id import check_run_id, new_run_id
from contracts.run_view import RunView, build_run_view
from contracts.task import DecideResources, GenerateAnswer
from contracts.waiting import WaitReport

logger = logging.getLogger(__name__)

CANCEL_S = 5.0

__all__ = ["PromptClient", "RunItem", "StreamItem", "Token"]

StreamItem = Token | WaitReport | GenerationResult


class PromptClient:
    """One client of the bus; ``async with`` opens its subscriptions to tokens and notes.

    ``stored`` is the process's subscription to events, opened and closed by its owner.
    """

    def __init__(self, connection: Connection, publisher: Publisher, stored: StoredEvents) -> None:
        self._connection = connection
        self._publisher = publisher
        self.stored = stored
        self._board = PresenceBoard(connection)
        self.journal = Journal(connection, publisher)
        self.spans = publisher.spans
        self.queue = PromptQueue(connection)
        self.feeds = RunFeeds(connection, self.journal, stored)
        self.queued = QueuedRuns(connection, self.journal)
        self.standings = Standings(connection, publisher, self._board)
        self.room = Room(connection)
        self.claims = RunClaims(self.journal)
        self.dead_letters = DeadLetters(connection, publisher, self.journal)

    async def __aenter__(self) -> Self:
        await self.feeds.__aenter__()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.feeds.__aexit__(exc_type, exc, traceback)

    async def submit(
        self,
        prompt: SubmitPrompt,
        priority: Priority = Priority.NORMAL,
        *,
        headers: Mapping[str, str] | None = None,
        idempotency_key: str | None = None,
        owner: str = "",
        deadline_s: float = PUBLISH_DEADLINE_S,
    ) -> str:
        """Submit; when this returns the run id, the prompt is durably accepted.

        The same ``idempotency_key`` of the same ``owner`` is the same run for as long as its
        journal lives, and its id takes the place of ``prompt.run_id``. What is not stored after
        ``deadline_s`` is given up.

        Raises: BusUnavailable, QueueFull, BusDenied, MessageTooLarge; then nothing was accepted,
        or it was and a second submission under the same run id changes nothing. InvalidInput for
        what is no key, IdempotencyMismatch for one that belongs to another request.
        """
        await self.room.check()
        run_id = prompt.run_id or new_run_id()
        if idempotency_key is not None:
            run_id = keyed_run_id(idempotency_key, owner)
            if await self.claims.claim(run_id, request_digest(prompt, priority)):
                return run_id
        command = prompt.model_copy(update={"run_id": run_id})
        carrier = dict(headers or {})
        if TRACEPARENT not in carrier:
            # A program that is traced itself is linked to the run's trace.
            propagate.inject(carrier)
        await self._publisher.publish(
            subjects.prompts(priority, run_id),
            command,
            message_id=run_id,
            headers=carrier,
            deadline_s=deadline_s,
        )
        return run_id

    async def follow(self, run_id: str, *, summary: bool = False) -> AsyncGenerator[RunItem, None]:
        """Everything of a run, as :class:`RunFollower` tells it; it may not be submitted yet.

        Raises: BusUnavailable.
        """
        with self.feeds.open(run_id) as feed:
            follower = RunFollower(feed, RunCursor(), summary=summary)
            async with aclosing(follower.items()) as items:
                async for item in items:
                    yield item

    async def wait(self, run_id: str, *, timeout_s: float | None = None) -> RunView:
        """The run's view once it has its outcome.

        Raises: DeadlineExceeded after ``timeout_s``; the run itself goes on.
        """
        journal: list[JournalEntry] = []
        with anyio.move_on_after(timeout_s):
            async with aclosing(self.follow(run_id)) as items:
                async for item in items:
                    if isinstance(item, JournalEntry):
                        journal.append(item)
            return build_run_view(run_id, sorted(journal, key=lambda entry: entry.sequence))
        raise DeadlineExceeded(
            what=f"waiting for run {run_id}",
            deadline_s=timeout_s or 0.0,
            cure=f"the run goes on; look again: promptbus run show {run_id}",
        )

    async def view(self, run_id: str) -> RunView:
        """The run as its journal tells it now, and why it waits.

        Raises: UnknownRun where there is neither journal nor prompt, InvalidInput for a malformed
        id, BusUnavailable.
        """
        journal = await self.journal.read(run_id)
        if not journal and not await self.queue.holds(run_id):
            raise UnknownRun(run_id)
        return await self.view_of(run_id, journal)

    async def view_of(self, run_id: str, journal: Sequence[JournalEntry]) -> RunView:
        """The view of a journal that was read just now, and why the run waits."""
        view = build_run_view(run_id, journal)
        if view.state not in {"queued", "running"}:
            return view
        note = await self.feeds.waits.current(run_id)
        answered = f"{ActorKind.EXECUTOR}/{note.attempt}" if note is not None else ""
        if any(entry.subject.step == answered for entry in journal):
            note = None
        standing = await self.standings.describe(run_id, journal, note)
        return view.model_copy(update={"waiting": note, "standing": standing})

    async def cancel(self, run_id: str, *, reason: str = "", requested_by: str = "client") -> None:
        """Ask for the end of a run; its outcome tells how it went.

        A run that still waits in its queue has its outcome when this returns.

        Raises: RunFinished when it has its outcome already, InvalidInput for a malformed id.
        """
        check_run_id(run_id)
        finished = await self.journal.read_one(subjects.run_event(run_id, subjects.OUTCOME))
        if finished is not None and isinstance(finished.event, Outcome):
            raise RunFinished(run_id, finished.event.state)
        request = CancelRequested(run_id=run_id, reason=reason, requested_by=requested_by)
        await self.journal.write(subjects.run_event(run_id, subjects.CANCEL), request)
        if await self.queued.cancel(run_id, reason):
            await self._publisher.spans.finish(run_id, await self.journal.read(run_id))

    async def generate(
        self, task: GenerateAnswer, *, outlives_caller: bool = False
    ) -> GenerationResult:
        """Generate directly, without a run: one task to the executor that serves the model.

        Where no executor has the model resident, a monitor is asked to have it placed first.
        Cancelling the caller stops the generation, unless it ``outlives_caller``, who may come
        back for it.

        Raises: what the monitor or the executor says; DeadlineExceeded when none takes the task in
        time.
        """
        await self.room.check()
        run_journal = RunJournal(
            task.run_id,
            connection=self._connection,
            journal=self.journal,
            stored=self.stored,
            publisher=self._publisher,
            # What nobody may come back for has an id of its own, so nothing can be known of it.
            is_new=not outlives_caller,
        )
        async with run_journal:
            try:
                event = await self._refused(run_journal, task)
                if event is None:
                    event = await run_journal.ask(task, deadline_s=task.timeout_s)
            except anyio.get_cancelled_exc_class():
                if not outlives_caller:
                    with anyio.CancelScope(shield=True):
                        await self._cancel_quietly(task.run_id)
                raise
            await run_journal.send_trace()
        if isinstance(event, StepFailed) and event.error.code == DeadlineExceeded.code:
            await self._cancel_quietly(task.run_id)
        if isinstance(event, AnswerGenerated):
            return event.result
        if isinstance(event, StepFailed):
            raise RemoteError(event.error)
        raise MalformedMessage(subject=task.step, reason="is no answer of an executor")

    async def stream(
        self, task: GenerateAnswer, *, outlives_caller: bool = False
    ) -> AsyncGenerator[StreamItem, None]:
        """Generate directly: the text as it comes, why it waits until then, last the result.

        The pieces joined are the result's output, unless another executor had to begin anew.
        Closing the generator stops the generation, as cancelling :meth:`generate` does, which
        raises the same.
        """
        inbox: asyncio.Queue[Token | WaitReport | None] = asyncio.Queue()
        forget = (
            self.feeds.tokens.listen(task.run_id, inbox.put_nowait),
            self.feeds.waits.listen(task.run_id, inbox.put_nowait),
        )
        generating = asyncio.create_task(self.generate(task, outlives_caller=outlives_caller))
        generating.add_done_callback(lambda _: inbox.put_nowait(None))
        num_chars = 0
        try:
            while (item := await inbox.get()) is not None:
                if isinstance(item, WaitReport):
                    if not num_chars:
                        yield item
                elif item.delta.offset == num_chars:
                    num_chars += len(item.delta.text)
                    yield item
            result = generating.result()
            rest = result.output[num_chars:]
            if rest:
                # Pieces may be lost on their way; the result has them all.
                yield Token(task.attempt, TextDelta(offset=num_chars, text=rest))
            yield result
        finally:
            for stop in forget:
                stop()
            generating.cancel()
            with anyio.CancelScope(shield=True):
                await asyncio.wait([generating])

    async def _refused(self, run_journal: RunJournal, task: GenerateAnswer) -> StepEvent | None:
        """Why the model cannot be placed; None where it is, or where nobody could tell."""
        if run_journal.get(task.step) is not None or await self._is_ready(task):
            return None
        decide = DecideResources(
            run_id=task.run_id,
            model=task.model,
            strategy=task.strategy,
            priority=task.priority,
            local_only=task.local_only,
        )
        event = await run_journal.ask(decide, deadline_s=task.timeout_s)
        return event if isinstance(event, StepFailed) else None

    async def _is_ready(self, task: GenerateAnswer) -> bool:
        """Whether to go straight to the queue: the model is there, or no monitor is."""
        present = await self._board.present()
        if not any(one.kind is ActorKind.MONITOR for one in present):
            return True
        return any(
            model.model == task.model
            and model.resident
            and not (task.local_only and model.source == "remote")
            for host in await self._board.hosts()
            for model in host.models
        )

    async def _cancel_quietly(self, run_id: str) -> None:
        """Tell the executor to stop; a generation that cannot be told ends by its time limit."""
        with anyio.move_on_after(CANCEL_S):
            try:
                await self.cancel(run_id, requested_by="client", reason="nobody waits")
            except PromptbusError as exc:
                logger.warning("could not cancel %s: %s", run_id, exc)
