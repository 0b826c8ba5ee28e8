"""``promptbus step <actor>``: one actor alone, a JSON task per line, without a bus."""

import json
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
from pydantic import ValidationError

from actors.actor import Actor
from contracts.actor_kind import ActorKind
from contracts.envelope import first_problem
from contracts.errors import InvalidInput, InvalidJson, PromptbusError
from contracts.event import StepFailed
from contracts.message import Message
from contracts.run_id import new_run_id
from contracts.task import Task
from contracts.waiting import WaitNote
from promptbus.bootstrap import history_url
from promptbus.cli.actor import parse_kind
from promptbus.cli.shell import FAILED, err, print_json
from promptbus.settings import Settings

_NO_STEPS = frozenset({ActorKind.COORDINATOR})


class AloneStep:
    """A step without a bus: nobody cancels it and nobody listens to its text."""

    cancelled = False

    def on_cancel(self, callback: Callable[[], None]) -> None:
        """Never called."""

    async def emit(self, text: str) -> None:
        """The whole text stands in the event."""

    async def finish(self) -> None:
        """Nothing is held."""

    async def report_wait(self, note: WaitNote) -> None:
        """Nobody listens."""


async def run_step(settings: Settings, name: str) -> int:
    """Serve stdin until its end; 1 when a line could not be served."""
    kind = parse_kind(name, without=_NO_STEPS)
    if sys.stdin.isatty():
        err.print('[dim]one JSON task per line, for example: {"prompt": "Hello"}; Ctrl-D ends[/]')
    failed = False
    async with open_actor(settings, kind) as actor:
        while line := await anyio.to_thread.run_sync(sys.stdin.buffer.readline):
            if not line.strip():
                continue
            answer, is_error = await do_line(actor, line)
            failed = failed or is_error
            print_json(answer)
    return FAILED if failed else 0


async def do_line(actor: Actor, line: bytes) -> tuple[dict[str, Any], bool]:
    """The event for one line as JSON, and whether it is an error."""
    try:
        task = parse_task(actor, line)
        event = await actor.handle(task, AloneStep())
    except PromptbusError as exc:
        return {"type": "Error", "error": exc.to_wire().model_dump(exclude_none=True)}, True
    return {"type": type(event).__name__, **_fields(event)}, isinstance(event, StepFailed)


def parse_task(actor: Actor, line: bytes) -> Task:
    """The task in ``line``; ids are made up where they are missing.

    Raises: InvalidJson, InvalidInput naming the field.
    """
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError) as exc:
        raise InvalidJson("the line is not JSON", cure="write one JSON object per line") from exc
    if not isinstance(fields, dict):
        raise InvalidJson("the line is not a JSON object", cure='write {"prompt": "…"}')
    # A monitor may also take tasks that are another's, to refuse them.
    (task_type,) = [task for task in actor.handlers if task.actor is actor.kind]
    fields.setdefault("run_id", new_run_id())
    try:
        return task_type.model_validate_json(json.dumps(fields))
    except ValidationError as exc:
        where, reason = first_problem(exc)
        raise InvalidInput(field=where, reason=reason) from exc


@asynccontextmanager
async def open_actor(settings: Settings, kind: ActorKind) -> AsyncIterator[Actor]:
    """The actor of that kind, with what it needs on this machine alone."""
    match kind:
        case ActorKind.ANALYZER:
            from actors.analyzer import Analyzer

            yield Analyzer()
        case ActorKind.VALIDATOR:
            from actors.validator import Validator

            yield Validator()
        case ActorKind.SUMMARIZER:
            from actors.summarizer import Summarizer

            yield Summarizer()
        case ActorKind.HISTORY:
            from actors.history import History, Projection

            async with Projection.open(history_url(settings)) as projection:
                yield History(projection)
        case _:
            async with _open_host(settings, kind) as actor:
                yield actor


@asynccontextmanager
async def _open_host(settings: Settings, kind: ActorKind) -> AsyncIterator[Actor]:
    from actors.executor import Executor
    from actors.monitor import Monitor
    from promptbus.model_host import ModelHost

    host = ModelHost(settings)

    async def hosts() -> tuple[Any, ...]:
        return (await host.describe(),)

    try:
        if kind is ActorKind.MONITOR:
            yield Monitor(hosts, settings.default_model)
        else:
            yield Executor(host.gateway)
    finally:
        await host.close()


def _fields(event: Message) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads(event.encode())
    return fields
