"""Following runs over WebSocket."""

import contextlib
import json
import socket
from pathlib import Path
from typing import Any

import anyio
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from api.limits import ApiLimits
from bus.connection import BusAddress
from contracts.actor_kind import ActorKind
from contracts.run_id import new_run_id
from tests.api.house import SLOW, SlowExecutor, open_house, serve, until

LIGHT = tuple(kind for kind in ActorKind if kind is not ActorKind.EXECUTOR)
PROMPT = {"prompt": "say these words again", "model": "echo", "max_attempts": 1}
LONG = {"prompt": "tell me a long story", "model": SLOW, "max_tokens": 5000}


async def _all(ws: ClientConnection) -> list[dict[str, Any]]:
    """Every message until the server closes."""
    messages: list[dict[str, Any]] = []
    with anyio.fail_after(20), contextlib.suppress(ConnectionClosed):
        while True:
            messages.append(json.loads(await ws.recv()))
    return messages


async def _next(ws: ClientConnection) -> dict[str, Any]:
    with anyio.fail_after(20):
        message: dict[str, Any] = json.loads(await ws.recv())
        return message


async def test_a_prompt_is_followed_from_acceptance_to_its_outcome(
    address: BusAddress, data_dir: Path
) -> None:
    async with open_house(address, data_dir) as house, serve(house.app) as port:
        url = f"ws://127.0.0.1:{port}/orchestrator"
        async with connect(f"{url}/ws") as ws:
            await ws.send(json.dumps(PROMPT))
            messages = await _all(ws)
            assert ws.close_code == 1000
        assert messages[0]["type"] == "accepted"
        run_id = messages[0]["run_id"]
        done = messages[-1]
        assert done["type"] == "done"
        assert (done["run"]["run_id"], done["run"]["state"]) == (run_id, "answered")
        kinds = [message["event_type"] for message in messages if message["type"] == "event"]
        assert kinds[0] == "RunStarted"
        assert kinds[-1] == "RunAnswered"
        assert _text(messages) == PROMPT["prompt"]
        assert done["run"]["output"]

        async with connect(f"{url}/runs/{run_id}/ws") as ws:
            again = await _all(ws)
        # The summary may have come since.
        for field in ("run_id", "state", "output", "score", "execution_metrics"):
            assert again[-1]["run"][field] == done["run"][field]
        assert _text(again) == PROMPT["prompt"]
        first = [message for message in again if message["type"] == "event"]
        async with connect(f"{url}/runs/{run_id}/ws?after={first[2]['sequence']}") as ws:
            later = [message for message in await _all(ws) if message["type"] == "event"]
        assert later == first[3:]


def _text(messages: list[dict[str, Any]]) -> str:
    """The text as a client puts it together: a piece replaces what stood from its offset on."""
    text = ""
    for message in messages:
        if message["type"] == "token":
            assert message["offset"] <= len(text)
            text = text[: message["offset"]] + message["text"]
    return text


async def test_a_client_may_cancel_the_run_it_follows(address: BusAddress, data_dir: Path) -> None:
    slow = SlowExecutor()
    async with (
        open_house(address, data_dir, kinds=LIGHT, slow=slow) as house,
        serve(house.app) as port,
    ):
        async with connect(f"ws://127.0.0.1:{port}/orchestrator/ws") as ws:
            await ws.send(json.dumps(LONG))
            run_id = (await _next(ws))["run_id"]
            while (await _next(ws))["type"] != "token":
                continue
            await ws.send('{"type":"cancel","reason":"enough"}')
            messages = await _all(ws)
        assert messages[-1]["type"] == "done"
        assert messages[-1]["run"]["state"] == "cancelled"
        assert messages[-1]["run"]["reason"] == "enough"
        await until(lambda: slow.cancelled == [run_id])


async def test_a_client_that_leaves_may_join_again_and_misses_nothing(
    address: BusAddress, data_dir: Path
) -> None:
    slow = SlowExecutor()
    async with (
        open_house(address, data_dir, kinds=LIGHT, slow=slow) as house,
        serve(house.app) as port,
    ):
        url = f"ws://127.0.0.1:{port}/orchestrator"
        async with connect(f"{url}/ws") as ws:
            wanted = {**LONG, "max_tokens": 50, "max_attempts": 1}
            await ws.send(json.dumps(wanted))
            run_id = (await _next(ws))["run_id"]
            while (await _next(ws))["type"] != "token":
                continue
        async with connect(f"{url}/runs/{run_id}/ws") as ws:
            messages = await _all(ws)
    assert messages[-1]["run"]["state"] == "answered"
    assert _text(messages) == "word " * 50


