"""Runs as the routes use them: submit, look, follow, cancel; each id is checked before the bus."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from api.catalogue import Catalogue
from api.idempotency import Idempotency
from api.problem import RefusedRequest
from api.run_messages import RunMessages
from bus.prompt_client import PromptClient
from bus.run_cursor import RunCursor
from contracts.errors import DeadlineExceeded, InvalidInput, UnknownRun
from contracts.journal_entry import JournalEntry
from contracts.prompt import PromptRequest, SubmitPrompt
from contracts.run_id import check_run_id, new_run_id
from contracts.run_view import RunView

FINAL_STATES = frozenset({"answered", "failed", "cancelled"})


class Runs:
    """What a web client may do with runs.

    Nothing of a run is kept in this process, so any other one knows it as well.
    """

    def __init__(self, client: PromptClient, catalogue: Catalogue) -> None:
        self._client = client
        self._catalogue = catalogue

    async def submit(self, request: PromptRequest, idempotency: Idempotency | None = None) -> str:
        """Submit; returns the run id once the prompt is durably accepted.

        Without any executor a prompt is accepted too: its queue outlives the lack. A key that was
        used before leads to its run.

        Raises: UnknownModel, UnknownStrategy before anything is published; what
        :meth:`PromptClient.submit` raises.
        """
        await self._catalogue.check_wishes(request.model, request.strategy)
        prompt = SubmitPrompt.of(request, new_run_id())
        given = idempotency or Idempotency()
        return await self._client.submit(
            prompt, request.priority, idempotency_key=given.key, owner=given.owner
        )

    async def journal(self, run_id: str) -> list[JournalEntry]:
        """The events so far; empty for an accepted run that nobody leads yet.

        Raises: UnknownRun (without asking the bus where the id is malformed), BusUnavailable.
        """
        checked = checked_run_id(run_id)
        entries = await self._client.journal.read(checked)
        if entries or await self._client.queue.holds(checked):
            return entries
        # Between the two looks it may have been led to its end.
        entries = await self._client.journal.read(checked)
        if not entries:
            raise UnknownRun(checked)
        return entries

    @asynccontextmanager
    async def following(
        self, run_id: str, after: RunCursor, *, every_s: float
    ) -> AsyncIterator[RunMessages]:
        """What a web client is told of the run. Raises: as :meth:`journal`."""
        checked = checked_run_id(run_id)
        with self._client.feeds.open(checked) as feed:
            await feed.load()
            if not feed.journal:
                await self.journal(checked)
            yield RunMessages(feed, after, every_s=every_s)

    async def view(self, run_id: str) -> RunView:
        """The run as it is now, and why it waits. Raises: as :meth:`journal`."""
        return await self._client.view_of(run_id, await self.journal(run_id))

    async def wait(self, run_id: str, wait_s: float) -> RunView:
        """The run once it has its outcome, or as it is after ``wait_s``."""
        if wait_s > 0:
            try:
                return await self._client.wait(run_id, timeout_s=wait_s)
            except DeadlineExceeded:
                return await self.view(run_id)
        return await self.view(run_id)

    async def cancel(self, run_id: str, reason: str) -> None:
        """Ask for the run's end. Raises: UnknownRun, RunFinished, BusUnavailable."""
        await self.journal(run_id)
        await self._client.cancel(run_id, reason=reason)


def checked_run_id(run_id: str) -> str:
    """``run_id`` itself where it could be one.

    Raises: RefusedRequest with unknown_run (404), the id not repeated.
    """
    try:
        return check_run_id(run_id)
    except InvalidInput:
        raise RefusedRequest("unknown_run", "no such run", status=HTTPStatus.NOT_FOUND) from None
