"""The terminal tells why a run waits, and stops telling when the answer comes."""

import asyncio
import os
import pty
import re
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import IO, Any

import anyio
import pytest

from actors.actor import Step
from contracts.actor_kind import ActorKind
from contracts.event import StepEvent
from contracts.task import GenerateAnswer
from contracts.waiting import WaitCause, WaitNote
from promptbus.cli.wait_line import describe
from promptbus.settings import Settings
from tests.actors.coordinator.team import SCRIPTED, ScriptedExecutor, answer_to, serving, team
from tests.promptbus.commands import environment, promptbus

NOTE = WaitNote(model="m", cause=WaitCause.LOADING, message="loading m, 41 %", waited_s=12.4)


@pytest.mark.parametrize(
    ("note", "line"),
    [
        (NOTE, "waiting 12 s: loading m, 41 %"),
        (
            NOTE.model_copy(update={"estimate_s": 7.9}),
            "waiting 12 s: loading m, 41 %; about 8 s more",
        ),
        (
            NOTE.model_copy(update={"message": "two\x1b[2J\nlines"}),
            "waiting 12 s: two\ufffd[2J lines",
        ),
    ],
)
def test_a_note_is_one_harmless_line(note: WaitNote, line: str) -> None:
    assert describe(note) == line


async def greet(task: GenerateAnswer, step: Step) -> StepEvent:
    """Answer at once."""
    await step.emit("hello")
    await step.finish()
    return answer_to(task)


@asynccontextmanager
async def asking(settings: Settings, stderr: int | IO[Any]) -> AsyncIterator[Process]:
    """``promptbus ask`` at work."""
    env = {**environment(), **settings.environment(), "TERM": "xterm", "COLUMNS": "200"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "promptbus", "ask", "hi", "--model", SCRIPTED),
        env=env,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=PIPE,
        stderr=stderr,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_a_waiting_run_is_told_in_plain_lines_and_shown(
    settings: Settings, tmp_path: Path
) -> None:
    log = tmp_path / "stderr"
    async with team(settings, without=[ActorKind.EXECUTOR]) as found:
        with log.open("wb") as stderr:
            async with asking(settings, stderr) as process:
                await said(log, r"waiting [2-9] s: no executor is present\n")
                env = {**environment(), **settings.environment()}
                shown = await anyio.to_thread.run_sync(
                    lambda: promptbus("run", "show", "last", env=env)
                )
                assert re.search(r"analyzed \d+ s ago; no executor is present", shown.out)
                (run_id,) = re.findall(r"run ([0-9a-f]{32})", shown.out)
                await found.client.cancel(run_id)
                out, _ = await asyncio.wait_for(process.communicate(), 40)
        assert (process.returncode, out) == (1, b"")
        assert "waiting 1 s" not in read(log)


def read(log: Path) -> str:
    """What the file holds."""
    return log.read_text(errors="replace")


async def said(log: Path, pattern: str) -> None:
    """Return as soon as the file holds what matches."""
    with anyio.fail_after(40):
        while not re.search(pattern, read(log)):
            await anyio.sleep(0.05)


async def test_on_a_terminal_one_line_lives_until_the_answer_comes(
    settings: Settings, tmp_path: Path
) -> None:
    log = tmp_path / "terminal"
    log.touch()
    master, slave = pty.openpty()
    async with team(settings, without=[ActorKind.EXECUTOR]) as found:
        async with asking(settings, slave) as process:
            os.close(slave)
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(record, master, log)
                await said(log, r"waiting \d+ s: no executor is present")
                async with serving(found.process, (), [ScriptedExecutor(greet)]):
                    out, _ = await asyncio.wait_for(process.communicate(), 40)
    assert out == b"hello\n"
    screen = read(log)
    after = screen[screen.rindex("waiting") :]
    # The line is erased and the cursor shown again before the steps are printed.
    assert "\x1b[2K" in after[: after.index("validator")]
    assert screen.count("\x1b[?25l") == screen.count("\x1b[?25h")


async def record(master: int, log: Path) -> None:
    """Write what the terminal gets into a file, until its other end is closed."""
    with log.open("ab", buffering=0) as file, os.fdopen(master, "rb", buffering=0) as terminal:
        while True:
            try:
                data = await anyio.to_thread.run_sync(terminal.read, 4096)
            except OSError:  # How Linux says that nobody holds the other end any more.
                return
            file.write(data)
