"""A throw-away PostgreSQL, and databases of both kinds for the same tests."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import URL

from actors.history import sqlite_url

START_TIMEOUT_S = 30.0
STOP_TIMEOUT_S = 20.0


def find_postgres() -> Path | None:
    """The folder of PostgreSQL's server programs; Debian keeps them off the PATH."""
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    return max(Path("/usr/lib/postgresql").glob("*/bin"), default=None)


class Cluster:
    """A PostgreSQL server of our own on a unix socket, gone with its folder."""

    def __init__(self, programs: Path, folder: Path) -> None:
        self._programs = programs
        self.folder = folder
        # PostgreSQL refuses to run as root.
        self._user = pwd.getpwnam("postgres") if os.geteuid() == 0 else None
        if self._user:
            os.chown(folder, self._user.pw_uid, self._user.pw_gid)
        data = str(folder / "data")
        initdb = ["initdb", "-D", data, "-U", "postgres", "--auth=trust", "-E", "UTF8", "--no-sync"]
        self._start(initdb).wait(START_TIMEOUT_S)
        options = ["-c", "listen_addresses=", "-c", f"unix_socket_directories={folder}"]
        self._server = self._start(["postgres", "-D", data, "-F", *options])
        self._await_ready()

    @property
    def url(self) -> URL:
        """Where its one database is."""
        return URL.create(
            "postgresql", username="postgres", database="postgres", query={"host": str(self.folder)}
        )

    def execute(self, statement: str) -> None:
        """Run one statement, past the code under test."""
        with psycopg.connect(self._conninfo(), autocommit=True) as connection:
            connection.execute(statement.encode())

    def stop(self) -> None:
        """End the server and wait for it."""
        self._server.send_signal(signal.SIGINT)
        try:
            self._server.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._server.kill()
            self._server.wait()

    def _conninfo(self) -> str:
        return f"host={self.folder} user=postgres dbname=postgres"

    def _start(self, command: list[str]) -> subprocess.Popen[bytes]:
        program = str(self._programs / command[0])
        with (self.folder.parent / f"{self.folder.name}.log").open("ab") as log:
            return subprocess.Popen(
                [program, *command[1:]],
                cwd=self.folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
                user=self._user.pw_uid if self._user else None,
                group=self._user.pw_gid if self._user else None,
                extra_groups=[] if self._user else None,
            )

    def _await_ready(self) -> None:
        deadline = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                self.execute("SELECT 1")
                return
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self._server.poll() is not None:
                    self.stop()
                    raise
                time.sleep(0.05)


@pytest.fixture(scope="session")
def postgres() -> Iterator[Cluster]:
    """One server for all tests; skipped where PostgreSQL is not installed, except in CI."""
    programs = find_postgres()
    if programs is None:
        if os.environ.get("CI"):
            pytest.fail("PostgreSQL is not installed")
        pytest.skip("PostgreSQL is not installed")
    # Not below pytest's folders: those are closed to the user that the server runs as.
    with tempfile.TemporaryDirectory(prefix="promptbus-pg-", ignore_cleanup_errors=True) as outer:
        Path(outer).chmod(0o755)
        folder = Path(outer) / "cluster"
        folder.mkdir(mode=0o700)
        cluster = Cluster(programs, folder)
        try:
            yield cluster
        finally:
            cluster.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> URL:
    """An empty database of each kind."""
    if request.param == "sqlite":
        return sqlite_url(tmp_path / "history é 100%.db")
    cluster: Cluster = request.getfixturevalue("postgres")
    cluster.execute("DROP TABLE IF EXISTS runs, projection_position")
    return cluster.url
