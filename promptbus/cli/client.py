"""Reaching a promptbus from a command: the one that runs, or one started for this command."""

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from rich.status import Status

from bus.prompt_client import PromptClient
from promptbus.cli.shell import err
from promptbus.endpoint import read_endpoint
from promptbus.process import Process
from promptbus.running import running
from promptbus.settings import Settings

__all__ = ["open_client", "running", "running_or_own", "wait_for_signal"]


@asynccontextmanager
async def running_or_own(settings: Settings) -> AsyncIterator[Process]:
    """Like :func:`running`; starts everything for this command where nothing runs."""
    if settings.address() is not None or read_endpoint(settings.data_dir) is not None:
        async with running(settings) as process:
            yield process
        return
    from promptbus.supervisor import embedded, wait_for_model

    with Status("starting", console=err) as status:
        async with embedded(settings, status.update) as process:
            await wait_for_model(process, settings.default_model, status.update)
            status.stop()
            yield process


@asynccontextmanager
async def open_client(process: Process) -> AsyncIterator[PromptClient]:
    """A client on the process's connection."""
    async with PromptClient(process.connection, process.publisher, process.stored) as client:
        yield client


async def wait_for_signal() -> int:
    """The first SIGINT or SIGTERM this process gets."""
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for number in signals:
            return int(number)
    raise RuntimeError("the signal receiver ended")
