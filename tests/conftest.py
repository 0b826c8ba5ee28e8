"""What every test may use: a real NATS server of its own, and settings that lead to it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from promptbus.nats_server import NatsServer
from promptbus.settings import Settings


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[NatsServer]:
    """A server of this test alone; it starts in some 30 ms."""
    with NatsServer(tmp_path / "nats", synced=False) as server:
        yield server


@pytest.fixture
def settings(nats_server: NatsServer, tmp_path: Path) -> Settings:
    """Settings of a process on that server, with nothing to load."""
    return Settings(data_dir=tmp_path / "data", preload=()).with_address(nats_server.address)
