"""The processes of a chaos run: started, frozen, killed, started again, and always reaped."""

import os
import signal
import subprocess
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import anyio

from promptbus.child_process import spawn
from promptbus.nats_server import NatsServer

LOOK_EVERY_S = 0.1
END_S = 5.0
# By a fault of the plan; 143 says that it was asked to end while it was starting.
_ASKED = (-signal.SIGKILL, -signal.SIGTERM, 0, 128 + signal.SIGTERM)


class Member(Protocol):
    """One process that is started again whenever it has ended."""

    name: str
    pause_s: float

    @property
    def pid(self) -> int | None:
        """Its id while it runs."""

    @property
    def code(self) -> int | None:
        """What it ended with; None while it runs."""

    def start(self) -> None:
        """Start it without waiting until it serves."""


class CommandMember:
    """A ``promptbus`` command; what it says is appended to ``log``."""

    pause_s = 0.2

    def __init__(
        self, name: str, argv: Sequence[str], env: Mapping[str, str], folder: Path
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self._argv = argv
        self._env = env
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Its id while it runs."""
        return self._process.pid if self._process and self._process.poll() is None else None

    @property
    def code(self) -> int | None:
        """What it ended with."""
        return self._process.poll() if self._process is not None else None

    def start(self) -> None:
        """Start it."""
        with self.log.open("ab") as log:
            # A frozen process hears of nothing but this when its parent is killed.
            self._process = spawn(self._argv, env=self._env, log=log, end_with=signal.SIGKILL)


class ServerMember:
    """A nats-server of the cluster."""

    pause_s = 1.0

    def __init__(self, name: str, server: NatsServer) -> None:
        self.name = name
        self._server = server

    @property
    def pid(self) -> int | None:
        """Its id while it runs."""
        return self._server.pid

    @property
    def code(self) -> int | None:
        """Zero once it has ended: a server that falls by itself says why in its log."""
        return 0 if self._server.pid is None else None

    def start(self) -> None:
        """Start it; it is healthy once a majority is."""
        self._server.launch()


@dataclass(frozen=True, slots=True)
class Fall:
    """A process that ended with an error though nobody had asked it to."""

    name: str
    code: int
    at_s: float


@dataclass
class Fleet:
    """All members; :meth:`watch` starts again what has ended."""

    members: dict[str, Member] = field(default_factory=dict)
    falls: list[Fall] = field(default_factory=list)
    _frozen: set[str] = field(default_factory=set)

    def add(self, members: Iterable[Member]) -> None:
        """Start members and keep them."""
        for member in members:
            self.members[member.name] = member
            member.start()

    async def watch(self) -> None:
        """Start what has ended again, until cancelled."""
        down_s: dict[str, float] = {}
        while True:
            await anyio.sleep(LOOK_EVERY_S)
            now = time.monotonic()
            for name, member in self.members.items():
                if member.code is None:
                    continue
                if name not in down_s:
                    down_s[name] = now
                    self._frozen.discard(name)
                    if member.code not in _ASKED:
                        self.falls.append(Fall(name, member.code, time.time()))
                elif now - down_s[name] >= member.pause_s:
                    del down_s[name]
                    member.start()

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a member, if it runs."""
        pid = self.members[name].pid
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, number)

    def kill(self, name: str) -> None:
        """End it as a crash would."""
        self.send(name, signal.SIGCONT)
        self.send(name, signal.SIGKILL)

    def freeze(self, name: str) -> None:
        """Let it get on no more."""
        self._frozen.add(name)
        self.send(name, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """Let it get on again."""
        self._frozen.discard(name)
        self.send(name, signal.SIGCONT)

    def end_all(self) -> None:
        """End every process and reap it: asked first, then killed."""
        for name in self.members:
            self.send(name, signal.SIGCONT)
            self.send(name, signal.SIGTERM)
        deadline_s = time.monotonic() + END_S
        while self._running() and time.monotonic() < deadline_s:
            time.sleep(0.02)
        while self._running():
            for name in self._running():
                self.kill(name)
            time.sleep(0.02)

    def _running(self) -> list[str]:
        return [name for name, member in self.members.items() if member.code is None]
