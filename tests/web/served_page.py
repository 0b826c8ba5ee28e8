"""The built page, served by a whole promptbus."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import anyio
import pytest
import uvicorn
from fastapi import FastAPI

from api.limits import ApiLimits
from api.server import create_app
from bus.connection import BusAddress
from bus.key_board import KeyBoard
from contracts.journal_entry import JournalEntry
from contracts.prompt import SubmitPrompt
from promptbus.web_server import PAGE_FOLDER
from tests.api.house import SLOW, VERSION, House, SlowExecutor, open_house


@dataclass(frozen=True)
class ServedPage:
    """A system with its page, and where that is."""

    house: House
    app: FastAPI
    port: int

    @property
    def url(self) -> str:
        """The page's address."""
        return f"http://127.0.0.1:{self.port}"

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Serve; all that is open is cut when the context is left."""
        config = uvicorn.Config(
            self.app,
            port=self.port,
            log_level="warning",
            timeout_graceful_shutdown=0,
            **ApiLimits().uvicorn_options(),
        )
        server = uvicorn.Server(config)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(server.serve)
            while not server.started:
                await anyio.sleep(0.01)
            yield
            server.should_exit = True

    async def ask(
        self, prompt: str, *, model: str = "echo", waits: bool = True, max_tokens: int | None = None
    ) -> str:
        """Submit a prompt as any client would, and wait for its outcome; the run's id."""
        submitted = SubmitPrompt(prompt=prompt, model=model, max_tokens=max_tokens, max_attempts=1)
        run_id = await self.house.client.submit(submitted)
        if waits:
            await self.journal(run_id)
        return run_id

    async def journal(self, run_id: str) -> list[JournalEntry]:
        """The run's events once it has its outcome."""
        with anyio.fail_after(20):
            while True:
                entries = await self.house.client.journal.read(run_id)
                if any(entry.subject.node == "outcome" for entry in entries):
                    return entries
                await anyio.sleep(0.02)


@asynccontextmanager
async def open_system(
    address: BusAddress,
    data_dir: Path,
    *,
    slow: SlowExecutor | None = None,
    with_keys: bool = False,
) -> AsyncIterator[ServedPage]:
    """A system with the page that `make page` built, not served yet."""
    if not (PAGE_FOLDER / "index.html").is_file():
        pytest.fail("the page is not built; run: make page")
    async with open_house(address, data_dir, slow=slow) as house:
        process = house.process
        if slow is not None:
            await _is_known(house, SLOW)
        app = create_app(
            client=house.client,
            board=process.board,
            connection=process.connection,
            limits=ApiLimits(),
            version=VERSION,
            keys=KeyBoard(process.connection, process.publisher) if with_keys else None,
            page_folder=PAGE_FOLDER,
        )
        yield ServedPage(house, app, free_port())


@asynccontextmanager
async def open_page(
    address: BusAddress,
    data_dir: Path,
    *,
    slow: SlowExecutor | None = None,
    with_keys: bool = False,
) -> AsyncIterator[ServedPage]:
    """The same, served."""
    async with open_system(address, data_dir, slow=slow, with_keys=with_keys) as system:
        async with system.serving():
            yield system


async def _is_known(house: House, model: str) -> None:
    """Wait until monitors know of an executor that serves ``model``."""
    with anyio.fail_after(10):
        while True:
            present = await house.process.board.present(max_age_s=0)
            served = (one.report.models for one in present if one.report is not None)
            if any(report.model == model for models in served for report in models):
                return
            await anyio.sleep(0.02)


def free_port() -> int:
    """A port of loopback that nobody uses."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])
