"""Loading, pinning and freeing models over REST, on a real executor with the built-in model."""

from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from bus.connection import BusAddress
from contracts.actor_kind import ActorKind
from tests.api.house import SLOW, SlowExecutor, open_house

EXECUTOR = (ActorKind.EXECUTOR, ActorKind.MONITOR)
POCKET = {"model": "pocket"}


def _models(body: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {model["model"]: model for host in body["hosts"] for model in host["models"]}


async def _order(http: httpx2.AsyncClient, path: str, **body: Any) -> dict[str, Any]:
    method = "PUT" if path == "budget" else "POST"
    answer = await http.request(method, f"/cache/{path}", json=body)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_a_model_is_loaded_pinned_and_freed(address: BusAddress, data_dir: Path) -> None:
    async with open_house(address, data_dir, kinds=EXECUTOR) as house, house.http() as http:
        assert _models((await http.get("/cache")).json()) == {}
        loaded = await _order(http, "load", model="pocket", strategy="streaming")
        (host,) = loaded["hosts"]
        pocket = _models(loaded)["pocket"]
        assert (pocket["strategy"], pocket["pinned"]) == ("streaming", False)
        assert pocket["size_bytes"] > 1_000_000
        again = await _order(http, "load", **POCKET, host=host["host"])
        assert _models(again).keys() == {"pocket"}

        memory = (await http.get("/cache/memory")).json()
        assert memory["used_bytes"] >= pocket["size_bytes"]
        assert memory["total_bytes"] == memory["used_bytes"] + memory["free_bytes"]

        assert _models(await _order(http, "pin", **POCKET))["pocket"]["pinned"]
        # What is pinned stays so when the executor next reads its placement, and is not evicted.
        assert _models(await _order(http, "evict")).keys() == {"pocket"}
        await anyio.sleep(1.2)
        assert _models((await http.get("/cache")).json())["pocket"]["pinned"]
        assert not _models(await _order(http, "unpin", **POCKET))["pocket"]["pinned"]
        assert _models(await _order(http, "evict", host=host["host"])) == {}

        states = (await http.get("/inference/models")).json()["models"]
        assert {model["model"]: model for model in states}["pocket"]["available"]
        answer = await http.post("/inference/", json={"prompt": "hello", **POCKET})
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert body["success"]
        assert (body["model"], body["source"], body["cache_hit"]) == ("pocket", "local", False)
        assert body["total_time_ms"] == body["metrics"]["total_time_ms"]
        assert body["usage"]["total_tokens"] == body["metrics"]["total_tokens"]
        assert _models(await _order(http, "unload", **POCKET)) == {}


async def test_a_budget_that_is_too_small_is_told_by_how_much(
    address: BusAddress, data_dir: Path
) -> None:
    async with open_house(address, data_dir, kinds=EXECUTOR) as house, house.http() as http:
        changed = await _order(http, "budget", budgets={"cpu": 1_000_000})
        (device,) = changed["hosts"][0]["devices"]
        assert (device["name"], device["total_bytes"]) == ("cpu", 1_000_000)
        answer = await http.post("/cache/load", json=POCKET)
        assert (answer.status_code, answer.json()["code"]) == (503, "does_not_fit")
        answer = await http.put("/cache/budget", json={"budgets": {"cuda:7": 1}})
        assert (answer.status_code, answer.json()["field"]) == (422, "budgets")
        assert "cpu" in answer.json()["cure"]
        await _order(http, "budget", budgets={"cpu": 4_000_000_000})
        assert _models(await _order(http, "load", **POCKET)).keys() == {"pocket"}


async def test_orders_that_cannot_be_carried_out_are_refused(
    address: BusAddress, data_dir: Path
) -> None:
    async with open_house(address, data_dir, kinds=EXECUTOR) as house, house.http() as http:
        unknown = {"model": "nosuch"}
        for path in ("load", "unload", "pin", "unpin"):
            answer = await http.post(f"/cache/{path}", json=unknown)
            assert (answer.status_code, answer.json()["code"]) == (422, "unknown_model"), path
            answer = await http.post(f"/cache/{path}", json={**POCKET, "host": "nowhere"})
            assert (answer.status_code, answer.json()["code"]) == (404, "unknown_host"), path
        answer = await http.post("/cache/load", json={**POCKET, "strategy": "turbo"})
        assert (answer.status_code, answer.json()["code"]) == (422, "unknown_strategy")
        answer = await http.post("/cache/pin", json={"model": "qwen3-0.6b"})
        assert (answer.status_code, answer.json()["code"]) == (409, "not_resident")


async def test_an_executor_that_does_not_answer_is_shown_as_it_announced_itself(
    address: BusAddress, data_dir: Path
) -> None:
    async with (
        open_house(address, data_dir, kinds=(), slow=SlowExecutor()) as house,
        house.http() as http,
    ):
        assert _models((await http.get("/cache")).json()).keys() == {SLOW}
        answer = await http.post("/cache/load", json={"model": SLOW})
        assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("load", {}),
        ("load", {"model": ""}),
        ("load", {"model": 5}),
        ("load", {"model": "pocket", "path": "/etc/passwd"}),
        ("load", {"model": "pocket", "host": ""}),
        ("evict", {"all": True}),
        ("budget", {"budgets": {}}),
        ("budget", {"budgets": {"cpu": 0}}),
        ("budget", {"budgets": {"cpu": 1.5}}),
        ("budget", {"budgets": {"cpu": 2**63}}),
        ("budget", {"budgets": {"": 1}}),
        ("budget", {"max_gb": 5}),
    ],
)
async def test_malformed_orders_are_refused(
    address: BusAddress, data_dir: Path, path: str, body: dict[str, Any]
) -> None:
    async with open_house(address, data_dir, kinds=()) as house, house.http() as http:
        method = "PUT" if path == "budget" else "POST"
        answer = await http.request(method, f"/cache/{path}", json=body)
        assert answer.status_code == 422, answer.text
        assert answer.json()["code"] != "unknown_model"


async def test_without_any_executor_there_is_nothing_to_order(
    address: BusAddress, data_dir: Path
) -> None:
    async with open_house(address, data_dir, kinds=()) as house, house.http() as http:
        assert (await http.get("/cache")).json() == {"hosts": []}
        assert (await http.get("/cache/memory")).json()["devices"] == []
        assert (await http.post("/cache/evict")).json() == {"hosts": []}
        for path in ("load", "unload", "pin"):
            answer = await http.post(f"/cache/{path}", json=POCKET)
            assert (answer.status_code, answer.json()["code"]) == (503, "no_executor")
