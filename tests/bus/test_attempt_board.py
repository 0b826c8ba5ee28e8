"""Tries at a piece of work: what is given back is no death, what nobody ends is one."""

from contextlib import AbstractAsyncContextManager

import anyio
import pytest

from bus.attempt_board import Attempt, AttemptBoard, Attempts
from contracts.run_id import new_run_id
from promptbus.process import Process, open_process
from promptbus.settings import Settings

# What a killed process left open must not be tidied up by this one.
NEVER_LEFT: list[AbstractAsyncContextManager[Attempt]] = []


def board_of(process: Process) -> AttemptBoard:
    """The board as a process uses it."""
    return AttemptBoard(process.connection, process.publisher)


async def died(board: AttemptBoard, key: str, num_delivered: int) -> None:
    """A process began the work, and was never heard of again."""
    before = await board.read(key, num_delivered)
    left_open = board.begin(key, before, num_delivered)
    await left_open.__aenter__()
    NEVER_LEFT.append(left_open)


async def test_deaths_are_counted_from_the_first_on(settings: Settings) -> None:
    key = f"{new_run_id()}.executor.1"
    async with open_process(settings, "test") as process:
        board = board_of(process)
        for num_delivered in range(1, 6):
            found = await board.read(key, num_delivered)
            assert found == Attempts(num_deaths=num_delivered - 1)
            await died(board, key, num_delivered)


async def test_what_is_given_back_is_no_death_whatever_the_way(settings: Settings) -> None:
    key = new_run_id()
    async with open_process(settings, "test") as process:
        board = board_of(process)
        for num_delivered, num_deaths in ((1, 0), (2, 0), (3, 0), (4, 0)):
            found = await board.read(key, num_delivered)
            assert found.num_deaths == num_deaths
            with anyio.CancelScope() as scope:
                async with board.begin(key, found, num_delivered):
                    scope.cancel()
                    await anyio.sleep(1)
        await died(board, key, 5)
        found = await board.read(key, 6)
        assert found == Attempts(num_deaths=1)
        with pytest.raises(ZeroDivisionError):
            async with board.begin(key, found, 6) as attempt:
                attempt.failed()
                raise ZeroDivisionError
        assert await board.read(key, 7) == Attempts(num_deaths=1, num_faults=1)


async def test_who_is_acquitted_begins_anew(settings: Settings) -> None:
    key = new_run_id()
    async with open_process(settings, "test") as process:
        board = board_of(process)
        for num_delivered in range(1, 6):
            await died(board, key, num_delivered)
        before = await board.read(key, 6)
        async with board.begin(key, before, 6) as attempt:
            await board.acquit(attempt, 2)
        assert await board.read(key, 7) == Attempts(num_deaths=2, num_acquittals=1)


async def test_what_somebody_else_wrote_there_is_passed_over(settings: Settings) -> None:
    key = new_run_id()
    async with open_process(settings, "test") as process:
        await process.connection.jetstream.publish(f"$KV.attempts.{key}", b"junk")
        assert await board_of(process).read(key, 2) == Attempts(num_deaths=1)
