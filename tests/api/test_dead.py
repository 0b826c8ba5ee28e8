"""Dead letters over REST."""

import json
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest

from contracts.actor_kind import ActorKind
from promptbus.nats_server import NatsServer
from tests.api.house import House, open_house

HELLO = {"prompt": "Say: hello", "model": "echo"}


async def buried(house: House, http: httpx2.AsyncClient) -> int:
    """Bury what is no prompt; the letter's id."""
    await house.process.connection.jetstream.publish("prompts.normal", b'{"prompt": 5}')
    with anyio.fail_after(10):
        while not (found := (await http.get("/dead", params={"state": "open"})).json()["letters"]):
            await anyio.sleep(0.02)
    return int(found[0]["letter_id"])


async def test_a_letter_is_listed_shown_corrected_and_replayed_once(
    nats_server: NatsServer, tmp_path: Path
) -> None:
    async with open_house(nats_server.address, tmp_path) as house, house.http() as http:
        letter_id = await buried(house, http)
        shown = (await http.get(f"/dead/{letter_id}")).json()
        assert (shown["payload"], shown["error"]["code"]) == ('{"prompt": 5}', "malformed_message")
        refused = await http.post(f"/dead/{letter_id}/replay")
        assert (refused.status_code, refused.json()["field"]) == (422, "prompt")
        body = {"payload": json.dumps(HELLO)}
        edited = await http.put(f"/dead/{letter_id}/payload", json=body)
        assert edited.json()["edited"] is True
        first, second = [
            (await http.post(f"/dead/{letter_id}/replay")).json()["replayed_as"] for _ in range(2)
        ]
        assert first == second
        with anyio.fail_after(10):
            while (await http.get(f"/orchestrator/runs/{first}")).json().get("state") != "answered":
                await anyio.sleep(0.02)
        late = await http.post(f"/dead/{letter_id}/drop", json={"reason": "too late"})
        assert (late.status_code, late.json()["code"]) == (409, "already_settled")
        assert (await http.get("/dead", params={"state": "open"})).json()["letters"] == []


@pytest.mark.parametrize(
    "wish",
    [
        ("GET", "/dead/99", None, 404, "unknown_letter"),
        ("GET", "/dead/..%2Fx", None, 404, None),
        ("GET", "/dead/*", None, 404, "unknown_letter"),
        ("GET", "/dead?limit=0", None, 422, None),
        ("GET", "/dead?before=x", None, 422, None),
        ("GET", "/dead?state=odd", None, 422, None),
        ("POST", "/dead/x/replay", None, 404, "unknown_letter"),
        ("POST", "/dead/x/drop", {"reason": 5}, 422, None),
        ("PUT", "/dead/x/payload", {"payload": 5}, 422, None),
        ("PUT", "/dead/x/payload", {"payload": "{}", "mood": 1}, 422, "unknown_field"),
        ("PUT", "/dead/7/payload", {"payload": "{}"}, 404, "unknown_letter"),
    ],
)
async def test_what_is_wrong_with_a_wish_is_told(
    nats_server: NatsServer,
    tmp_path: Path,
    wish: tuple[str, str, Any, int, str | None],
) -> None:
    method, path, body, status, code = wish
    kinds = [ActorKind.COORDINATOR]
    async with (
        open_house(nats_server.address, tmp_path, kinds=kinds) as house,
        house.http() as http,
    ):
        answer = await http.request(method, path, json=body)
        assert answer.status_code == status
        if code is not None:
            assert answer.json()["code"] == code
