"""The monitor actor."""

from collections.abc import Sequence

import pytest

from actors.actor import Handler
from actors.monitor import Monitor
from contracts.errors import DoesNotFit, NoExecutor, UnknownModel
from contracts.presence import HostReport
from contracts.run_id import new_run_id
from contracts.task import DecideResources, GenerateAnswer
from tests.actors.monitor.hosts import host, model, pocket


def test_it_takes_decisions_on_resources_and_generations_that_nobody_else_takes() -> None:
    assert Monitor.handlers == {
        DecideResources: Handler("decide", takes_step=False),
        GenerateAnswer: Handler("refuse", takes_step=False),
    }


async def no_hosts() -> Sequence[HostReport]:
    return []


async def test_a_generation_is_refused_with_what_each_host_lacks() -> None:
    async def ensure_placed(name: str, strategy: str | None) -> Sequence[str]:
        raise DoesNotFit(model=name, needed_bytes=2, shortfalls=(f"a lacks 1 for {strategy}",))

    monitor = Monitor(no_hosts, ensure_placed=ensure_placed)
    task = GenerateAnswer(run_id=new_run_id(), model="m", prompt="p", strategy="optimized")
    with pytest.raises(DoesNotFit, match="a lacks 1 for optimized"):
        await monitor.refuse(task)


async def test_a_generation_that_a_host_has_room_for_by_now_is_left_to_it() -> None:
    async def ensure_placed(_name: str, _strategy: str | None) -> Sequence[str]:
        return ("a",)

    monitor = Monitor(no_hosts, ensure_placed=ensure_placed)
    with pytest.raises(NoExecutor) as caught:
        await monitor.refuse(GenerateAnswer(run_id=new_run_id(), model="m", prompt="p"))
    assert caught.value.patient


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
    asked: list[tuple[str, str | None]] = []

    async def hosts() -> Sequence[HostReport]:
        return [host(model("m", rank=3), name="a"), host(model("m", rank=3), name="b")]

    async def ensure_placed(name: str, strategy: str | None) -> Sequence[str]:
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


async def test_a_model_that_has_only_just_come_is_not_unknown() -> None:
    async def hosts() -> Sequence[HostReport]:
        return [host(pocket())]

    async def fresh_hosts() -> Sequence[HostReport]:
        return [host(pocket(), model("new"))]

    task = DecideResources(run_id=new_run_id(), model="new")
    monitor = Monitor(hosts, fresh_hosts=fresh_hosts)
    assert (await monitor.decide(task)).model == "new"
    with pytest.raises(UnknownModel):
        await monitor.decide(task.model_copy(update={"model": "none"}))