@pytest.mark.parametrize(
    ("message", "code", "close_code"),
    [
        ("{", "invalid_json", 4400),
        (b"{}", "invalid_json", 4400),
        ("[]", "not_object", 4400),
        ('{"promt":"hi"}', "unknown_field", 4400),
        ('{"prompt":"  "}', "empty_prompt", 4400),
        ('{"prompt":"a","prompt":"b"}', "duplicate_key", 4400),
        ('{"prompt":"hi","model":"nosuch"}', "unknown_model", 4400),
    ],
)
async def test_an_invalid_prompt_is_answered_and_the_socket_closed(
    address: BusAddress, data_dir: Path, message: str | bytes, code: str, close_code: int
) -> None:
    slow = SlowExecutor()
    async with (
        open_house(address, data_dir, kinds=(), slow=slow) as house,
        serve(house.app) as port,
        connect(f"ws://127.0.0.1:{port}/orchestrator/ws") as ws,
    ):
        await ws.send(message)
        (answer,) = await _all(ws)
        assert (answer["type"], answer["error"]["code"]) == ("error", code)
        assert ws.close_code == close_code


async def test_an_over_long_message_closes_with_1009(address: BusAddress, data_dir: Path) -> None:
    async with open_house(address, data_dir, kinds=()) as house, serve(house.app) as port:
        async with connect(f"ws://127.0.0.1:{port}/orchestrator/ws") as ws:
            with pytest.raises(ConnectionClosed):
                await ws.send(json.dumps({"prompt": "a" * (2 << 20)}))
                await _next(ws)
            assert ws.close_code == 1009
        async with connect(f"ws://127.0.0.1:{port}/orchestrator/ws") as ws:
            await ws.send("[]")
            assert (await _next(ws))["error"]["code"] == "not_object"


async def test_an_unknown_run_closes_with_4404(address: BusAddress, data_dir: Path) -> None:
    async with open_house(address, data_dir, kinds=()) as house, serve(house.app) as port:
        for run_id in (new_run_id(), "0" * 31, "*", "%3E"):
            url = f"ws://127.0.0.1:{port}/orchestrator/runs/{run_id}/ws"
            async with connect(url) as ws:
                (answer,) = await _all(ws)
                assert answer["error"]["code"] == "unknown_run"
                assert ws.close_code == 4404


async def test_a_page_of_another_site_is_refused_at_the_handshake(
    address: BusAddress, data_dir: Path
) -> None:
    async with open_house(address, data_dir, kinds=()) as house, serve(house.app) as port:
        url = f"ws://127.0.0.1:{port}/orchestrator/ws"
        with pytest.raises(InvalidStatus) as caught:
            async with connect(url, origin="https://evil.example"):  # type: ignore[arg-type]
                pass
        assert caught.value.response.status_code == 403
        assert json.loads(caught.value.response.body)["code"] == "foreign_origin"
        async with connect(url, origin="http://localhost:5173") as ws:  # type: ignore[arg-type]
            await ws.send("[]")
            assert (await _next(ws))["type"] == "error"


async def test_a_client_that_sends_no_prompt_is_let_go(address: BusAddress, data_dir: Path) -> None:
    limits = ApiLimits(body_timeout_s=0.3)
    async with (
        open_house(address, data_dir, kinds=(), limits=limits) as house,
        serve(house.app) as port,
        connect(f"ws://127.0.0.1:{port}/orchestrator/ws") as ws,
    ):
        (answer,) = await _all(ws)
        assert answer["error"]["code"] == "body_too_slow"
        assert ws.close_code == 4408


async def test_a_client_that_does_not_read_is_cut_off_and_harms_nobody(
    address: BusAddress, data_dir: Path
) -> None:
    limits = ApiLimits(send_timeout_s=0.5)
    torrent = SlowExecutor(word="a" * 200_000, pause_s=0.025)
    async with (
        open_house(address, data_dir, kinds=LIGHT, slow=torrent, limits=limits) as house,
        serve(house.app, limits) as port,
    ):
        url = f"ws://127.0.0.1:{port}/orchestrator/ws"
        wanted = {**LONG, "max_tokens": 100, "max_attempts": 1}
        with socket.create_connection(("127.0.0.1", port)) as small:
            small.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 18)
            async with connect(url, sock=small, max_queue=1, compression=None) as stalled:
                await stalled.send(json.dumps(wanted))
                async with connect(url, max_size=None) as reader:
                    await reader.send(json.dumps(wanted))
                    messages = await _all(reader)
                assert messages[-1]["type"] == "done"
                assert _text(messages) == messages[-1]["run"]["output"]
                assert sum(len(message.get("text", "")) for message in messages) > 10_000_000
                await anyio.sleep(2)
                told = await _all(stalled)
                assert told[-1]["type"] != "done"
                # The close frame waits behind what is unread, and is not waited for long.
                assert stalled.close_code in {1013, 1006}
