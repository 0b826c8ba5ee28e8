"""What the server says about itself."""

import json
from pathlib import Path
from typing import Any

from bus.connection import BusAddress
from contracts.actor_kind import ActorKind
from promptbus.nats_server import NatsServer
from tests.api.house import VERSION, open_house


async def test_a_whole_system_is_ready(address: BusAddress, data_dir: Path) -> None:
    async with open_house(address, data_dir) as house, house.http() as http:
        answer = await http.get("/health")
        assert answer.status_code == 200, answer.text
        body = answer.json()
        assert (body["status"], body["missing"], body["version"]) == ("ready", [], VERSION)
        counts = {part["name"]: part["num_present"] for part in body["parts"]}
        assert all(counts[kind] == 1 for kind in ActorKind)
        actors = (await http.get("/system/actors")).json()["actors"]
        assert {actor["kind"] for actor in actors} == set(ActorKind)
        hosts = (await http.get("/system/hosts")).json()["hosts"]
        assert hosts[0]["num_cpus"] >= 1
        root = (await http.get("/")).json()
        assert (root["name"], root["version"]) == ("promptbus", VERSION)
        for path in ("docs", "openapi", "health", "models", "hosts", "actors"):
            assert (await http.get(root["links"][path])).status_code == 200


async def test_devices_queues_streams_and_versions_are_told(
    address: BusAddress, data_dir: Path
) -> None:
    async with open_house(address, data_dir) as house, house.http() as http:
        ran = await http.post("/orchestrator/run", json={"prompt": "hi", "model": "echo"})
        assert ran.status_code == 200
        devices = (await http.get("/system/devices")).json()["devices"]
        assert {device["kind"] for device in devices} >= {"cpu"}
        assert all(device["host"] and device["total_bytes"] > 0 for device in devices)
        queues = {one["name"]: one for one in (await http.get("/system/queues")).json()["queues"]}
        assert queues.keys() >= {"coordinator-interactive", "analyzer", "executor-echo-normal"}
        assert queues["analyzer"]["subjects"] == ["tasks.analyzer"]
        assert queues["analyzer"]["num_waiting"] == 0
        assert queues["analyzer"]["num_pulling"] > 0
        streams = {
            one["name"]: one for one in (await http.get("/system/streams")).json()["streams"]
        }
        assert streams["RUNS"]["num_messages"] >= 6
        assert streams["RUNS"]["storage"] == "file"
        assert streams.keys() >= {"PROMPTS", "TASKS", "TOKENS", "DEAD", "KV_placements"}
        versions = (await http.get("/system/versions")).json()
        assert versions["promptbus"] == VERSION
        assert versions["nats_server"].startswith("2.")
        assert sum(versions["actors"].values()) == len(ActorKind)


async def test_what_is_missing_is_named(address: BusAddress, data_dir: Path) -> None:
    kinds = [kind for kind in ActorKind if kind not in {ActorKind.MONITOR, ActorKind.EXECUTOR}]
    async with open_house(address, data_dir, kinds=kinds) as house, house.http() as http:
        answer = await http.get("/health")
    assert answer.status_code == 503
    assert answer.json()["missing"] == ["monitor", "executor"]


async def test_a_server_that_is_away_is_not_ready_but_alive(tmp_path: Path) -> None:
    with NatsServer(tmp_path / "nats") as server:
        async with open_house(server.address, tmp_path, kinds=()) as house, house.http() as http:
            streams = [
                p for p in (await http.get("/health")).json()["parts"] if p["name"].isupper()
            ]
            assert [(part["name"], part["ready"]) for part in streams] == [
                ("PROMPTS", True),
                ("TASKS", True),
                ("RUNS", True),
            ]
            server.kill()
            answer = await http.get("/health")
            assert answer.status_code == 503
            assert "nats" in answer.json()["missing"]
            assert (await http.get("/health/live")).json() == {"status": "alive"}
            server.start()


async def test_journals_that_vanished_are_not_ready(tmp_path: Path) -> None:
    with NatsServer(tmp_path / "nats", synced=False) as server:
        async with open_house(server.address, tmp_path) as house, house.http() as http:
            assert (await http.get("/health")).status_code == 200
            await house.process.connection.jetstream.delete_stream("RUNS")
            answer = await http.get("/health")
            assert answer.status_code == 503
            assert answer.json()["missing"] == ["RUNS"]
            details = {part["name"]: part["detail"] for part in answer.json()["parts"]}
            assert details["RUNS"] == "RUNS is not there, or has no leader"


async def test_the_openapi_document_tells_what_routes_take_and_answer(
    address: BusAddress, data_dir: Path
) -> None:
    async with open_house(address, data_dir, kinds=()) as house, house.http() as http:
        document = (await http.get("/openapi.json")).json()
    schemas = document["components"]["schemas"]
    for reference in set(_references(document)):
        assert reference.removeprefix("#/components/schemas/") in schemas
    bodies = {
        ("/inference", "post"): "DirectRequest",
        ("/orchestrator/run", "post"): "PromptRequest",
        ("/orchestrator/runs/{run_id}/cancel", "post"): "CancelRequest",
    }
    for (path, method), name in bodies.items():
        content = document["paths"][path][method]["requestBody"]["content"]
        assert content["application/json"]["schema"]["$ref"].endswith(f"/{name}")
    assert schemas["PromptRequest"]["additionalProperties"] is False
    assert schemas["PromptRequest"]["properties"]["messages"]["maxItems"] == 256
    for path, operations in document["paths"].items():
        for operation in operations.values():
            refused = operation["responses"]["4XX"]["content"]
            if not path.startswith("/v1/"):
                problem = refused["application/problem+json"]
                assert problem["schema"]["$ref"].endswith("/Problem"), path
            assert operation["summary"]
    assert "HTTPValidationError" not in json.dumps(document)


def _references(node: Any) -> list[str]:
    if isinstance(node, dict):
        own = [node["$ref"]] if isinstance(node.get("$ref"), str) else []
        return own + [found for value in node.values() for found in _references(value)]
    if isinstance(node, list):
        return [found for value in node for found in _references(value)]
    return []
