"""One real NATS server for the tests of a module."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bus.connection import BusAddress
from promptbus.nats_server import NatsServer


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BusAddress]:
    """Where the module's server is."""
    with NatsServer(tmp_path_factory.mktemp("nats"), synced=False) as server:
        yield server.address


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data folder of this test alone."""
    return tmp_path / "data"
