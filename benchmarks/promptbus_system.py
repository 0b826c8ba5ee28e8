"""A whole promptbus in real processes, laid out as ``promptbus up`` does or in another way."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from benchmarks.contestant import ROOT, ContestantFailed
from benchmarks.process_family import ProcessFamily
from promptbus.endpoint import Endpoint, read_endpoint
from promptbus.nats_server import NatsServer
from promptbus.settings import Settings

UP = "up"
# Processes are parted by commas, the actors in one of them by plus signs.
LAYOUTS: Mapping[str, str] = {
    UP: UP,
    "split": "coordinator,analyzer+history+monitor+validator+summarizer,executor",
    "each": "coordinator,analyzer,history,monitor,validator,summarizer,executor",
}
START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 30.0


class PromptbusSystem:
    """Everything on this machine while the context is open: synced storage, spans, all actors.

    ``layout`` is a name of :data:`LAYOUTS` or such a text itself; ``variables`` are settings of
    its processes and of their clients.
    """

    def __init__(
        self, data_dir: Path, layout: str = UP, variables: Mapping[str, str] | None = None
    ) -> None:
        self._data_dir = data_dir
        self._variables = dict(variables or {})
        self._layout = LAYOUTS.get(layout, layout)
        self._stack = ExitStack()
        self._settings = Settings(data_dir=data_dir)
        self._names: dict[int, str] = {}

    def __enter__(self) -> Self:
        self._data_dir.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            if self._layout == UP:
                self._start_up(stack)
            else:
                self._start_actors(stack)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stack.close()

    def environment(self) -> dict[str, str]:
        """The environment of a client of this system."""
        settings = {
            name: value
            for name, value in self._settings.environment().items()
            if name.startswith("PROMPTBUS_")
        }
        return own_environment() | self._variables | settings

    def family(self) -> ProcessFamily:
        """All its processes."""
        return ProcessFamily(self._names)

    def _start_up(self, stack: ExitStack) -> None:
        argv = ("promptbus", "up", "--data-dir", str(self._data_dir), "--port", "0")
        env = own_environment() | self._variables
        process, log = self._start(stack, "main", argv, env)
        endpoint = self._wait_for_endpoint(process, log)
        self._settings = self._settings.with_address(endpoint.address())

    def _wait_for_endpoint(self, process: subprocess.Popen[bytes], log: Path) -> Endpoint:
        give_up_at = time.monotonic() + START_TIMEOUT_S
        while process.poll() is None and time.monotonic() < give_up_at:
            endpoint = read_endpoint(self._data_dir)
            if endpoint is not None:
                return endpoint
            time.sleep(0.1)
        raise ContestantFailed(f"promptbus did not start:\n{log.read_text()[-2000:]}")

    def _start_actors(self, stack: ExitStack) -> None:
        server = NatsServer(self._data_dir / "nats")
        server.start()
        stack.callback(server.stop)
        self._settings = self._settings.with_address(server.address)
        if server.pid is not None:
            self._names[server.pid] = "nats-server"
        started = []
        for group in self._layout.split(","):
            kinds = group.split("+")
            argv = ("benchmarks.actor_group", *kinds)
            if len(kinds) == 1:
                argv = ("promptbus", "actor", *kinds)
            name = kinds[0] if len(kinds) == 1 else f"{kinds[0]} and {len(kinds) - 1} more"
            started.append(self._start(stack, name, argv, self.environment()))
        for process, log in started:
            _wait_until_serving(process, log)

    def _start(
        self, stack: ExitStack, name: str, module: Sequence[str], env: Mapping[str, str]
    ) -> tuple[subprocess.Popen[bytes], Path]:
        log = self._data_dir / f"{name}.log"
        with log.open("wb") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", *module], cwd=ROOT, env=env, stdout=file, stderr=file
            )
        stack.callback(stop, process)
        self._names[process.pid] = name
        return process, log


def own_environment() -> dict[str, str]:
    """This environment without the settings of another promptbus."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PROMPTBUS_")}


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a process in order, and by force when it does not."""
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait_until_serving(process: subprocess.Popen[bytes], log: Path) -> None:
    give_up_at = time.monotonic() + START_TIMEOUT_S
    while "serving" not in log.read_text(errors="replace"):
        if process.poll() is not None or time.monotonic() > give_up_at:
            raise ContestantFailed(f"an actor did not start:\n{log.read_text()[-2000:]}")
        time.sleep(0.1)
