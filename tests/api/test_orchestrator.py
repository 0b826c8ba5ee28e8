"""Runs over HTTP."""

from pathlib import Path

import anyio
import httpx2

from bus.connection import BusAddress
from contracts.actor_kind import ActorKind
from contracts.run_id import new_run_id
from tests.api.house import SLOW, SlowExecutor, open_house, serve, until

LIGHT = tuple(kind for kind in ActorKind if kind is not ActorKind.EXECUTOR)
LONG = {"prompt": "tell me a long story", "model": SLOW, "max_tokens": 5000}


async def test_a_prompt_is_run_and_its_outcome_is_the_answer(
    address: BusAddress, data_dir: Path
) -> None:
    async with open_house(address, data_dir) as house, house.http() as http:
        wanted = {"prompt": "What is the capital of France?", "model": "echo", "max_attempts": 1}
        answer = await http.post("/orchestrator/run", json=wanted)
        assert answer.status_code == 200, answer.text
        view = answer.json()
        assert view["state"] == "answered"
        assert view["prompt"] == wanted["prompt"]
        assert view["output"]
        assert view["selected_model"] == "echo"
        assert {"analyzer/1", "executor/1", "validator/1"} <= {
            node["id"] for node in view["flow"]["nodes"]
        }
        path = answer.headers["location"]
        assert path == f"/orchestrator/runs/{view['run_id']}"
        shown = (await http.get(path)).json()
        assert (shown["state"], shown["output"]) == ("answered", view["output"])
        events = (await http.get(f"{path}/events")).json()["events"]
        assert events[0]["event_type"] == "RunStarted"
        assert "RunAnswered" in [event["event_type"] for event in events]
        sequences = [event["sequence"] for event in events]
        assert sequences == sorted(sequences)
        later = (await http.get(f"{path}/events", params={"after": sequences[1]})).json()["events"]
        assert [event["sequence"] for event in later][: len(events) - 2] == sequences[2:]
        late = await http.post(f"{path}/cancel")
        assert (late.status_code, late.json()["code"]) == (409, "already_final")


async def test_a_prompt_nobody_leads_yet_is_accepted_and_queued(
    address: BusAddress, data_dir: Path
) -> None:
    async with open_house(address, data_dir, kinds=()) as house, house.http() as http:
        wanted = {"prompt": "hi", "model": "any", "priority": "batch"}
        answer = await http.post("/orchestrator/run?wait_s=0.2", json=wanted)
        assert answer.status_code == 202
        assert answer.json()["state"] == "queued"
        path = answer.headers["location"]
        assert (await http.get(path)).json()["state"] == "queued"
        assert (await http.get(f"{path}/events")).json()["events"] == []
        assert (await http.post(f"{path}/cancel")).status_code == 202


async def test_a_run_is_cancelled_on_request(address: BusAddress, data_dir: Path) -> None:
    slow = SlowExecutor()
    async with (
        open_house(address, data_dir, kinds=LIGHT, slow=slow) as house,
        house.http() as http,
    ):
        answer = await http.post("/orchestrator/run?wait_s=0", json=LONG)
        assert answer.status_code == 202
        run_id = answer.json()["run_id"]
        path = f"/orchestrator/runs/{run_id}"
        await _running(http, path)
        cancelled = await http.post(f"{path}/cancel", json={"reason": "changed my mind"})
        assert cancelled.status_code == 202
        assert cancelled.json() == {"run_id": run_id, "cancel_requested": True}
        view = await house.client.wait(run_id, timeout_s=10)
        assert (view.state, view.reason) == ("cancelled", "changed my mind")
        await until(lambda: slow.cancelled == [run_id])


async def test_a_run_goes_on_when_its_client_hangs_up(address: BusAddress, data_dir: Path) -> None:
    slow = SlowExecutor()
    async with open_house(address, data_dir, kinds=LIGHT, slow=slow) as house:
        async with serve(house.app) as port, httpx2.AsyncClient() as http:
            body = {**LONG, "max_tokens": 60, "max_attempts": 1}
            with anyio.move_on_after(0.6) as scope:
                await http.post(f"http://127.0.0.1:{port}/orchestrator/run", json=body)
            assert scope.cancelled_caught
        journal = await house.process.connection.jetstream.get_last_msg("RUNS", "runs.*.started")
        run_id = str(journal.subject).split(".")[1]
        view = await house.client.wait(run_id, timeout_s=20)
    assert view.state == "answered"
    assert slow.cancelled == []


async def test_what_is_no_run_is_not_found_and_asks_no_bus(
    address: BusAddress, data_dir: Path
) -> None:
    async with open_house(address, data_dir, kinds=()) as house, house.http() as http:
        unknown = new_run_id()
        for suffix in ("", "/events"):
            answer = await http.get(f"/orchestrator/runs/{unknown}{suffix}")
            assert (answer.status_code, answer.json()["code"]) == (404, "unknown_run")
        assert (await http.post(f"/orchestrator/runs/{unknown}/cancel")).status_code == 404
        await house.process.connection.client.flush()
        sent_before = house.process.connection.client.stats["out_msgs"]
        for bad in ("*", "%3E", "x%20y", "%0d%0a", "..%2fx", "%2e%2e", unknown.upper(), "0" * 31):
            for method, suffix in (("GET", ""), ("GET", "/events"), ("POST", "/cancel")):
                answer = await http.request(method, f"/orchestrator/runs/{bad}{suffix}")
                assert answer.status_code in {404, 405}, (bad, answer.status_code)
                assert answer.headers["content-type"] == "application/problem+json"
        assert house.process.connection.client.stats["out_msgs"] == sent_before


async def _running(http: httpx2.AsyncClient, path: str) -> None:
    with anyio.fail_after(15):
        while True:
            nodes = (await http.get(path)).json()["flow"]["nodes"]
            if any(node["actor"] == "monitor" or node["actor"] == "analyzer" for node in nodes):
                return
            await anyio.sleep(0.05)
