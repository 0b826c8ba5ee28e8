"""Traces of runs whose processes are killed, and what ``doctor traces`` says of them."""

from pathlib import Path

import pytest

from contracts.run_spans import run_spans
from promptbus.process import open_process
from promptbus.settings import Settings
from promptbus.trace_checks import check_traces
from tests.contracts.journals import RUN_ID, whole_run
from tests.promptbus.conftest import System
from tests.promptbus.trace_scene import Scene, play


@pytest.mark.slow
async def test_kills_and_retries_leave_one_whole_trace_a_run(tmp_path: Path) -> None:
    with Scene(tmp_path, seed=3) as scene:
        (check,) = await play(scene, 60, seed=3, kill_every_s=1.0)
        assert check.state == "ok", check.found
        assert check.found.startswith("60 runs")
        assert scene.num_kills > 0


def test_the_doctor_compares_traces_with_journals(system: System) -> None:
    assert system.run("ask", "-m", "echo", "hello there").code == 0
    done = system.run("doctor", "traces", "--json")
    (check,) = done.json()
    assert (done.code, check["state"]) == (0, "ok"), done.out
    assert "one root each, no orphan" in check["found"]


async def test_the_doctor_names_what_is_wrong(settings: Settings) -> None:
    async with open_process(settings, "test") as process:
        assert (await check_traces(process))[0].state == "warning"
        for entry in whole_run():
            subject = f"runs.{RUN_ID}.{entry.subject.step.replace('/', '.')}"
            await process.journal.write(subject, entry.event)
        (check,) = await check_traces(process)
        assert check.state == "broken"
        assert "0 roots" in check.found
        assert "'send tasks.executor' of executor/1 is missing" in check.found
        journal = await process.journal.read(RUN_ID)
        await process.spans.send(run_spans(RUN_ID, journal))
        (check,) = await check_traces(process)
        assert check.state == "ok"
