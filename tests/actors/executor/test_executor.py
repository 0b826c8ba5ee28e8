"""The executor: it streams what is generated, and stops when it is told to or too late."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.executor import Executor
from actors.executor.executor import without_oldest
from bus.prompt_client import Token
from contracts import subjects
from contracts.actor_kind import ActorKind
from contracts.errors import InvalidInput, RemoteError
from contracts.event import AnswerGenerated, CancelRequested, StepFailed
from contracts.prompt import ChatMessage, Priority
from contracts.run_id import new_run_id
from contracts.task import GenerateAnswer
from promptbus.settings import Settings
from providers.echo_provider import EchoProvider
from providers.generation_job import GenerationJob
from providers.provider import Generated
from providers.provider_gateway import ProviderGateway
from providers.registries.model_entry import ModelEntry
from providers.registries.model_registry import ModelRegistry
from providers.registries.strategy_registry import StrategyRegistry
from tests.actors.coordinator.team import SCRIPTED, Team, team


class Narrow(EchoProvider):
    """Echoes, but takes no more than so many turns; remembers what it was asked."""

    def __init__(self, max_turns: int = 1000) -> None:
        super().__init__()
        self._max_turns = max_turns
        self.jobs: list[GenerationJob] = []

    async def generate(self, job: GenerationJob, **options: Any) -> Generated:
        """Echo what fits."""
        self.jobs.append(job)
        if len(job.messages) > self._max_turns:
            raise InvalidInput(field="prompt", reason="is longer than the context")
        return await super().generate(job, **options)


class Endless(EchoProvider):
    """Says the same word until it is stopped."""

    def __init__(self) -> None:
        self.begun = anyio.Event()
        self.ended = anyio.Event()

    async def generate(self, job: GenerationJob, **options: Any) -> Generated:
        """Go on and on."""
        num_words = 0
        try:
            while not options["cancel"].cancelled:
                options["on_text"]("word ")
                num_words += 1
                self.begun.set()
                await anyio.sleep(0.01)
        finally:
            self.ended.set()
        return Generated(
            output="word " * num_words,
            finish_reason="cancelled",
            prompt_tokens=1,
            completion_tokens=num_words,
            cache_hit=True,
            load_time_ms=0,
            queue_time_ms=0,
            started_at=0,
            first_token_at=0,
            ended_at=0,
        )


@asynccontextmanager
async def executor_with(settings: Settings, provider: EchoProvider) -> AsyncIterator[Team]:
    """An executor that serves one model by way of ``provider``."""
    entry = ModelEntry(key=SCRIPTED, provider="echo", source="built-in")
    gateway = ProviderGateway(ModelRegistry([entry]), StrategyRegistry.from_toml(), [provider])
    async with team(settings, Executor(gateway), kinds=()) as found:
        yield found


def task_of(*texts: str, **fields: object) -> GenerateAnswer:
    """A generation with those turns, the last of them asked."""
    turns = [{"role": "user", "content": text} for text in texts]
    return GenerateAnswer.model_validate(
        {"run_id": new_run_id(), "model": SCRIPTED, "messages": turns, **fields}
    )


async def publish(found: Team, task: GenerateAnswer) -> None:
    """Ask for the step without waiting for it."""
    subject = subjects.executor_tasks(SCRIPTED, Priority.NORMAL)
    await found.process.publisher.publish(subject, task)


async def test_what_is_streamed_is_what_is_answered(settings: Settings) -> None:
    text = " ".join(f"word{number}" for number in range(200))
    async with executor_with(settings, Narrow()) as found:
        task = task_of(text)
        result = await found.client.generate(task)
        assert (result.output, result.finish_reason) == (text, "stop")
        streamed = ""
        with anyio.fail_after(20):
            async for item in found.client.follow(task.run_id):
                streamed += item.delta.text if isinstance(item, Token) else ""
                if streamed == text:
                    break
        assert result.usage.completion_tokens == 200


async def test_a_wish_reaches_the_provider(settings: Settings) -> None:
    provider = Narrow()
    async with executor_with(settings, provider) as found:
        wishes = {"max_tokens": 2, "temperature": 0.5, "seed": 7, "strategy": "streaming"}
        result = await found.client.generate(task_of("one two three", **wishes))
        assert (result.output, result.finish_reason) == ("one two", "length")
        (job,) = provider.jobs
        assert (job.max_tokens, job.temperature, job.seed) == (2, 0.5, 7)
        assert job.strategy.key == "streaming"


async def test_a_generation_that_takes_too_long_is_stopped(settings: Settings) -> None:
    provider = Endless()
    async with executor_with(settings, provider) as found:
        task = task_of("go", timeout_s=0.2)
        await publish(found, task)
        await found.reached(task.run_id, "executor/1")
        event = (await found.events(task.run_id))["executor/1"]
        assert isinstance(event, StepFailed)
        assert (event.error.code, event.error.retryable) == ("deadline_exceeded", True)
        with anyio.fail_after(20):
            await provider.ended.wait()


async def test_a_cancelled_generation_ends_with_what_there_is(settings: Settings) -> None:
    provider = Endless()
    async with executor_with(settings, provider) as found:
        task = task_of("go")
        await publish(found, task)
        with anyio.fail_after(20):
            await provider.begun.wait()
        cancel = CancelRequested(run_id=task.run_id)
        place = subjects.run_event(task.run_id, subjects.CANCEL)
        await found.process.journal.write(place, cancel)
        await found.reached(task.run_id, "executor/1")
        event = (await found.events(task.run_id))["executor/1"]
        assert isinstance(event, AnswerGenerated)
        assert event.result.finish_reason == "cancelled"
        assert event.result.output.startswith("word ")
        assert provider.ended.is_set()


async def test_whoever_stops_waiting_for_a_generation_stops_it(settings: Settings) -> None:
    provider = Endless()
    async with executor_with(settings, provider) as found, anyio.create_task_group() as tasks:
        tasks.start_soon(found.client.generate, task_of("go"))
        with anyio.fail_after(20):
            await provider.begun.wait()
            tasks.cancel_scope.cancel()
    with anyio.fail_after(20):
        await provider.ended.wait()


@pytest.mark.parametrize(
    ("max_turns", "kept"),
    [(5, ["r1", "r2", "r3", "r4", "now"]), (3, ["r3", "r4", "now"]), (1, ["now"])],
)
async def test_recalled_turns_are_left_out_where_the_context_is_too_small(
    settings: Settings, max_turns: int, kept: list[str]
) -> None:
    provider = Narrow(max_turns)
    async with executor_with(settings, provider) as found:
        result = await found.client.generate(task_of("r1", "r2", "r3", "r4", "now", num_recalled=4))
        assert result.output == "now"
        assert [turn.content for turn in provider.jobs[-1].messages] == kept


async def test_what_was_asked_itself_is_never_left_out(settings: Settings) -> None:
    provider = Narrow(max_turns=1)
    async with executor_with(settings, provider) as found:
        with pytest.raises(RemoteError) as caught:
            await found.client.generate(task_of("r1", "r2", "first", "now", num_recalled=2))
        assert caught.value.info.code == "invalid_input"
        assert [turn.content for turn in provider.jobs[-1].messages] == ["first", "now"]


async def test_a_model_that_is_not_here_is_told_by_name(settings: Settings) -> None:
    async with executor_with(settings, Narrow()) as found:
        task = task_of("hi", model="other")
        await publish(found, task)
        await found.reached(task.run_id, "executor/1")
        event = (await found.events(task.run_id))["executor/1"]
        assert isinstance(event, StepFailed)
        assert (event.error.code, event.actor) == ("unknown_model", ActorKind.EXECUTOR)


turns = st.lists(
    st.builds(ChatMessage, role=st.sampled_from(("system", "user", "assistant")), content=st.text())
).map(tuple)


@given(turns, st.integers(0, 20))
def test_only_the_oldest_turns_are_left_out_and_never_the_system(
    messages: tuple[ChatMessage, ...], num_dropped: int
) -> None:
    kept = without_oldest(messages, num_dropped)
    system = [message for message in messages if message.role == "system"]
    others = [message for message in messages if message.role != "system"]
    assert list(kept) == [*system, *others[num_dropped:]]
