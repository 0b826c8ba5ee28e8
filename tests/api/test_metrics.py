"""What Prometheus scrapes: numbers that are right, in a form that its own parser takes."""

from pathlib import Path

import anyio
import httpx2
import pytest
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from bus.connection import BusAddress
from contracts.actor_kind import ActorKind
from tests.api.house import House, open_house

# What `promtool check metrics` wants: base units, and names that say them.
UNITS = ("_seconds", "_bytes", "_ratio")
NOT_BASE = ("_ms", "_milliseconds", "_kb", "_mb", "_percent")


async def scraped(http: httpx2.AsyncClient) -> dict[str, Metric]:
    """The metrics by name."""
    answer = await http.get("/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    families = list(text_string_to_metric_families(answer.text))
    assert len({family.name for family in families}) == len(families)
    return {family.name: family for family in families}


def value(family: Metric, **labels: str) -> float:
    """The one value with those labels."""
    (sample,) = [
        one
        for one in family.samples
        if labels.items() <= one.labels.items()
        and not one.name.endswith(("_bucket", "_created"))
        and not one.name.endswith("_sum")
    ]
    return sample.value


async def answered(house: House, http: httpx2.AsyncClient, prompt: str) -> None:
    """Run a prompt to its end, its summary included."""
    run = (await http.post("/orchestrator/run", json={"prompt": prompt, "model": "echo"})).json()
    async for _ in house.client.follow(run["run_id"], summary=True):
        pass


async def test_runs_are_counted_from_the_first_scrape_on(
    address: BusAddress, data_dir: Path
) -> None:
    async with open_house(address, data_dir) as house, house.http() as http:
        await answered(house, http, "not counted")
        before = await scraped(http)
        assert before["promptbus_runs"].samples == []
        await answered(house, http, "Say: hello there")
        with anyio.fail_after(5):
            while not (found := await scraped(http))["promptbus_runs"].samples:
                await anyio.sleep(0.05)
        assert value(found["promptbus_runs"], outcome="answered") == 1
        assert value(found["promptbus_run_duration_seconds"], outcome="answered") == 1
        for kind in set(ActorKind) - {ActorKind.COORDINATOR, ActorKind.EXECUTOR}:
            assert value(found["promptbus_step_duration_seconds"], actor=kind) >= 1
        assert value(found["promptbus_tokens"], model="echo", type="output") > 0
        assert value(found["promptbus_actors"], kind="executor") == 1
        assert value(found["promptbus_queue_waiting"], queue="analyzer") == 0
        assert value(found["promptbus_device_memory_bytes"], device="cpu") > 1 << 20
        assert value(found["promptbus_stream_messages"], stream="RUNS") > 10


async def test_dead_letters_are_counted_by_actor(address: BusAddress, data_dir: Path) -> None:
    async with open_house(address, data_dir, kinds=[ActorKind.COORDINATOR]) as house:
        async with house.http() as http:
            before = value((await scraped(http))["promptbus_dead_letters"], actor="coordinator")
            await house.process.connection.jetstream.publish("prompts.normal", b"{}")
            with anyio.fail_after(5):
                while True:
                    letters = (await scraped(http))["promptbus_dead_letters"]
                    if value(letters, actor="coordinator") == before + 1:
                        return
                    await anyio.sleep(0.05)


async def test_names_types_and_units_are_as_prometheus_wants_them(
    address: BusAddress, data_dir: Path
) -> None:
    async with open_house(address, data_dir) as house, house.http() as http:
        await scraped(http)
        await answered(house, http, "Say: hello there")
        with anyio.fail_after(5):
            while not (families := await scraped(http))["promptbus_runs"].samples:
                await anyio.sleep(0.05)
    for name, family in families.items():
        assert name.startswith("promptbus_")
        assert family.documentation
        assert family.type in {"counter", "gauge", "histogram", "info"}
        assert not name.endswith(NOT_BASE)
        if family.type == "histogram":
            assert name.endswith(UNITS)
        for sample in family.samples:
            assert not {"run_id", "trace_id", "prompt"} & sample.labels.keys()
            if family.type == "counter":
                assert sample.name.endswith(("_total", "_created"))


@pytest.mark.parametrize("key", ["", "no-such-key"])
async def test_with_keys_a_scrape_needs_one(address: BusAddress, data_dir: Path, key: str) -> None:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with open_house(address, data_dir, kinds=(), with_keys=True) as house:
        async with house.http() as http:
            assert (await http.get("/metrics", headers=headers)).status_code == 401
