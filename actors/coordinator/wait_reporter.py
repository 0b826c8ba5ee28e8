"""Tells runs whose generation no executor has taken yet why they wait."""

import logging
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import anyio
from nats.errors import Error as NatsError

from bus.connection import Connection
from bus.wait_stream import WaitWriter
from contracts.errors import PromptbusError
from contracts.prompt import Priority
from contracts.task import DecideResources, GenerateAnswer
from contracts.wait_reason import ModelFacts, WaitingAsk, explain
from contracts.waiting import WaitNote

logger = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
LOOK_S = 0.5
# What has not changed is told again at every second look, so that who joins late hears it.
REPEAT_AFTER_LOOKS = 2

WatchedTask = GenerateAnswer | DecideResources
ReadFacts = Callable[[Sequence[str]], Awaitable[Mapping[str, ModelFacts]]]


@dataclass(slots=True, eq=False)
class Watched:
    """One generation that is asked for, or whose model is not chosen yet.

    ``sequence`` tells where its task lies, as far as that is known.
    """

    task: WatchedTask
    writer: WaitWriter
    since_s: float = field(default_factory=time.monotonic)
    sequence: int | None = None
    told: WaitNote | None = None
    num_looks: int = 0

    @property
    def queue(self) -> tuple[str, Priority]:
        """The model, "" where none is chosen, and the priority."""
        return self.task.model or "", self.task.priority

    def ask(self) -> WaitingAsk:
        """What it is to the decision why it waits."""
        waited_s = time.monotonic() - self.since_s
        is_placed = isinstance(self.task, GenerateAnswer)
        return WaitingAsk(self.task.priority, waited_s, self.sequence, is_placed)

    def on_sent(self, sequence: int | None) -> None:
        """The task was sent; ``sequence`` is its place in the stream once that is confirmed."""
        self.sequence = sequence


class WaitReporter:
    """Looks once a second at all generations that its process asks for; one per process.

    It costs nothing while nothing waits, and never fails a run.
    """

    def __init__(
        self, connection: Connection, read_facts: ReadFacts, *, look_every_s: float = LOOK_EVERY_S
    ) -> None:
        self._connection = connection
        self._read_facts = read_facts
        self._look_every_s = look_every_s
        self._watched: set[Watched] = set()
        self._something = anyio.Event()

    @property
    def num_watched(self) -> int:
        """Generations that are asked for now."""
        return len(self._watched)

    @contextmanager
    def watch(self, task: WatchedTask) -> Iterator[Watched]:
        """Tell why ``task`` waits for as long as this is open."""
        writer = WaitWriter(self._connection, task.run_id, task.attempt)
        watched = Watched(task, writer)
        self._watched.add(watched)
        self._something.set()
        try:
            yield watched
        finally:
            self._watched.discard(watched)

    async def is_queued(self, one: Watched) -> bool:
        """Whether no executor has taken that generation yet; False too where nobody knows."""
        model, priority = one.queue
        with anyio.move_on_after(LOOK_S):
            try:
                facts = await self._read_facts([model])
                return explain(one.ask(), facts[model]) is not None
            except (NatsError, TimeoutError, PromptbusError) as exc:
                logger.debug("queue of %s (%s) not read: %s", model, priority, exc)
        return False

    async def run(self) -> None:
        """Report until cancelled."""
        while True:
            await self._something.wait()
            await anyio.sleep(self._look_every_s)
            if not self._watched:
                self._something = anyio.Event()
                continue
            try:
                await self._look()
            except (NatsError, TimeoutError, PromptbusError) as exc:
                logger.debug("cannot tell why runs wait: %s", exc or type(exc).__name__)
            except Exception:
                logger.exception("cannot tell why runs wait")

    async def _look(self) -> None:
        now_s = time.monotonic()
        waiting = [one for one in self._watched if now_s - one.since_s >= self._look_every_s]
        if not waiting:
            return
        facts = await self._read_facts(sorted({one.queue[0] for one in waiting}))
        known = _known_sequences(self._watched)
        for one in waiting:
            note = explain(one.ask(), facts[one.queue[0]], known[one.queue])
            if note is not None and one in self._watched:
                await self._tell(one, note)

    async def _tell(self, one: Watched, note: WaitNote) -> None:
        one.num_looks += 1
        if one.num_looks < REPEAT_AFTER_LOOKS and _is_same(one.told, note):
            return
        one.told, one.num_looks = note, 0
        await one.writer.write(note)


def _known_sequences(watched: set[Watched]) -> Mapping[tuple[str, Priority], Sequence[int]]:
    found: dict[tuple[str, Priority], list[int]] = defaultdict(list)
    for one in watched:
        if one.sequence is not None and isinstance(one.task, GenerateAnswer):
            found[one.queue].append(one.sequence)
    for sequences in found.values():
        sequences.sort()
    return found


def _is_same(told: WaitNote | None, note: WaitNote) -> bool:
    return told is not None and note == told.model_copy(update={"waited_s": note.waited_s})
