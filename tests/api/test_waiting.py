"""Why a run waits, over REST and WebSocket."""

import json
from pathlib import Path
from typing import Any

import anyio
from websockets.asyncio.client import ClientConnection, connect

from bus.connection import BusAddress
from contracts.actor_kind import ActorKind
from tests.api.house import open_house, serve

LIGHT = tuple(kind for kind in ActorKind if kind is not ActorKind.EXECUTOR)


async def _until(ws: ClientConnection, kind: str) -> dict[str, Any]:
    """The next message of that type."""
    with anyio.fail_after(20):
        while True:
            message: dict[str, Any] = json.loads(await ws.recv())
            if message["type"] == kind:
                return message


async def test_a_run_that_waits_says_why_until_it_ends(address: BusAddress, data_dir: Path) -> None:
    async with (
        open_house(address, data_dir, kinds=LIGHT) as house,
        serve(house.app) as port,
        house.http() as http,
    ):
        url = f"ws://127.0.0.1:{port}/orchestrator"
        async with connect(f"{url}/ws") as ws:
            await ws.send(json.dumps({"prompt": "hi"}))
            run_id = (await _until(ws, "accepted"))["run_id"]
            told = await _until(ws, "waiting")
            assert (told["run_id"], told["attempt"]) == (run_id, 1)
            assert (told["cause"], told["message"]) == ("no_host", "no executor is present")
            assert told["waited_s"] > 0

            view = (await http.get(f"/orchestrator/runs/{run_id}")).json()
            assert view["state"] == "running"
            assert view["waiting"]["message"] == told["message"]

            async with connect(f"{url}/runs/{run_id}/ws") as late:
                assert (await _until(late, "waiting"))["cause"] == "no_host"

            await ws.send('{"type":"cancel"}')
            assert (await _until(ws, "done"))["run"]["state"] == "cancelled"
        ended = (await http.get(f"/orchestrator/runs/{run_id}")).json()
        assert ended.get("waiting") is None
