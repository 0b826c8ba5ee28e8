"""A full disk: nothing is accepted falsely, and what was accepted ends once there is room again."""

import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import pytest

from bus.prompt_client import PromptClient
from contracts.actor_kind import ActorKind
from contracts.errors import BusUnavailable, PromptbusError, QueueFull
from contracts.prompt import Priority, SubmitPrompt
from promptbus.nats_server import NatsServer
from promptbus.server_watch import watch_server
from promptbus.settings import Settings
from tests.actors.coordinator.team import at_the_bus, serving
from tests.promptbus.commands import PATIENCE_S

DISK = "48m"
BALLAST_BYTES = 40 << 20
PROMPT = "fill " * 4000


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own; skipped where this machine lets nobody mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", f"size={DISK}", "tmpfs", str(folder)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs the right to mount a tmpfs")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


async def test_a_full_disk_loses_nothing_and_ends_nothing(disk: Path, tmp_path: Path) -> None:
    slow = {"echo_pause_s": 0.03, "lease_s": 2.0}
    with NatsServer(disk / "nats") as server:
        settings = Settings(data_dir=tmp_path / "data", preload=(), **slow)  # type: ignore[arg-type]
        async with at_the_bus(settings.with_address(server.address)) as found:
            async with serving(found.process, ActorKind):
                begun = await found.submit("word " * 200, model="echo", max_attempts=1)
                await found.reached(begun, "history/1")
                ballast = disk / "ballast"
                ballast.write_bytes(b"x" * BALLAST_BYTES)
                accepted = []
                with pytest.raises((BusUnavailable, QueueFull)) as caught:
                    while True:
                        accepted.append(await _submit(found.client))
                assert caught.value.status == 503
                assert caught.value.retryable
                with pytest.raises(PromptbusError):
                    await _submit(found.client)
                assert server.write_fault() is not None
                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(watch_server, server, _start)
                    await anyio.sleep(1.0)
                    ballast.unlink()
                    for run_id in (begun, *accepted):
                        view = await found.client.wait(run_id, timeout_s=PATIENCE_S)
                        assert view.state == "answered", view
                    tasks.cancel_scope.cancel()


async def _submit(client: PromptClient) -> str:
    command = SubmitPrompt(prompt=PROMPT, model="echo", max_tokens=1, max_attempts=1)
    return await client.submit(command, Priority.BATCH, deadline_s=3.0)


async def _start(start: Callable[[], None]) -> None:
    await anyio.to_thread.run_sync(start)
