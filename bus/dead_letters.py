"""Dead letters in the hands of a person: list, look, edit, replay, drop."""

from collections.abc import Sequence

from pydantic import ValidationError

from bus.connection import Connection
from bus.direct_get import DirectGet, StoredMessage
from bus.journal import Journal
from bus.publisher import EXPECT_SUBJECT_EMPTY, Publisher, WrongLastSequence
from bus.topology import DEAD
from contracts import subjects
from contracts.actor_kind import ActorKind
from contracts.dead_letter import (
    DeadLetter,
    DeadLetterEdited,
    DeadLetterSettled,
    LetterState,
    LetterView,
    ReplayView,
    build_letter_view,
)
from contracts.errors import InvalidInput
from contracts.journal_entry import JournalEntry
from contracts.letter_error import LetterSettled, UnknownLetter
from contracts.replay import Replay, plan_replay

MAX_LIMIT = 200
MAX_ID_DIGITS = 15
# The stream is read backwards in windows of so many sequences.
_WINDOW = 256
_ACTORS = frozenset(str(kind) for kind in ActorKind)


class DeadLetters:
    """All dead letters, for one process."""

    def __init__(self, connection: Connection, publisher: Publisher, journal: Journal) -> None:
        self._connection = connection
        self._publisher = publisher
        self._journal = journal
        self._direct = DirectGet(connection, DEAD)

    async def page(
        self, *, state: LetterState | None = None, limit: int = 20, before: int | None = None
    ) -> list[LetterView]:
        """The newest letters first, those with an id below ``before``; payloads are left out.

        Raises: InvalidInput, BusUnavailable.
        """
        if not 1 <= limit <= MAX_LIMIT:
            reason = f"must be between 1 and {MAX_LIMIT}"
            raise InvalidInput(field="limit", reason=reason, limit=MAX_LIMIT)
        info = await self._connection.jetstream.stream_info(DEAD)
        end = info.state.last_seq + 1 if before is None else min(before, info.state.last_seq + 1)
        found: list[LetterView] = []
        while end > info.state.first_seq and len(found) < limit:
            begin = max(info.state.first_seq, end - _WINDOW)
            stored = await self._direct.read(
                subjects.DEAD_ALL, from_sequence=begin, limit=end - begin
            )
            window = [one for one in stored if one.sequence < end and _is_letter(one)]
            for view in await self._views(window[::-1]):
                if state is None or view.state == state:
                    found.append(view.model_copy(update={"payload": ""}))
            end = begin
        return found[:limit]

    async def find(self, letter_id: str) -> LetterView:
        """One letter, and what a replay of it would send.

        Raises: UnknownLetter, BusUnavailable.
        """
        stored = await self._stored(letter_id)
        (view,) = await self._views([stored])
        if view.state != "open":
            return view
        try:
            replay = await self._plan(stored, view.payload if view.edited else None)
        except InvalidInput as exc:
            return view.model_copy(update={"obstacle": exc.to_wire()})
        sends = ReplayView(
            subject=replay.subject, run_id=replay.run_id, payload=replay.message.encode().decode()
        )
        return view.model_copy(update={"replay_sends": sends})

    async def edit(self, letter_id: str, payload: str) -> LetterView:
        """Let ``payload`` stand in for what came; it must be what a replay can send.

        Raises: UnknownLetter, LetterSettled, InvalidInput naming the wrong field.
        """
        stored = await self._stored(letter_id)
        await self._check_open(stored)
        await self._plan(stored, payload)
        edited = DeadLetterEdited(letter_id=stored.sequence, payload=payload)
        await self._publisher.publish(subjects.dead_edited(stored.sequence), edited)
        return await self.find(letter_id)

    async def replay(self, letter_id: str) -> LetterView:
        """Put the message back where it belongs; the view names the run this leads to.

        Repeating it does nothing twice: the letter is settled first, by one writer, and what is
        sent then has the same run and message id each time.

        Raises: UnknownLetter; LetterSettled where it was dropped; InvalidInput where it must be
        edited first; what a publish raises.
        """
        stored = await self._stored(letter_id)
        (view,) = await self._views([stored])
        if view.state == "dropped":
            raise LetterSettled(stored.sequence, view.state)
        if view.state == "replayed":
            await self._send_again(stored, view)
            return view
        replay = await self._plan(stored, view.payload if view.edited else None)
        settled = DeadLetterSettled(letter_id=stored.sequence, how="replayed", run_id=replay.run_id)
        standing = await self._settle(settled)
        if standing.how != "replayed":
            raise LetterSettled(stored.sequence, standing.how)
        await self._send(replay)
        return await self.find(letter_id)

    async def drop(self, letter_id: str, reason: str = "") -> LetterView:
        """Say that nothing shall become of the letter; it stays to be looked at.

        Raises: UnknownLetter; LetterSettled where it was replayed.
        """
        stored = await self._stored(letter_id)
        standing = await self._settle(
            DeadLetterSettled(letter_id=stored.sequence, how="dropped", reason=reason[:500])
        )
        if standing.how != "dropped":
            raise LetterSettled(stored.sequence, standing.how)
        return await self.find(letter_id)

    async def _send_again(self, stored: StoredMessage, view: LetterView) -> None:
        """Send what an earlier replay may have died before sending; nothing where it arrived."""
        try:
            replay = await self._plan(stored, view.payload if view.edited else None)
        except InvalidInput:
            return
        if replay.run_id != view.replayed_as:
            # The step it went back to has its event by now.
            return
        begun = await self._journal.read(replay.run_id)
        if not begun or replay.run_id == view.run_id:
            await self._send(replay)

    async def _send(self, replay: Replay) -> None:
        await self._publisher.publish(replay.subject, replay.message, message_id=replay.message_id)

    async def _stored(self, letter_id: str) -> StoredMessage:
        """The letter as it lies in the stream; only digits are ever asked for."""
        if not (letter_id.isascii() and letter_id.isdecimal() and len(letter_id) <= MAX_ID_DIGITS):
            raise UnknownLetter(letter_id)
        sequence = int(letter_id)
        found = await self._direct.read(subjects.DEAD_ALL, from_sequence=sequence, limit=1)
        if not found or found[0].sequence != sequence or not _is_letter(found[0]):
            raise UnknownLetter(letter_id)
        return found[0]

    async def _views(self, letters: Sequence[StoredMessage]) -> list[LetterView]:
        """The views of ``letters``, in their order."""
        wanted = [name for one in letters for name in _marks_of(one.sequence)]
        last: dict[str, StoredMessage] = {}
        for begin in range(0, len(wanted), _WINDOW):
            for mark in await self._direct.read_last(*wanted[begin : begin + _WINDOW]):
                last[mark.subject] = mark
        return [_view_of(one, last) for one in letters]

    async def _check_open(self, stored: StoredMessage) -> None:
        (view,) = await self._views([stored])
        if view.state != "open":
            raise LetterSettled(stored.sequence, view.state)

    async def _plan(self, stored: StoredMessage, edited: str | None) -> Replay:
        letter = DeadLetter.model_validate_json(stored.data)
        journal: Sequence[JournalEntry] = ()
        if letter.run_id is not None:
            journal = await self._journal.read(letter.run_id)
        return plan_replay(stored.sequence, stored.stored_at, letter, edited, journal)

    async def _settle(self, wanted: DeadLetterSettled) -> DeadLetterSettled:
        """Write it, or find what somebody else wrote first."""
        subject = subjects.dead_settled(wanted.letter_id)
        try:
            await self._publisher.publish(subject, wanted, headers=EXPECT_SUBJECT_EMPTY)
        except WrongLastSequence:
            standing = await self._direct.read_until_found(subject)
            return DeadLetterSettled.model_validate_json(standing.data)
        return wanted


def _marks_of(letter_id: int) -> tuple[str, str]:
    return subjects.dead_edited(letter_id), subjects.dead_settled(letter_id)


def _is_letter(stored: StoredMessage) -> bool:
    """Whether it is a letter; anybody in the account may publish there."""
    if stored.subject.removeprefix("dead.") not in _ACTORS:
        return False
    try:
        DeadLetter.model_validate_json(stored.data)
    except ValidationError:
        return False
    return True


def _view_of(stored: StoredMessage, last: dict[str, StoredMessage]) -> LetterView:
    edited, settled = (last.get(name) for name in _marks_of(stored.sequence))
    return build_letter_view(
        stored.sequence,
        stored.stored_at,
        DeadLetter.model_validate_json(stored.data),
        DeadLetterEdited.model_validate_json(edited.data) if edited else None,
        DeadLetterSettled.model_validate_json(settled.data) if settled else None,
    )
