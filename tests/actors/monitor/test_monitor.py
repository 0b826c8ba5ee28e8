"""The monitor actor."""

from collections.abc import Sequence

import pytest

from actors.actor import Handler
from actors.monitor import Monitor
from contracts.errors import NoExecutor
from contracts.presence import HostReport
from contracts.run_id import new_run_id
from contracts.task import DecideResources
from tests.actors.monitor.hosts import host, model, pocket


def test_it_takes_decisions_on_resources() -> None:
    assert Monitor.handlers == {DecideResources: Handler("decide", takes_step=False)}


async def test_each_decision_asks_for_the_hosts_as_they_are_now() -> None:
    present: list[HostReport] = []

    async def hosts() -> Sequence[HostReport]:
        return present

    monitor = Monitor(hosts)
    task = DecideResources(run_id=new_run_id(), attempt=2)
    with pytest.raises(NoExecutor):
        await monitor.decide(task)
    present.append(host(pocket()))
    decided = await monitor.decide(task)
    assert (decided.run_id, decided.attempt, decided.model) == (task.run_id, 2, "pocket")


async def test_what_is_chosen_is_placed_and_the_host_that_holds_it_is_named() -> None:
    asked: list[tuple[str, str]] = []

    async def hosts() -> Sequence[HostReport]:
        return [host(model("m", rank=3), name="a"), host(model("m", rank=3), name="b")]

    async def ensure_placed(name: str, strategy: str) -> Sequence[str]:
        asked.append((name, strategy))
        return ("b", "c")

    monitor = Monitor(hosts, "m", ensure_placed)
    decided = await monitor.decide(DecideResources(run_id=new_run_id(), strategy="optimized"))
    assert asked == [("m", "optimized")]
    assert decided.host == "b"
    assert decided.reason.endswith("; placed on b, c")
    same = await Monitor(hosts, "m").decide(DecideResources(run_id=new_run_id()))
    assert same.host == "a"


async def test_the_default_model_is_handed_in() -> None:
    async def hosts() -> Sequence[HostReport]:
        return [host(model("ours", rank=3), model("theirs", rank=4))]

    task = DecideResources(run_id=new_run_id(), difficulty="low")
    assert (await Monitor(hosts, "ours").decide(task)).model == "ours"
    assert (await Monitor(hosts).decide(task)).model == "theirs"
