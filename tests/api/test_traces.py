"""A run's trace and flow over REST."""

from pathlib import Path

import anyio

from bus.connection import BusAddress
from contracts import semconv
from contracts.actor_kind import ActorKind
from contracts.flow import Flow, build_flow, with_details
from contracts.otlp_json import from_otlp_json
from contracts.run_spans import run_spans
from contracts.span import SpanLink
from contracts.trace_check import check_trace
from tests.api.house import SLOW, SlowExecutor, open_house

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_the_trace_of_a_run_is_its_journals_and_linked_to_its_caller(
    address: BusAddress, data_dir: Path
) -> None:
    async with open_house(address, data_dir) as house, house.http() as http:
        body = {"prompt": "Say: hello", "model": "echo"}
        run = (
            await http.post("/orchestrator/run", json=body, headers={"traceparent": CALLER})
        ).json()
        run_id = run["run_id"]
        async for _ in house.client.follow(run_id, summary=True):
            pass
        with anyio.fail_after(5):
            while (drawn := (await http.get(f"/traces/{run_id}/flow")).json())["source"] != "spans":
                await anyio.sleep(0.02)
        spans = from_otlp_json((await http.get(f"/traces/{run_id}")).json())
        journal = await house.client.journal.read(run_id)
        assert check_trace(run_id, journal, spans) == []
        (root,) = [span for span in spans if not span.parent_id]
        assert root.links == (SpanLink(*CALLER.split("-")[1:3]),)
        assert root.attributes[semconv.OUTCOME] == "answered"
        flow = Flow.model_validate(drawn["flow"])
        assert flow == build_flow(run_spans(run_id, journal))
        view = (await http.get(f"/orchestrator/runs/{run_id}")).json()
        assert Flow.model_validate(view["flow"]) == with_details(flow, journal)
        assert view["trace_id"] == run_id


async def test_a_run_under_way_shows_who_works_on_it(address: BusAddress, data_dir: Path) -> None:
    kinds = [kind for kind in ActorKind if kind is not ActorKind.EXECUTOR]
    slow = SlowExecutor(pause_s=0.05)
    async with open_house(address, data_dir, kinds=kinds, slow=slow) as house:
        async with house.http() as http:
            wanted = {"prompt": "Go on", "model": SLOW, "max_attempts": 1}
            answer = await http.post("/orchestrator/run", json=wanted, params={"wait_s": 0})
            run_id = answer.json()["run_id"]
            with anyio.fail_after(10):
                while True:
                    found = (await http.get(f"/traces/{run_id}/flow")).json()["flow"]
                    nodes = {node["id"]: node for node in found["nodes"]}
                    if nodes.get("executor/1", {}).get("host"):
                        break
                    await anyio.sleep(0.05)
            assert nodes["executor/1"]["state"] == "running"
            assert nodes["analyzer/1"]["state"] == "done"
            assert nodes["validator/1"]["state"] == "pending"
            await http.post(f"/orchestrator/runs/{run_id}/cancel")
            await house.client.wait(run_id, timeout_s=10)
            with anyio.fail_after(10):
                while True:
                    journal = await house.client.journal.read(run_id)
                    spans = await house.client.spans.read(run_id)
                    if not check_trace(run_id, journal, spans):
                        break
                    await anyio.sleep(0.05)


async def test_a_run_that_nobody_knows_has_no_trace(address: BusAddress, data_dir: Path) -> None:
    async with open_house(address, data_dir, kinds=()) as house, house.http() as http:
        for run_id in ("0" * 32, "nonsense", "*", ">"):
            for path in (f"/traces/{run_id}", f"/traces/{run_id}/flow"):
                assert (await http.get(path)).status_code == 404


async def test_a_direct_generation_has_a_trace_too(address: BusAddress, data_dir: Path) -> None:
    async with open_house(address, data_dir) as house, house.http() as http:
        body = {"prompt": "Say: hello", "model": "echo"}
        answer = await http.post("/inference/", json=body)
        assert answer.status_code == 200
        run_id = answer.json()["run_id"]
        with anyio.fail_after(5):
            while not (spans := await house.client.spans.read(run_id)):
                await anyio.sleep(0.02)
        journal = await house.client.journal.read(run_id)
        assert check_trace(run_id, journal, spans) == []
        assert {span.role for span in spans} >= {"run", "step", "work", "generation"}
        nodes = build_flow(spans).nodes
        assert [node.id for node in nodes if node.is_visited][-1] == "executor/1"
        assert all(node.is_visited for node in nodes)
