"""One session for a synchronous program: opened by its first use, closed in order."""

import subprocess
import sys
from pathlib import Path

import pytest

from contracts.errors import NotReady
from contracts.run_id import new_run_id
from contracts.task import GenerateAnswer
from promptbus.endpoint import write_endpoint
from promptbus.langchain import BusSession
from promptbus.nats_server import NatsServer
from promptbus.settings import Settings
from tests.promptbus.langchain.executors import ECHO, executors


def task(prompt: str = "hi") -> GenerateAnswer:
    """A generation."""
    return GenerateAnswer(run_id=new_run_id(), model=ECHO, prompt=prompt, timeout_s=30)


def answer(session: BusSession, prompt: str) -> str:
    """What the model says."""
    (result,) = session.generate([task(prompt)])
    return result.output


def test_it_opens_at_its_first_use_and_again_after_it_was_closed(settings: Settings) -> None:
    session = BusSession(settings)
    with executors(settings), session:
        assert not session.is_open
        assert answer(session, "one") == "one"
        assert session.is_open
        session.close()
        session.close()
        assert not session.is_open
        assert answer(session, "two") == "two"
    assert not session.is_open


def test_without_a_promptbus_it_says_how_to_start_one(tmp_path: Path) -> None:
    with BusSession(Settings(data_dir=tmp_path)) as session:
        for _ in range(2):
            with pytest.raises(NotReady) as caught:
                session.generate([task()])
            assert "promptbus up" in (caught.value.cure or "")
            assert not session.is_open


def test_it_finds_the_promptbus_of_the_data_folder_and_the_one_started_after_it(
    nats_server: NatsServer, settings: Settings, tmp_path: Path
) -> None:
    folder = Settings(data_dir=tmp_path / "data")
    folder.data_dir.mkdir(exist_ok=True)
    with BusSession(folder) as session:
        write_endpoint(folder.data_dir, nats_server.address, None)
        with executors(settings):
            assert answer(session, "one") == "one"
        nats_server.kill()
        with NatsServer(tmp_path / "other", synced=False) as other:
            write_endpoint(folder.data_dir, other.address, None)
            with executors(settings.with_address(other.address)):
                assert answer(session, "two") == "two"


PROGRAM = """
from promptbus.langchain import create_local_llm
llm = create_local_llm("echo")
print(llm.invoke("hello"), next(iter(llm.stream("again"))))
"""


def test_a_program_that_never_closes_it_ends_all_the_same(settings: Settings) -> None:
    with executors(settings):
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", PROGRAM],
            env=settings.environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stdout, done.stderr) == (0, "hello again\n", "")
