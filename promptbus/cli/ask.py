"""``promptbus ask``: submit, stream the answer, show the way it went."""

import json
import os
import sys
from contextlib import aclosing
from typing import Any

import anyio
from pydantic import ValidationError

from bus.prompt_client import PromptClient
from contracts.envelope import first_problem
from contracts.errors import InvalidInput, RemoteError, RunFinished
from contracts.idempotency import keyed_run_id
from contracts.prompt import MAX_PROMPT_BYTES, PromptRequest, SubmitPrompt
from contracts.run_id import new_run_id
from contracts.run_view import RunView
from promptbus.cli.client import open_client, running_or_own, wait_for_signal
from promptbus.cli.run_output import AnswerPrinter, print_steps
from promptbus.cli.shell import FAILED, INTERRUPTED, err, out, print_json, report, say_on_stderr
from promptbus.process import Process
from promptbus.settings import Settings

STDIN = "-"


async def run_ask(
    settings: Settings, wishes: dict[str, Any], idempotency_key: str | None, as_json: bool
) -> int:
    """Ask one prompt; 0 when it was answered."""
    request = parse_request({**wishes, "prompt": await read_prompt(wishes["prompt"])})
    async with running_or_own(settings) as process:
        return await ask(process, request, idempotency_key=idempotency_key, as_json=as_json)


async def ask(
    process: Process,
    request: PromptRequest,
    *,
    idempotency_key: str | None = None,
    as_json: bool = False,
) -> int:
    """Submit on ``process`` and print; returns the exit code."""
    run_id = keyed_run_id(idempotency_key) if idempotency_key is not None else new_run_id()
    interrupted = False
    async with open_client(process) as client, anyio.create_task_group() as tasks:

        async def cancel_on_signal() -> None:
            nonlocal interrupted
            await wait_for_signal()
            interrupted = True
            say_on_stderr("cancelling")
            try:
                await client.cancel(run_id, reason="interrupted")
            except RunFinished:
                tasks.cancel_scope.cancel()

        tasks.start_soon(cancel_on_signal)
        await client.submit(
            SubmitPrompt.of(request, run_id), request.priority, idempotency_key=idempotency_key
        )
        view = await _follow(client, run_id, as_json=as_json)
        tasks.cancel_scope.cancel()
    if interrupted:
        return INTERRUPTED
    return _finish(view, as_json=as_json)


async def _follow(client: PromptClient, run_id: str, *, as_json: bool) -> RunView:
    printer = AnswerPrinter(at_once=out.is_terminal)
    try:
        async with aclosing(client.follow(run_id, summary=True)) as items:
            async for item in items:
                if not as_json:
                    printer.show(item)
    finally:
        printer.clear()
    return await client.view(run_id)


def _finish(view: RunView, *, as_json: bool) -> int:
    if as_json:
        print_json(view.model_dump(mode="json"))
    else:
        # The answer alone is on stdout, for whoever pipes it on.
        print_steps(view, say_on_stderr, err.width)
        if view.error is not None:
            report(RemoteError(view.error))
    return 0 if view.state == "answered" else FAILED


async def read_prompt(argument: str) -> str:
    """The prompt itself, or what stdin holds where it is ``-``.

    Raises: InvalidInput when it is too long or not UTF-8.
    """
    if argument == STDIN:
        # No more than is needed to know that it is too long: some pipes never end.
        data: bytes = await anyio.to_thread.run_sync(sys.stdin.buffer.read, MAX_PROMPT_BYTES + 1)
        if len(data) > MAX_PROMPT_BYTES:
            reason = f"is longer than {MAX_PROMPT_BYTES} bytes"
            raise InvalidInput(field="prompt", reason=reason, limit=MAX_PROMPT_BYTES)
    else:
        data = os.fsencode(argument)
    try:
        return data.decode().removesuffix("\n")
    except UnicodeDecodeError as exc:
        reason = f"is not UTF-8 text: byte {exc.start} is {data[exc.start]:#04x}"
        raise InvalidInput(field="prompt", reason=reason) from exc


def parse_request(wishes: dict[str, Any]) -> PromptRequest:
    """The request the options make.

    Raises: InvalidInput naming the option.
    """
    try:
        return PromptRequest.model_validate_json(json.dumps(wishes))
    except ValidationError as exc:
        where, reason = first_problem(exc)
        raise InvalidInput(field=where, reason=reason) from exc
