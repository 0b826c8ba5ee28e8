"""Two API processes on one bus: each knows what the other does, and outlives it."""

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.promptbus.commands import started, until_said
from tests.promptbus.conftest import System

PROMPT = {"prompt": "say these words again", "model": "echo"}


@contextmanager
def second_api(system: System, log: Path) -> Iterator[tuple[httpx2.Client, Any]]:
    """Another API process beside the system's own, and a client of it."""
    address = system.endpoint.address()
    env = {
        **system.env,
        "PROMPTBUS_NATS_URL": address.urls[0],
        "PROMPTBUS_NATS_USER": address.user or "",
        "PROMPTBUS_NATS_PASSWORD": address.password or "",
    }
    with started("api", "--port", "0", log=log, env=env) as process:
        until_said("serving on", log)
        found = re.search(r"http://[\d.]+:\d+", log.read_text().replace("\n", ""))
        assert found is not None
        with httpx2.Client(base_url=found.group(), timeout=20) as client:
            yield client, process


@pytest.mark.slow
def test_what_one_was_told_the_other_knows_and_goes_on_with(system: System, tmp_path: Path) -> None:
    with (
        httpx2.Client(base_url=system.endpoint.api_url or "", timeout=20) as here,
        second_api(system, tmp_path / "api.log") as (there, process),
    ):
        accepted = here.post("/orchestrator/run?wait_s=0", json=PROMPT)
        path = accepted.headers["location"]
        run_id = path.rpartition("/")[2]
        told = there.get(f"{path}/stream").text
        assert told.count("event: done") == 1
        assert "".join(re.findall(r'"offset":\d+,"text":"([^"]*)"', told)) == PROMPT["prompt"]
        assert there.get(path).json()["output"] == here.get(path).json()["output"]
        assert there.post(f"{path}/cancel").json()["code"] == "already_final"
        for client in (here, there):
            listed = client.get("/orchestrator/runs?model=echo&limit=100").json()["runs"]
            assert run_id in [run["run_id"] for run in listed]
            assert client.get("/health").status_code == 200

        with there.stream("GET", "/orchestrator/runs/stream") as events:
            lines = events.iter_lines()
            cursor = next(line for line in lines if line.startswith("id: ")).removeprefix("id: ")
            process.send_signal(signal.SIGKILL)
            process.wait()
        ran = here.post("/orchestrator/run", json=PROMPT).json()["run_id"]
        with here.stream(
            "GET", "/orchestrator/runs/stream", headers={"Last-Event-ID": cursor}
        ) as events:
            assert any(ran in line for line in events.iter_lines())
