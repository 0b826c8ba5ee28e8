"""Reaching a promptbus from a command: the one that runs, or one started for this command."""

import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import anyio
from rich.status import Status

from bus.prompt_client import PromptClient
from contracts.errors import NotReady
from promptbus.cli.shell import err
from promptbus.endpoint import read_endpoint
from promptbus.process import Process, open_process
from promptbus.settings import Settings


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Process]:
    """The promptbus of the settings, or the one that runs on the data folder.

    Raises: NotReady where none runs, BusUnavailable.
    """
    if settings.address() is None:
        endpoint = read_endpoint(settings.data_dir)
        if endpoint is None:
            raise NotReady(
                f"no promptbus runs on {settings.data_dir}",
                cure="start one: promptbus up; or name a NATS server with --nats-url",
            )
        settings = settings.with_address(endpoint.address())
    async with open_process(settings, "cli") as process:
        yield process


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
