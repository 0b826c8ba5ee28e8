"""An actor as a child: it starts, its fall is noticed, and a hopeless start is told."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from contracts.actor_kind import ActorKind
from contracts.errors import NotReady
from promptbus.actor_process import RESTART_PAUSES_S, ActorProcess
from promptbus.settings import Settings
from tests.promptbus.commands import child, is_alive, until, until_said

ARGV = ("actor", "executor")


@contextmanager
def executor_of(settings: Settings) -> Iterator[ActorProcess]:
    """An executor that was started, and is stopped in the end."""
    settings.data_dir.mkdir(exist_ok=True)
    executor = ActorProcess(settings, ActorKind.EXECUTOR)
    executor.start()
    try:
        yield executor
    finally:
        executor.stop()


def test_one_that_is_killed_is_noticed_and_started_again(settings: Settings) -> None:
    with executor_of(settings) as executor:
        until_said("executor is serving", executor.log)
        assert not executor.has_ended
        assert executor.how_it_ended() == "it is running"
        first = child(os.getpid(), *ARGV)
        assert first is not None
        first.send_signal(signal.SIGKILL)
        until(lambda: executor.has_ended)
        assert executor.how_it_ended() == "SIGKILL"
        executor.check_first_start()
        pauses_s = [executor.next_pause_s() for _ in range(len(RESTART_PAUSES_S) + 1)]
        assert pauses_s == [*RESTART_PAUSES_S, RESTART_PAUSES_S[-1]]
        executor.start()
        until(lambda: executor.log.read_text().count("executor is serving") == 2)
        second = child(os.getpid(), *ARGV)
        assert second is not None
        assert second.pid != first.pid
    assert not is_alive(second.pid)


def test_a_start_that_is_hopeless_is_told_with_its_cure(settings: Settings, tmp_path: Path) -> None:
    with executor_of(_without_models_file(settings, tmp_path)) as executor:
        until(lambda: executor.has_ended)
        assert executor.how_it_ended() == "exit code 1"
        with pytest.raises(NotReady, match=r"does not start: mine\.toml: does not exist") as caught:
            executor.check_first_start()
        assert caught.value.cure == "create it or correct the setting that names it"
        # As the log of one ends that fell over something nobody foresaw.
        executor.log.write_text("Traceback\n  | TypeError: oh no\n  +----------\n")
        with pytest.raises(NotReady, match=r"does not start: TypeError: oh no$") as caught:
            executor.check_first_start()
        assert str(executor.log) in str(caught.value.cure)


def test_stopping_what_never_started_is_harmless(settings: Settings) -> None:
    executor = ActorProcess(settings, ActorKind.EXECUTOR)
    executor.stop()
    assert not executor.has_ended


def _without_models_file(settings: Settings, folder: Path) -> Settings:
    fields = {name: getattr(settings, name) for name in settings.model_fields_set}
    return Settings(**{**fields, "models_file": folder / "mine.toml"})
