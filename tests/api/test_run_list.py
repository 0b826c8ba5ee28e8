"""The list of runs: filters, pages, and bad queries."""

from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from bus.connection import BusAddress
from contracts.actor_kind import ActorKind
from contracts.run_id import new_run_id
from tests.api.house import House, open_house

PROMPTS = ("Translate dog into Spanish", "12 + 7?", "¿Cuál es la capital de Perú?")


async def _run_all(house: House, http: httpx2.AsyncClient) -> list[str]:
    found = []
    for prompt in PROMPTS:
        answer = await http.post("/orchestrator/run", json={"prompt": prompt, "model": "echo"})
        assert answer.json()["state"] == "answered"
        found.append(answer.json()["run_id"])
    return found


async def _ids(http: httpx2.AsyncClient, **query: Any) -> list[str]:
    answer = await http.get("/orchestrator/runs", params=query)
    assert answer.status_code == 200, answer.text
    return [run["run_id"] for run in answer.json()["runs"]]


async def test_runs_are_listed_by_whatever_is_known_of_them(
    address: BusAddress, data_dir: Path
) -> None:
    async with open_house(address, data_dir) as house, house.http() as http:
        run_ids = await _run_all(house, http)
        newest_first = run_ids[::-1]
        assert await _ids(http) == newest_first
        assert await _ids(http, state="answered", model="echo") == newest_first
        assert await _ids(http, state="failed") == []
        assert await _ids(http, model="pocket") == []
        assert await _ids(http, q="PERU capital") == [run_ids[2]]
        assert await _ids(http, task_type="translate") == [run_ids[0]]
        started = (await http.get(f"/orchestrator/runs/{run_ids[1]}")).json()["started_at"]
        assert await _ids(http, since=started) == run_ids[:0:-1]
        assert await _ids(http, until=started) == [run_ids[0]]
        assert await _ids(http, since=started, until=started) == []
        assert await _ids(http, session_id="nobody's") == []

        first = (await http.get("/orchestrator/runs?limit=2")).json()
        assert [run["run_id"] for run in first["runs"]] == newest_first[:2]
        rest = (await http.get(f"/orchestrator/runs?limit=2&cursor={first['cursor']}")).json()
        assert [run["run_id"] for run in rest["runs"]] == newest_first[2:]
        assert rest["cursor"] is None


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=-1", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("cursor=x", "cursor"),
        ("cursor=-1", "cursor"),
        (f"cursor={'9' * 30}", "cursor"),
        ("state=done", "state"),
        ("task_type=poem", "task_type"),
        ("since=yesterday", "since"),
        ("since=0001-01-01T00:00:00%2B14:00", "since"),
        ("until=9999-12-31T23:59:59-14:00", "until"),
        (f"q={'x' * 201}", "q"),
        ("model=", "model"),
    ],
)
async def test_a_query_that_cannot_be_is_refused(
    address: BusAddress, data_dir: Path, query: str, field: str
) -> None:
    kinds = (ActorKind.HISTORY,)
    async with open_house(address, data_dir, kinds=kinds) as house, house.http() as http:
        answer = await http.get(f"/orchestrator/runs?{query}")
        assert answer.status_code == 422, answer.text
        assert answer.json()["field"].endswith(field)
        assert answer.headers["content-type"] == "application/problem+json"
        assert (await http.get("/orchestrator/runs?q=%00%25_")).status_code == 200


async def test_without_a_history_the_list_names_what_is_missing(
    address: BusAddress, data_dir: Path
) -> None:
    async with open_house(address, data_dir, kinds=()) as house, house.http() as http:
        with anyio.fail_after(5):
            answer = await http.get("/orchestrator/runs")
    assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
    assert "history" in answer.json()["detail"]


async def test_a_queued_run_is_known_to_every_api_and_an_unknown_one_to_none(
    address: BusAddress, data_dir: Path
) -> None:
    async with (
        open_house(address, data_dir, kinds=()) as one,
        open_house(address, data_dir / "other", kinds=()) as other,
        one.http() as here,
        other.http() as there,
    ):
        answer = await here.post("/orchestrator/run?wait_s=0", json={"prompt": "hi"})
        assert answer.status_code == 202
        path = answer.headers["location"]
        assert (await there.get(path)).json()["state"] == "queued"
        assert (await there.get(f"{path}/events")).json()["events"] == []
        assert (await there.post(f"{path}/cancel")).status_code == 202
        unknown = f"/orchestrator/runs/{new_run_id()}"
        for http in (here, there):
            assert (await http.get(unknown)).status_code == 404
