"""Doing something for a client only as long as it is there."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio
from fastapi import Request

ResultT = TypeVar("ResultT")


class ClientGone(Exception):
    """The client hung up; nobody is left to be answered."""


async def while_connected(request: Request, work: Callable[[], Awaitable[ResultT]]) -> ResultT:
    """The result of ``work``, which is cancelled when the client hangs up.

    The request's body must have been read. Raises: ClientGone, and what ``work`` raises.
    """
    results: list[ResultT] = []
    faults: list[Exception] = []

    async def run(scope: anyio.CancelScope) -> None:
        try:
            results.append(await work())
        except Exception as exc:
            faults.append(exc)
        scope.cancel()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run, tasks.cancel_scope)
        while (await request.receive())["type"] != "http.disconnect":
            continue
        tasks.cancel_scope.cancel()
    if faults:
        raise faults[0]
    if not results:
        raise ClientGone
    return results[0]
