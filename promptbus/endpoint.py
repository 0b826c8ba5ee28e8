"""The note a running promptbus leaves in its data folder, so that commands find it."""

import contextlib
import os
from pathlib import Path

import psutil
from pydantic import ValidationError

from bus.connection import BusAddress
from contracts.message import Message

FILE_NAME = "endpoint.json"
# A later process may get the same id; one that began at another time is not the one that wrote.
_SAME_START_S = 2.0


class Endpoint(Message):
    """Where a running promptbus is; holds a password, so only its owner may read the file."""

    pid: int
    started_at_s: float
    nats_urls: tuple[str, ...]
    api_url: str | None = None
    nats_user: str | None = None
    nats_password: str | None = None

    def address(self) -> BusAddress:
        """Its NATS server."""
        return BusAddress(urls=self.nats_urls, user=self.nats_user, password=self.nats_password)


def write_endpoint(data_dir: Path, address: BusAddress, api_url: str | None) -> None:
    """Leave the note of this process."""
    endpoint = Endpoint(
        pid=os.getpid(),
        started_at_s=psutil.Process().create_time(),
        api_url=api_url,
        nats_urls=address.urls,
        nats_user=address.user,
        nats_password=address.password,
    )
    path = data_dir / FILE_NAME
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(endpoint.encode())


def read_endpoint(data_dir: Path) -> Endpoint | None:
    """The note of a promptbus that is still running; None where there is none."""
    try:
        endpoint = Endpoint.model_validate_json((data_dir / FILE_NAME).read_bytes())
    except (OSError, ValidationError):
        return None
    return endpoint if _is_running(endpoint) else None


def remove_endpoint(data_dir: Path) -> None:
    """Take this process's note away."""
    endpoint = read_endpoint(data_dir)
    if endpoint is not None and endpoint.pid == os.getpid():
        with contextlib.suppress(FileNotFoundError):
            (data_dir / FILE_NAME).unlink()


def _is_running(endpoint: Endpoint) -> bool:
    try:
        process = psutil.Process(endpoint.pid)
        is_dead = process.status() == psutil.STATUS_ZOMBIE
        return not is_dead and abs(process.create_time() - endpoint.started_at_s) < _SAME_START_S
    except psutil.Error:
        return False
