"""Reaching a promptbus that runs."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from contracts.errors import NotReady
from promptbus.endpoint import read_endpoint
from promptbus.process import Process, open_process
from promptbus.settings import Settings


@asynccontextmanager
async def running(settings: Settings, role: str = "cli") -> AsyncIterator[Process]:
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
    async with open_process(settings, role) as process:
        yield process
