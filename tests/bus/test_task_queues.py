"""The depth of the queues of executors."""

from collections.abc import Mapping

from bus.run_journal import task_subject
from bus.task_queues import TaskQueues
from bus.topology import ensure_consumer, executor_consumer
from contracts.prompt import Priority
from contracts.run_id import new_run_id
from contracts.task import AnalyzePrompt, GenerateAnswer, Task
from promptbus.process import Process, open_process
from promptbus.settings import Settings


async def ask(process: Process, task: Task) -> None:
    """Put a task into its queue."""
    await process.publisher.publish(task_subject(task), task)


def generation(model: str, priority: Priority = Priority.NORMAL) -> GenerateAnswer:
    """A generation of that model."""
    return GenerateAnswer(run_id=new_run_id(), model=model, prompt="hi", priority=priority)


async def test_each_queue_tells_its_depth_and_models_their_sum(settings: Settings) -> None:
    async with open_process(settings, "test") as process:
        queues = TaskQueues(process.connection)
        assert await queues.depths() == {}
        for model in ("owner/m.1", "owner/m.1", "n"):
            await ask(process, generation(model))
        await ask(process, generation("owner/m.1", Priority.BATCH))
        await ask(process, AnalyzePrompt(run_id=new_run_id(), prompt="hi"))
        found: Mapping[tuple[str, Priority], int] = await queues.depths()
        assert found == {
            ("owner/m.1", Priority.NORMAL): 2,
            ("owner/m.1", Priority.BATCH): 1,
            ("n", Priority.NORMAL): 1,
        }
        assert await queues.depth_by_model() == {"owner/m.1": 3, "n": 1}


async def test_a_task_counts_until_it_is_acknowledged(settings: Settings) -> None:
    async with open_process(settings, "test") as process:
        queues, consumer = TaskQueues(process.connection), executor_consumer("m", Priority.NORMAL)
        await ensure_consumer(process.connection.jetstream, consumer)
        await ask(process, generation("m"))
        pull = await process.connection.jetstream.pull_subscribe_bind(
            durable=consumer.name, stream=consumer.stream
        )
        (message,) = await pull.fetch(1)
        assert await queues.depth_by_model() == {"m": 1}
        await message.ack_sync()
        assert await queues.depth_by_model() == {}


async def test_foreign_queues_are_passed_over(settings: Settings) -> None:
    async with open_process(settings, "test") as process:
        await process.connection.jetstream.publish("tasks.executor.m.urgent", b"{}")
        await process.connection.jetstream.publish("tasks.executor.=zz.batch", b"{}")
        assert await TaskQueues(process.connection).depths() == {}
