"""Between an actor and its queue: a step is done once, and every fault has its end."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import ClassVar

import anyio
import pytest

from actors.actor import Actor, Step, handler
from actors.retry_policy import POLICIES
from actors.task_server import DOUBLE_PAUSE_S, TaskServer
from bus.payload_store import MAX_OBJECT_BYTES
from bus.pull_worker import Delivery, Reject, Retry
from bus.token_stream import TokenStreams
from contracts import subjects
from contracts.actor_kind import ActorKind
from contracts.envelope import CE_TYPE, type_name
from contracts.errors import InvalidInput, NoExecutor, PromptbusError, ProviderFailed
from contracts.event import (
    CancelRequested,
    Event,
    PromptAnalyzed,
    RunFailed,
    StepEvent,
    StepFailed,
)
from contracts.prompt import TaskType
from contracts.run_id import new_run_id
from contracts.task import AnalyzePrompt
from promptbus.settings import Settings
from tests.actors.coordinator.team import Team, at_the_bus
from tests.contracts.journals import ERROR

Play = Callable[[AnalyzePrompt, Step], Awaitable[str]]
MAX_ATTEMPTS = POLICIES[ActorKind.ANALYZER].num_tries
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"


class Player(Actor):
    """An analyzer whose language is whatever ``play`` returns."""

    kind: ClassVar[ActorKind] = ActorKind.ANALYZER

    def __init__(self, play: Play) -> None:
        self._play = play
        self.num_asked = 0

    @handler
    async def analyze(self, task: AnalyzePrompt, step: Step) -> StepEvent:
        """Play."""
        self.num_asked += 1
        language = await self._play(task, step)
        return PromptAnalyzed(run_id=task.run_id, task_type=TaskType.CHAT, language=language)


@dataclass(frozen=True)
class Stand:
    """A server that is handed its messages by the test, and the bus it writes to."""

    bus: Team
    server: TaskServer
    player: Player
    run_id: str

    def delivery(self, num_delivered: int = 1, **fields: object) -> Delivery:
        """The task as a pull worker hands it on."""
        task = AnalyzePrompt.model_validate({"run_id": self.run_id, "prompt": "hi", **fields})
        headers = {
            CE_TYPE: type_name(AnalyzePrompt),
            "traceparent": f"00-{TRACE_ID}-b7ad6b7169203331-01",
        }
        return Delivery("tasks.analyzer", headers, task.encode(), num_delivered, num_delivered, 0.0)

    async def event(self) -> Event | None:
        """What stands in the journal for the step."""
        return (await self.bus.events(self.run_id)).get("analyzer/1")

    async def write(self, name: str, event: Event) -> None:
        """Write an event of the run itself."""
        await self.bus.process.journal.write(subjects.run_event(self.run_id, name), event)


@asynccontextmanager
async def stand(settings: Settings, play: Play | None = None) -> AsyncIterator[Stand]:
    """A server of one :class:`Player`."""

    async def english(_task: AnalyzePrompt, _step: Step) -> str:
        return "en"

    async with at_the_bus(settings) as bus:
        player = Player(play or english)
        server = TaskServer(
            player,
            connection=bus.process.connection,
            journal=bus.process.journal,
            publisher=bus.process.publisher,
        )
        forget = bus.process.stored.on_end(server.end_run)
        yield Stand(bus, server, player, new_run_id())
        forget()


def failing(error: Exception) -> Play:
    """A play that always ends so."""

    async def play(_task: AnalyzePrompt, _step: Step) -> str:
        raise error

    return play


async def test_a_task_becomes_its_event(settings: Settings) -> None:
    async with stand(settings) as found:
        await found.server.handle(found.delivery())
        event = await found.event()
        assert isinstance(event, PromptAnalyzed)
        assert found.server.num_in_flight == 0


@pytest.mark.parametrize("again", [{"num_delivered": 2}, {"ask": 2}])
async def test_a_step_that_is_done_is_not_done_again(
    settings: Settings, again: dict[str, int]
) -> None:
    async with stand(settings) as found:
        await found.server.handle(found.delivery())
        await found.server.handle(found.delivery(**again))
        assert found.player.num_asked == 1


async def test_a_double_of_what_is_being_worked_on_comes_back_later(settings: Settings) -> None:
    free = anyio.Event()

    async def wait(_task: AnalyzePrompt, _step: Step) -> str:
        await free.wait()
        return "en"

    async with stand(settings, wait) as found, anyio.create_task_group() as tasks:
        tasks.start_soon(found.server.handle, found.delivery())
        with anyio.fail_after(20):
            while not found.server.num_in_flight:
                await anyio.sleep(0.01)
        with pytest.raises(Retry) as caught:
            await found.server.handle(found.delivery())
        assert caught.value.delay_s == DOUBLE_PAUSE_S
        free.set()
    assert found.player.num_asked == 1


async def test_of_two_results_the_first_stands(settings: Settings) -> None:
    async with stand(settings) as found:
        first = PromptAnalyzed(run_id=found.run_id, task_type=TaskType.CODE, language="es")
        subject = subjects.step_event(found.run_id, ActorKind.ANALYZER, 1)
        await found.bus.process.journal.write(subject, first)
        await found.server.handle(found.delivery())
        assert await found.event() == first


@pytest.mark.parametrize(
    "error", [ProviderFailed(provider="local", reason="busy"), ZeroDivisionError("unforeseen")]
)
async def test_a_retryable_fault_is_tried_again_and_then_fails_the_step(
    settings: Settings, error: Exception
) -> None:
    async with stand(settings, failing(error)) as found:
        for num_delivered in range(1, MAX_ATTEMPTS):
            with pytest.raises(Retry) as caught:
                await found.server.handle(found.delivery(num_delivered))
            assert 0 < caught.value.delay_s <= 0.5 * 2 ** (num_delivered - 1)
            assert await found.event() is None
        await found.server.handle(found.delivery(MAX_ATTEMPTS))
        event = await found.event()
        assert isinstance(event, StepFailed)
        (letter,) = await found.bus.dead_letters(ActorKind.ANALYZER)
        assert letter.error == event.error
        assert (letter.run_id, letter.trace_id) == (found.run_id, found.run_id)
        assert (letter.subject, letter.num_delivered) == ("tasks.analyzer", MAX_ATTEMPTS)
        assert AnalyzePrompt.model_validate_json(letter.payload).run_id == found.run_id


async def test_a_fault_worth_waiting_for_never_fails_the_step(settings: Settings) -> None:
    async with stand(settings, failing(NoExecutor())) as found:
        with pytest.raises(Retry):
            await found.server.handle(found.delivery(10 * MAX_ATTEMPTS))
        assert await found.event() is None


async def test_a_permanent_fault_fails_the_step_at_once_and_leaves_a_dead_letter(
    settings: Settings,
) -> None:
    error: PromptbusError = InvalidInput(field="prompt", reason="is too long", limit=3)
    async with stand(settings, failing(error)) as found:
        await found.server.handle(found.delivery())
        event = await found.event()
        assert isinstance(event, StepFailed)
        assert event.error == error.to_wire()
        (letter,) = await found.bus.dead_letters(ActorKind.ANALYZER)
        assert (letter.error, letter.run_id) == (error.to_wire(), found.run_id)


@pytest.mark.parametrize(("size", "fails"), [(600_000, False), (MAX_OBJECT_BYTES, True)])
async def test_a_result_fails_its_step_only_where_no_store_takes_it(
    settings: Settings, size: int, fails: bool
) -> None:
    async def verbose(_task: AnalyzePrompt, _step: Step) -> str:
        return "x" * size

    async with stand(settings, verbose) as found:
        await found.server.handle(found.delivery())
        event = await found.event()
        if fails:
            assert isinstance(event, StepFailed)
            assert event.error.code == "message_too_large"
        else:
            assert isinstance(event, PromptAnalyzed)
            assert event.language == "x" * size


async def test_what_stands_where_the_result_belongs_ends_the_task(settings: Settings) -> None:
    """Somebody wrote there who is none of ours: no repetition would change that."""
    async with stand(settings) as found:
        place = subjects.step_event(found.run_id, ActorKind.ANALYZER, 1)
        await found.bus.process.connection.jetstream.publish(place, b"junk")
        for num_delivered in (1, 2):
            with pytest.raises(Reject):
                await found.server.handle(found.delivery(num_delivered))
        letters = await found.bus.dead_letters(ActorKind.ANALYZER, 2)
        assert all(place in letter.error.message for letter in letters)
        assert [letter.run_id for letter in letters] == [found.run_id] * 2


@pytest.mark.parametrize("how", ["cancel", "outcome"])
async def test_whoever_works_on_a_run_hears_of_its_end(settings: Settings, how: str) -> None:
    calls: list[str] = []

    async def listen(_task: AnalyzePrompt, step: Step) -> str:
        heard = anyio.Event()
        step.on_cancel(heard.set)
        step.on_cancel(lambda: calls.append("first"))
        with anyio.fail_after(20):
            await heard.wait()
        step.on_cancel(lambda: calls.append("late"))
        return str(step.cancelled)

    async with stand(settings, listen) as found, anyio.create_task_group() as tasks:
        tasks.start_soon(found.server.handle, found.delivery())
        while not found.server.num_in_flight:
            await anyio.sleep(0.01)
        found.server.end_run(new_run_id())
        assert calls == []
        if how == "cancel":
            await found.write(subjects.CANCEL, CancelRequested(run_id=found.run_id))
        else:
            await found.write(subjects.OUTCOME, RunFailed(run_id=found.run_id, error=ERROR))
    assert calls == ["first", "late"]


@pytest.mark.parametrize("how", ["cancel", "outcome", "later delivery"])
async def test_a_step_of_a_run_that_has_ended_is_not_begun(settings: Settings, how: str) -> None:
    ended: list[str] = []
    async with stand(settings) as found:
        found.bus.process.stored.on_end(ended.append)
        if how == "cancel":
            await found.write(subjects.CANCEL, CancelRequested(run_id=found.run_id))
        else:
            await found.write(subjects.OUTCOME, RunFailed(run_id=found.run_id, error=ERROR))
        with anyio.fail_after(20):
            while not ended:
                await anyio.sleep(0.01)
        await found.server.handle(found.delivery(2 if how == "later delivery" else 1))
        assert found.player.num_asked == 0
        assert await found.event() is None


@pytest.mark.parametrize("name", [subjects.CANCEL, subjects.OUTCOME])
async def test_junk_in_the_place_of_an_end_ends_nothing(settings: Settings, name: str) -> None:
    ended: list[str] = []
    async with stand(settings) as found:
        found.bus.process.stored.on_end(ended.append)
        place = subjects.run_event(found.run_id, name)
        await found.bus.process.connection.jetstream.publish(place, b'{"run_id": 5}')
        with anyio.fail_after(20):
            while not ended:
                await anyio.sleep(0.01)
        await found.server.handle(found.delivery())
        assert isinstance(await found.event(), PromptAnalyzed)


async def test_text_is_streamed_in_order_and_without_a_gap(settings: Settings) -> None:
    words = [f"w{number} " for number in range(50)]

    async def speak(_task: AnalyzePrompt, step: Step) -> str:
        for number, word in enumerate(words):
            await step.emit(word)
            if number % 10 == 0:
                await anyio.sleep(0.03)
        await step.finish()
        return "en"

    async with stand(settings, speak) as found:
        async with TokenStreams(found.bus.process.connection) as streams:
            await found.server.handle(found.delivery())
            heard = ""
            with anyio.fail_after(20):
                while len(heard) < len("".join(words)):
                    deltas = await streams.earlier(found.run_id)
                    heard = "".join(token.delta.text for token in deltas)
            assert heard == "".join(words)
            assert 1 < len(deltas) < len(words)
            offsets = [token.delta.offset for token in deltas]
            assert offsets == sorted(offsets)
            assert offsets[0] == 0
