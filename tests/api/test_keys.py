"""Keys over HTTP and WebSocket: shown, wrong, ended, and used too often."""

import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import anyio
import httpx2
import openai
import pytest
from openai.types.chat import ChatCompletionUserMessageParam
from starlette.routing import WebSocketRoute
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from api.endpoints import live
from api.limits import ApiLimits
from bus.connection import BusAddress
from bus.key_board import NEWS_S
from contracts.actor_kind import ActorKind
from contracts.api_key import Scope
from contracts.run_id import new_run_id
from tests.api.house import SLOW, House, SlowExecutor, open_house, serve, until

LIGHT = tuple(kind for kind in ActorKind if kind is not ActorKind.EXECUTOR)
EXECUTOR = (ActorKind.EXECUTOR,)
ALL = tuple(Scope)
TURN: ChatCompletionUserMessageParam = {"role": "user", "content": "hi"}
CHAT = {"model": "echo", "messages": [TURN]}
LONG = {"prompt": "tell me a long story", "model": SLOW, "max_tokens": 20_000}
LIMITS = ApiLimits(key_check_s=0.2)


@asynccontextmanager
async def _served(
    address: BusAddress,
    data_dir: Path,
    *,
    kinds: tuple[ActorKind, ...] = (),
    slow: SlowExecutor | None = None,
    limits: ApiLimits = LIMITS,
) -> AsyncIterator[tuple[House, httpx2.AsyncClient, int]]:
    async with (
        open_house(
            address, data_dir, kinds=kinds, slow=slow, limits=limits, with_keys=True
        ) as house,
        serve(house.app, limits) as port,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http,
    ):
        yield house, http, port


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_wrong_ended_and_misplaced_keys_are_refused_alike(
    address: BusAddress, data_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    now = datetime.now(UTC)
    async with _served(address, data_dir) as (house, http, _):
        good, _ = await house.new_key(*ALL)
        expired, _ = await house.new_key(
            *ALL, now=now - timedelta(days=2), expires_at=now - timedelta(days=1)
        )
        revoked, key = await house.new_key(*ALL)
        await house.revoke(key)
        swapped = good[:-1] + ("A" if good[-1] != "A" else "B")
        elsewhere = "pb_" + key.key_id + good[15:]
        rows = [
            (_bearer(good), 200, None),
            ({}, 401, "missing_key"),
            ({"Authorization": good}, 401, "missing_key"),
            ({"X-Api-Key": good}, 401, "missing_key"),
            (_bearer(swapped), 401, "invalid_key"),
            (_bearer(elsewhere), 401, "invalid_key"),
            (_bearer(expired), 401, "invalid_key"),
            (_bearer(revoked), 401, "invalid_key"),
            (_bearer("é" * 43), 401, "invalid_key"),
            (_bearer("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0."), 401, "invalid_key"),
        ]
        for headers, status, code in rows:
            raw = [(name.encode(), value.encode()) for name, value in headers.items()]
            answer = await http.get("/system/actors", headers=raw)
            assert (answer.status_code, answer.json().get("code")) == (status, code)
            if status == 401:
                assert answer.headers["www-authenticate"].startswith("Bearer")
        in_query = await http.get(f"/system/actors?key={good}&access_token={good}")
        assert in_query.status_code == 401
        two = await http.get("/system/actors", headers=[("Authorization", f"Bearer {good}")] * 2)
        assert two.status_code == 401
    ours = [one.getMessage() for one in caplog.records if not one.name.startswith("httpc")]
    told = "\n".join(line for line in ours if not line.startswith("HTTP Request"))
    for secret in (good[16:], swapped[16:], expired[16:], revoked[16:]):
        assert secret not in told
        assert secret not in in_query.text


async def test_bad_keys_are_answered_only_so_often_and_good_ones_all_the_same(
    address: BusAddress, data_dir: Path
) -> None:
    limits = ApiLimits(bad_keys_per_minute=5)
    async with _served(address, data_dir, limits=limits) as (house, http, _):
        good, _ = await house.new_key(*ALL)
        answers = []
        for number in range(7):
            spoofed = {"X-Forwarded-For": f"10.0.0.{number}", **_bearer("nope")}
            answers.append(await http.get("/system/actors", headers=spoofed))
        assert [answer.status_code for answer in answers] == [401] * 5 + [429] * 2
        assert 1 <= int(answers[-1].headers["retry-after"]) <= 12
        assert (await http.get("/system/actors", headers=_bearer(good))).status_code == 200


async def test_openai_clients_hear_of_keys_and_limits_in_their_own_words(
    address: BusAddress, data_dir: Path
) -> None:
    limits = ApiLimits(requests_per_minute=3)
    async with _served(address, data_dir, kinds=EXECUTOR, limits=limits) as (house, http, _):
        submit, _ = await house.new_key(Scope.SUBMIT)
        read, _ = await house.new_key(Scope.READ)
        client = openai.AsyncOpenAI(
            base_url=f"{http.base_url}/v1".replace("//v1", "/v1"), api_key=submit, max_retries=0
        )

        async def ask(token: str) -> str | None:
            completion = await client.with_options(api_key=token).chat.completions.create(
                model="echo", messages=[TURN], extra_headers={"X-Promptbus-Mode": "direct"}
            )
            return completion.choices[0].message.content

        async with client:
            with pytest.raises(openai.AuthenticationError) as unknown:
                await ask("sk-unknown")
            assert unknown.value.code == "invalid_api_key"
            with pytest.raises(openai.PermissionDeniedError) as denied:
                await ask(read)
            assert denied.value.code == "missing_scope"
            assert [await ask(submit) for _ in range(3)] == ["hi"] * 3
            with pytest.raises(openai.RateLimitError) as limited:
                await ask(submit)
            assert limited.value.code == "rate_limit_exceeded"
            headers = limited.value.response.headers
            assert 1 <= int(headers["retry-after"]) <= 20
            assert headers["x-should-retry"] == "true"
            assert headers["ratelimit-policy"] == '"requests";q=3;w=60'
            assert headers["ratelimit"].startswith('"requests";r=0;t=')
            other, _ = await house.new_key(Scope.SUBMIT)
            await anyio.sleep(NEWS_S)
            raw = await client.with_options(api_key=other).models.with_raw_response.list()
            assert raw.headers["ratelimit"].startswith('"requests";r=2;t=')


async def test_only_so_many_requests_of_a_key_go_on_at_once(
    address: BusAddress, data_dir: Path
) -> None:
    slow, limits = SlowExecutor(), ApiLimits(max_requests=2)
    async with _served(address, data_dir, kinds=LIGHT, slow=slow, limits=limits) as served:
        house, http, _ = served
        token, _ = await house.new_key(*ALL)
        statuses: list[int] = []

        async def ask() -> None:
            answer = await http.post(
                "/orchestrator/run",
                json={**LONG, "max_tokens": 40, "max_attempts": 1},
                headers=_bearer(token),
                timeout=30,
            )
            statuses.append(answer.status_code)

        async with anyio.create_task_group() as tasks:
            for _ in range(3):
                tasks.start_soon(ask)
        assert sorted(statuses) == [200, 200, 429]
        again = await http.get("/system/actors", headers=_bearer(token))
        assert again.status_code == 200


async def test_a_revoked_key_ends_what_goes_on_with_it(address: BusAddress, data_dir: Path) -> None:
    slow = SlowExecutor()
    async with _served(address, data_dir, kinds=LIGHT, slow=slow) as (house, http, port):
        token, key = await house.new_key(*ALL)
        headers = _bearer(token)
        waited: list[httpx2.Response] = []

        async def wait() -> None:
            waited.append(await http.post("/inference/", json=LONG, headers=headers, timeout=30))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            url = f"ws://127.0.0.1:{port}/orchestrator/ws"
            async with connect(url, additional_headers=headers) as ws:
                await ws.send(json.dumps(LONG))
                accepted = json.loads(await ws.recv())
                assert accepted["type"] == "accepted"
                stream = {**CHAT, "model": SLOW, "max_tokens": 20_000, "stream": True}
                async with http.stream(
                    "POST", "/v1/chat/completions", json=stream, headers=headers
                ) as answer:
                    assert answer.status_code == 200
                    await house.revoke(key)
                    with pytest.raises(httpx2.RemoteProtocolError), anyio.fail_after(10):
                        async for _ in answer.aiter_bytes():
                            continue
                with pytest.raises(ConnectionClosed), anyio.fail_after(10):
                    while True:
                        await ws.recv()
                assert ws.close_code == 4401
        assert (waited[0].status_code, waited[0].json()["code"]) == (401, "invalid_key")
        # What only this client wanted has been ended; a submitted run goes on.
        await until(lambda: len(slow.cancelled) == 2)
        await house.client.cancel(accepted["run_id"])
        await until(lambda: len(slow.cancelled) == 3)


SOCKETS = [route.path for route in live.router.routes if isinstance(route, WebSocketRoute)]


@pytest.mark.parametrize("path", SOCKETS)
async def test_a_socket_needs_a_key_before_it_opens(
    address: BusAddress, data_dir: Path, path: str
) -> None:
    async with _served(address, data_dir) as (house, _, port):
        wrong, _ = await house.new_key()
        url = f"ws://127.0.0.1:{port}{path.replace('{run_id}', new_run_id())}"
        for headers, status in (({}, 401), (_bearer("nope"), 401), (_bearer(wrong), 403)):
            with pytest.raises(InvalidStatus) as caught:
                async with connect(url, additional_headers=headers):
                    pass
            assert caught.value.response.status_code == status
        with pytest.raises(InvalidStatus):
            async with connect(f"{url}?key={wrong}"):
                pass


async def test_a_page_may_offer_its_key_as_a_subprotocol(
    address: BusAddress, data_dir: Path
) -> None:
    async with _served(address, data_dir) as (house, _, port):
        token, _ = await house.new_key(*ALL)
        offered = [Subprotocol("promptbus"), Subprotocol(f"bearer.{token}")]
        url = f"ws://127.0.0.1:{port}/orchestrator/runs/{new_run_id()}/ws"
        async with connect(url, subprotocols=offered) as ws:
            assert ws.subprotocol == "promptbus"
            assert json.loads(await ws.recv())["error"]["code"] == "unknown_run"
            await ws.wait_closed()
            assert ws.close_code == 4404


async def test_only_so_many_sockets_of_a_key_are_open(address: BusAddress, data_dir: Path) -> None:
    limits = ApiLimits(max_sockets=2)
    async with _served(address, data_dir, limits=limits) as (house, http, port):
        token, _ = await house.new_key(*ALL)
        url, headers = f"ws://127.0.0.1:{port}/orchestrator/ws", _bearer(token)
        async with (
            connect(url, additional_headers=headers),
            connect(url, additional_headers=headers) as second,
        ):
            with pytest.raises(InvalidStatus) as caught:
                async with connect(url, additional_headers=headers):
                    pass
            response = caught.value.response
            assert (response.status_code, response.headers["retry-after"]) == (429, "1")
            assert (await http.get("/system/actors", headers=headers)).status_code == 200
            await second.close()
            with anyio.fail_after(5):
                while True:
                    try:
                        async with connect(url, additional_headers=headers):
                            break
                    except InvalidStatus:
                        await anyio.sleep(0.05)


async def test_without_a_bus_no_key_is_believed(address: BusAddress, data_dir: Path) -> None:
    async with _served(address, data_dir) as (house, http, _):
        token, _ = await house.new_key(*ALL)
        assert (await http.get("/system/actors", headers=_bearer(token))).status_code == 200
        await house.process.connection.client.close()
        with anyio.fail_after(10):
            while True:
                answer = await http.get("/system/actors", headers=_bearer(token))
                if answer.status_code == 503:
                    break
                await anyio.sleep(0.1)
        assert answer.json()["code"] == "bus_unavailable"
        assert answer.headers["retry-after"] == "1"
        assert (await http.get("/health/live")).status_code == 503
