"""Everything on one machine: what falls is started again, and nothing is left behind."""

import signal
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from promptbus.endpoint import read_endpoint
from promptbus.nats_server import CONFIG_NAME, STORE_NAME
from tests.promptbus.commands import child, environment, is_alive, started, until, until_said
from tests.promptbus.conftest import System, start_system


@pytest.fixture(scope="module")
def robust(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system that may be broken."""
    yield from start_system(tmp_path_factory.mktemp("robust"))


@pytest.mark.parametrize("kind", ["executor", "coordinator"])
def test_an_actor_that_is_killed_is_started_again(robust: System, kind: str) -> None:
    fallen = _actor(robust, kind)
    fallen.kill()
    until(lambda: not is_alive(fallen.pid))
    assert _actor(robust, kind).pid != fallen.pid
    assert robust.run("ask", "still there?", "-m", "echo").out == "still there?\n"
    assert f"the {kind} ended (SIGKILL)" in robust.log.read_text()


def test_a_server_that_is_killed_is_started_again_with_its_runs(robust: System) -> None:
    before = robust.run("ask", "before the fall", "-m", "echo", "--json").json()
    fallen = _server(robust)
    fallen.kill()
    until(lambda: not is_alive(fallen.pid))
    until(lambda: child(robust.process.pid, *_server_words(robust)))
    after = robust.run("ask", "after the fall", "-m", "echo", "--json")
    assert after.json()["output"] == "after the fall", after.err
    assert robust.run("run", "show", before["run_id"], "--json").json()["state"] == "answered"


def test_a_second_one_on_the_same_folder_is_refused(robust: System) -> None:
    done = robust.run("up", "--port", "0")
    assert done.code == 1
    assert f"runs already on {robust.data_dir} (process {robust.process.pid})" in done.err
    assert str(robust.endpoint.api_url) in done.err


def test_one_that_is_killed_takes_all_with_it_and_the_next_finds_its_runs(robust: System) -> None:
    family = psutil.Process(robust.process.pid).children(recursive=True)
    assert len(family) == 3
    robust.process.kill()
    robust.process.wait()
    until(lambda: not any(is_alive(process.pid) for process in family))
    assert read_endpoint(robust.data_dir) is None
    assert "no promptbus runs on" in robust.run("run", "list").err
    log = robust.log.with_name("again.log")
    with started("up", "--port", "0", "--ask", "2 + 5 = ?", log=log, env=robust.env) as process:
        until_said("Ctrl-C", log)
        asked, _, told = log.read_text().partition("> 2 + 5 = ?\n")
        assert asked
        assert "2 + 5 = 7\n" in told, "pocket answered"
        prompts = [run["prompt"] for run in robust.run("run", "list", "--json").json()]
        assert prompts[0] == "2 + 5 = ?"
        assert {"still there?", "before the fall", "after the fall"} <= set(prompts)
        family = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert "ending" in log.read_text()
    assert not any(is_alive(one.pid) for one in family)
    assert not (robust.data_dir / "endpoint.json").exists()


def test_an_executor_that_cannot_start_ends_the_start_with_its_reason(tmp_path: Path) -> None:
    models = tmp_path / "models.toml"
    models.write_text('[models.mine]\nsource = "./here"\nstrategies = "fast"\n')
    log = tmp_path / "up.log"
    env = environment(PROMPTBUS_MODELS_FILE=str(models), PROMPTBUS_DATA_DIR=str(tmp_path / "data"))
    with started("up", "--port", "0", log=log, env=env) as process:
        assert process.wait(60) == 1
    told = log.read_text().splitlines()
    assert told[-2].startswith("error the executor does not start: models.toml: mine: strategies:")
    assert told[-1] == " help correct strategies of [models.mine]"


def _actor(system: System, kind: str) -> psutil.Process:
    argv = ("actor", kind)
    found: psutil.Process = until(lambda: child(system.process.pid, *argv), log=system.log)
    return found


def _server_words(system: System) -> tuple[str, str]:
    return "--config", str(system.data_dir / STORE_NAME / CONFIG_NAME)


def _server(system: System) -> psutil.Process:
    found = child(system.process.pid, *_server_words(system))
    assert found is not None
    return found
