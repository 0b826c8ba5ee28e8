"""A NATS server for each test: who was there in the one before is present for ten seconds more."""

from pathlib import Path

import pytest

from bus.connection import BusAddress
from promptbus.nats_server import NatsServer


@pytest.fixture
def address(nats_server: NatsServer) -> BusAddress:
    """Where the test's server is."""
    return nats_server.address


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A data folder of this test alone."""
    return tmp_path / "data"
