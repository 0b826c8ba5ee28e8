"""Streams that fill up, as clients of the API see it."""

from pathlib import Path

from bus.room import Room
from bus.topology import RUNS
from promptbus.nats_server import NatsServer
from tests.api.house import open_house
from tests.bus.test_room import fill

PROMPT = {"prompt": "hi", "model": "echo"}


async def test_a_nearly_full_stream_is_a_warning_and_then_a_refusal(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    async with open_house(nats_server.address, tmp_path) as house, house.http() as http:
        house.client.room = Room(house.process.connection, look_every_s=0)
        assert (await http.get("/health")).json()["warnings"] == []
        await fill(house.process, RUNS, 0.75)
        health = await http.get("/health")
        assert health.status_code == 200
        assert health.json()["warnings"][0].startswith("RUNS is 75 % full")
        assert (await http.post("/orchestrator/run", json=PROMPT)).status_code == 200
        await fill(house.process, RUNS, 0.96)
        for path, body in (
            ("/orchestrator/run", PROMPT),
            ("/inference/", PROMPT),
            ("/v1/chat/completions", {"messages": [{"role": "user", "content": "hi"}]}),
        ):
            refused = await http.post(path, json={"model": "echo", **body})
            openai = path.startswith("/v1")
            assert refused.status_code == (429 if openai else 503), refused.text
            assert refused.headers["retry-after"]
            if not openai:
                assert refused.json()["code"] == "queue_full"
