"""The chaos suite itself: green as it is, red without its rule, and it leaves nothing behind."""

import signal
from pathlib import Path

import psutil
import pytest

from tests.promptbus.commands import Done, environment, is_alive, python, started, until

# Three servers, two executors, two coordinators, two of the others, the API.
NUM_PROCESSES = 10


def chaos(*options: str) -> Done:
    """Run the command to its end."""
    return python("-m", "promptbus", "chaos", *options, "--json", timeout_s=240)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_nothing_is_lost_or_done_twice_while_everything_falls() -> None:
    done = chaos("--runs", "300", "--faults", "35", "--seed", "5")
    assert done.code == 0, done.out + done.err
    found = done.json()
    assert found["ok"]
    assert found["accepted"] + found["refused"] + found["unknown"] == 300
    assert sum(found["outcomes"].values()) >= found["accepted"] > 250
    assert found["num_faults"] == sum(found["faults"].values()) == 35
    for part in ("coordinator", "executor", "team", "api", "nats"):
        for action in ("kill", "freeze", "restart"):
            assert f"{part} {action}" in found["faults"]
    assert found["recovery_s"]["count"] > 0, "faults interrupted runs"
    assert found["fell_by_themselves"] == []


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_without_the_rule_that_the_first_writer_wins_the_suite_finds_the_harm() -> None:
    done = chaos(*("--runs", "120", "--faults", "15", "--seed", "1", "--nodes", "1"), "--control")
    assert done.code == 1, done.out + done.err
    found = done.json()
    assert found["double_outcomes"] or found["double_steps"]
    assert not found["ok"]
    again = "--runs 120 --faults 15 --nodes 1 --seed 1 --control"
    assert f"the same faults again: promptbus chaos {again}" in done.err


@pytest.mark.slow
def test_a_suite_that_is_killed_takes_even_frozen_processes_with_it(tmp_path: Path) -> None:
    words = ("chaos", "--runs", "500", "--faults", "0", "--keep", str(tmp_path / "kept"))
    with started(*words, log=tmp_path / "log", env=environment()) as process:
        suite = psutil.Process(process.pid)
        until(lambda: len(suite.children()) == NUM_PROCESSES, log=tmp_path / "log")
        family = suite.children()
        family[0].send_signal(signal.SIGSTOP)
        family[-1].send_signal(signal.SIGSTOP)
        suite.kill()
        until(lambda: not any(is_alive(one.pid) for one in family))


def test_two_servers_are_refused_and_help_teaches() -> None:
    refused = python("-m", "promptbus", "chaos", "--nodes", "2")
    assert refused.code == 2
    assert "of two servers none may fall" in refused.err
    told = python("-m", "promptbus", "chaos", "--help")
    assert "every accepted prompt has exactly one" in " ".join(told.out.split())
    assert "promptbus chaos --runs 10000 --faults 1000" in told.out
