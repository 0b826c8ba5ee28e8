"""Keyed runs: the first request of a key claims its run, and later ones must be the same."""

from bus.journal import Journal
from contracts import subjects
from contracts.errors import MalformedMessage
from contracts.event import PromptSubmitted, RunStarted
from contracts.idempotency import IdempotencyMismatch, request_digest


class RunClaims:
    """Claims runs in their journals, first writer wins."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    async def claim(self, run_id: str, digest: str) -> bool:
        """Claim the run for the request with that digest; whether work on it has begun already.

        Where it has, nothing need be sent again. Where it has not, whoever came before may have
        died before sending, so the request is sent, under the message id of the first.

        Raises: IdempotencyMismatch where the run is another request's; what a write raises.
        """
        subject = subjects.run_event(run_id, subjects.SUBMITTED)
        written = await self._journal.write(
            subject, PromptSubmitted(run_id=run_id, request_sha256=digest)
        )
        if not isinstance(written.event, PromptSubmitted):
            raise MalformedMessage(subject=subject, reason="is no claim of a run")
        if written.event.request_sha256 != digest:
            raise IdempotencyMismatch(run_id)
        events = [entry.event for entry in await self._journal.read(run_id)]
        for event in events:
            # A claim is older than its run, so the stream drops it first.
            if isinstance(event, RunStarted) and _digest_of(event) != digest:
                raise IdempotencyMismatch(run_id)
        return any(not isinstance(event, PromptSubmitted) for event in events)


def _digest_of(event: RunStarted) -> str:
    return request_digest(event.submitted, event.priority)
