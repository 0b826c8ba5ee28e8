"""What is too large for one message lies in a bucket by its digest, and every reader finds it."""

import hashlib
from pathlib import Path

import anyio
import pytest
from nats.js.api import StreamInfo

from actors.history import Projection, sqlite_url
from bus.bucket import ObjectBucket
from bus.pull_worker import Delivery, PullWorker
from bus.topology import task_consumer
from contracts import subjects
from contracts.actor_kind import ActorKind
from contracts.claim import CLAIM_HEADER, Claim
from contracts.envelope import CE_TYPE
from contracts.event import AnswerGenerated, RunAnswered
from contracts.journal_entry import JournalEntry
from contracts.prompt import TaskType
from contracts.run_id import new_run_id
from contracts.task import ValidateOutput
from promptbus.history_feed import HistoryFeed
from promptbus.process import Process, open_process
from promptbus.settings import Settings
from tests.bus.tools import raw_client, until
from tests.contracts.journals import result

LARGE = "long " * 300_000


def answer(run_id: str, output: str = LARGE) -> AnswerGenerated:
    """An answer of that text."""
    return AnswerGenerated(run_id=run_id, result=result(output))


def place(run_id: str) -> str:
    """Where it stands."""
    return subjects.step_event(run_id, ActorKind.EXECUTOR, 1)


async def objects(process: Process) -> StreamInfo:
    """The stream of the bucket."""
    return await process.connection.jetstream.stream_info(ObjectBucket("payloads", 0, 0).stream)


async def test_a_large_event_is_read_by_everybody_who_reads_events(
    settings: Settings, tmp_path: Path
) -> None:
    run_id = new_run_id()
    event = answer(run_id)
    heard: list[JournalEntry] = []
    async with open_process(settings, "test") as process:
        process.stored.listen(heard.append, run_id)
        written = await process.journal.write(place(run_id), event)
        assert written.mine
        (entry,) = await process.journal.read(run_id)
        one = await process.journal.read_one(place(run_id))
        assert one is not None
        await until(lambda: len(heard) == 1)
        assert entry.event == one.event == heard[0].event == event
        lost = await process.journal.write(place(run_id), answer(run_id, "another"))
        assert (lost.mine, lost.event) == (False, event)
        outcome = RunAnswered(
            run_id=run_id,
            output=LARGE,
            task_type=TaskType.CHAT,
            score=1,
            result=event.result,
        )
        await process.journal.write(subjects.run_event(run_id, subjects.OUTCOME), outcome)
        async with Projection.open(sqlite_url(tmp_path / "history.db")) as projection:
            await HistoryFeed(process.connection, process.stored, projection).catch_up()
            row = await projection.get(run_id)
            assert row is not None
            assert row.output == LARGE


async def test_a_large_task_reaches_its_actor(settings: Settings) -> None:
    task = ValidateOutput(run_id=new_run_id(), prompt="hi", output=LARGE)
    got: list[Delivery] = []

    async def handle(delivery: Delivery) -> None:
        got.append(delivery)

    consumer = task_consumer(ActorKind.VALIDATOR)
    async with open_process(settings, "test") as process, anyio.create_task_group() as tasks:
        worker = PullWorker(process.connection, consumer, handle, max_in_flight=4)
        await tasks.start(worker.run)
        await process.publisher.send(subjects.tasks(ActorKind.VALIDATOR), task)
        await until(lambda: len(got) == 1)
        assert ValidateOutput.model_validate_json(got[0].data) == task
        worker.stop()


async def test_any_client_finds_the_bytes_by_their_digest_and_they_lie_there_once(
    settings: Settings,
) -> None:
    event = answer(new_run_id())
    digest = hashlib.sha256(event.encode()).hexdigest()
    async with open_process(settings, "test") as process:
        for _ in range(3):
            await process.publisher.publish("runs.x", event)
        async with raw_client(settings.address()) as client:  # type: ignore[arg-type]
            store = await client.jetstream().object_store("payloads")
            assert (await store.get(digest)).data == event.encode()
            message = await client.jetstream().get_msg("RUNS", 1)
            claim = Claim.model_validate_json(message.data or b"")
            assert (claim.object_sha256, claim.size_bytes) == (digest, len(event.encode()))
        num_chunks = -(-len(event.encode()) // (128 * 1024))
        assert (await objects(process)).state.messages == num_chunks + 1


@pytest.mark.parametrize("kind", ["absent", "malformed", "other"])
async def test_a_claim_on_what_is_not_there_is_passed_over(settings: Settings, kind: str) -> None:
    run_id = new_run_id()
    digest = hashlib.sha256(b"one").hexdigest()
    async with open_process(settings, "test") as process:
        jetstream = process.connection.jetstream
        if kind == "other":
            await (await jetstream.object_store("payloads")).put(digest, b"two")
        headers = {
            CE_TYPE: "promptbus.AnswerGenerated",
            CLAIM_HEADER: "../../x" if kind == "malformed" else digest,
        }
        claim = Claim(object_sha256=digest, size_bytes=3).encode()
        await jetstream.publish(place(run_id), claim, headers=headers)
        assert await process.journal.read(run_id) == []
