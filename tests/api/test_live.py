"""Runs live: over WebSocket and as server-sent events, from any cursor, at any API process."""

import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx2
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from api.limits import ApiLimits
from bus.connection import BusAddress
from contracts.actor_kind import ActorKind
from contracts.run_id import new_run_id
from tests.api.house import SLOW, House, SlowExecutor, open_house, serve
from tests.api.live_client import Page, listening

LIGHT = tuple(kind for kind in ActorKind if kind is not ActorKind.EXECUTOR)
STORY = {"prompt": "tell me a story", "model": SLOW, "max_tokens": 40, "max_attempts": 1}
WORDS = "word " * 40


@asynccontextmanager
async def two_apis(
    address: BusAddress, data_dir: Path, limits: ApiLimits | None = None
) -> AsyncIterator[tuple[House, str, str]]:
    """One system behind two API processes; their addresses, without the scheme."""
    async with (
        open_house(address, data_dir, kinds=LIGHT, slow=SlowExecutor(), limits=limits) as house,
        open_house(address, data_dir / "other", kinds=(), limits=limits) as other,
        serve(house.app, limits) as one_port,
        serve(other.app, limits) as other_port,
    ):
        yield house, f"127.0.0.1:{one_port}", f"127.0.0.1:{other_port}"


async def _submit(address: str, **changed: Any) -> str:
    async with httpx2.AsyncClient() as http:
        url = f"http://{address}/orchestrator/run?wait_s=0"
        answer = await http.post(url, json={**STORY, **changed})
        assert answer.status_code == 202, answer.text
        run_id: str = answer.json()["run_id"]
        return run_id


async def _read_socket(url: str, page: Page, max_messages: int | None = None) -> int | None:
    """Show what the socket says, up to its end or for so many messages; its close code."""
    async with connect(url, max_size=None) as ws:
        with contextlib.suppress(ConnectionClosed):
            num_read = 0
            while max_messages is None or num_read < max_messages:
                page.take(json.loads(await ws.recv()))
                num_read += 1
    return ws.close_code


async def _read_stream(
    url: str, page: Page, max_messages: int | None = None, *, last_event_id: str = ""
) -> None:
    headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
    async with listening(url, **headers) as events:
        num_read = 0
        async for sent in events:
            assert sent.name == sent.data["type"]
            if sent.cursor is not None:
                assert sent.cursor == sent.data["cursor"]
            page.take(sent.data)
            num_read += 1
            if num_read == max_messages:
                return


async def test_a_run_may_be_left_and_joined_anywhere_without_gap_or_double(
    address: BusAddress, data_dir: Path
) -> None:
    async with two_apis(address, data_dir) as (_, here, there):
        run_id = await _submit(here)
        path = f"orchestrator/runs/{run_id}"
        whole, left, browser = Page(), Page(), Page()
        with anyio.fail_after(30):
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(_read_socket, f"ws://{here}/{path}/ws?every_ms=0", whole)
                for number in range(4):  # one client that comes and goes, at both APIs in turn
                    at = (here, there)[number % 2]
                    url = f"{at}/{path}/ws?every_ms=0&after={left.cursor}"
                    await _read_socket(f"ws://{url}", left, max_messages=4)
                    await _read_stream(
                        f"http://{at}/{path}/stream?every_ms=0",
                        browser,
                        4,
                        last_event_id=browser.cursor if number else "",
                    )
                await _read_socket(f"ws://{there}/{path}/ws?after={left.cursor}", left)
                await _read_stream(
                    f"http://{there}/{path}/stream", browser, last_event_id=browser.cursor
                )
        for page in (whole, left, browser):
            assert page.text == {1: WORDS}
            assert page.events == whole.events
            assert page.done is not None
            assert (page.done["state"], page.done["run_id"]) == ("answered", run_id)
            assert page.done["output"] == WORDS
        async with httpx2.AsyncClient() as http:
            # A browser that comes back by itself after the end is told not to.
            url = f"http://{there}/{path}/stream"
            ended = await http.get(url, headers={"Last-Event-ID": browser.cursor})
            assert ended.status_code == 204
            listed = await http.get(f"http://{there}/{path}/events")
            assert listed.json()["events"][: len(whole.events)] == whole.events
        again = Page()
        assert await _read_socket(f"ws://{here}/{path}/ws?after={whole.cursor}", again) == 1000
        assert (again.events, again.text) == ([], {})
        assert again.done is not None


async def test_text_comes_no_more_often_than_its_reader_wants(
    address: BusAddress, data_dir: Path
) -> None:
    async with two_apis(address, data_dir) as (_, here, there):
        run_id = await _submit(here)
        page, messages = Page(), []
        async with listening(
            f"http://{there}/orchestrator/runs/{run_id}/stream?every_ms=200"
        ) as events:
            async for sent in events:
                messages.append(sent.name)
                page.take(sent.data)
        assert page.text == {1: WORDS}
        assert 1 < messages.count("token") < 10


async def test_what_was_submitted_at_one_api_is_cancelled_and_listed_at_the_other(
    address: BusAddress, data_dir: Path
) -> None:
    async with two_apis(address, data_dir) as (_, here, there):
        run_id = await _submit(here, max_tokens=5000)
        page = Page()
        url = f"{there}/orchestrator/runs/{run_id}"
        async with connect(f"ws://{url}/ws") as ws, httpx2.AsyncClient() as http:
            while not page.text:
                page.take(json.loads(await ws.recv()))
            assert (await http.post(f"http://{url}/cancel")).status_code == 202
            with contextlib.suppress(ConnectionClosed):
                while True:
                    page.take(json.loads(await ws.recv()))
            assert page.done is not None
            assert page.done["state"] == "cancelled"
            for at in (here, there):
                listed = (await http.get(f"http://{at}/orchestrator/runs?state=cancelled")).json()
                assert run_id in [run["run_id"] for run in listed["runs"]]


async def test_all_runs_are_followed_from_now_or_from_a_cursor(
    address: BusAddress, data_dir: Path
) -> None:
    async with two_apis(address, data_dir) as (_, here, there):
        text = "x" * 5000
        all_runs = f"{there}/orchestrator/runs"
        seen: list[dict[str, Any]] = []
        async with connect(f"ws://{all_runs}/ws?every_ms=10") as ws:
            first = json.loads(await ws.recv())
            assert (first["type"], first["events"]) == ("events", [])
            run_ids = [await _submit(here, prompt=text, max_tokens=3) for _ in range(5)]
            with anyio.fail_after(20):
                while sum(event["step"] == "summarizer/1" for event in seen) < 5:
                    seen += json.loads(await ws.recv())["events"]
        assert {event["run_id"] for event in seen} == set(run_ids)
        sequences = [event["sequence"] for event in seen]
        assert sequences == sorted(set(sequences))
        started = next(event for event in seen if event["event_type"] == "RunStarted")
        assert len(started["data"]["submitted"]["prompt"]) < 300

        middle = str(sequences[7])
        for headers, query in (({"Last-Event-ID": middle}, ""), ({}, f"?after={middle}")):
            later: list[dict[str, Any]] = []
            async with listening(f"http://{all_runs}/stream{query}", **headers) as events:
                async for sent in events:
                    assert sent.cursor == sent.data["cursor"]
                    later += sent.data["events"]
                    if len(later) == len(seen) - 8:
                        break
            assert later == seen[8:]


@pytest.mark.parametrize("after", ["x", "-1", "1.2", "1" * 25, "%00", "1.1.1.1"])
async def test_what_is_no_cursor_is_refused(
    address: BusAddress, data_dir: Path, after: str
) -> None:
    async with open_house(address, data_dir, kinds=()) as house, serve(house.app) as port:
        at = f"127.0.0.1:{port}/orchestrator/runs"
        async with httpx2.AsyncClient() as http:
            for path in ("stream", f"{new_run_id()}/stream"):
                answer = await http.get(f"http://{at}/{path}?after={after}")
                assert (answer.status_code, answer.json()["field"]) == (422, "after"), answer.text
        for path in ("ws", f"{new_run_id()}/ws"):
            async with connect(f"ws://{at}/{path}?after={after}") as ws:
                message = json.loads(await ws.recv())
                assert message["error"]["field"] == "after"
                with pytest.raises(ConnectionClosed):
                    await ws.recv()
            assert ws.close_code == 4400


async def test_streams_of_what_is_no_run_are_refused(address: BusAddress, data_dir: Path) -> None:
    async with open_house(address, data_dir, kinds=()) as house, serve(house.app) as port:
        async with httpx2.AsyncClient() as http:
            for run_id in (new_run_id(), "*", "%3E", "0" * 31):
                url = f"http://127.0.0.1:{port}/orchestrator/runs/{run_id}/stream"
                answer = await http.get(url)
                assert (answer.status_code, answer.json()["code"]) == (404, "unknown_run")
        url = f"ws://127.0.0.1:{port}/orchestrator/runs/ws?every_ms=x"
        with pytest.raises(InvalidStatus):
            async with connect(url):
                pass


async def test_a_stream_is_kept_alive_and_says_nothing_to_who_speaks_out_of_turn(
    address: BusAddress, data_dir: Path
) -> None:
    limits = ApiLimits(keep_alive_s=0.1)
    async with open_house(address, data_dir, kinds=(), limits=limits) as house:
        async with serve(house.app, limits) as port:
            at = f"127.0.0.1:{port}/orchestrator/runs"
            async with httpx2.AsyncClient() as http:
                async with http.stream("GET", f"http://{at}/stream") as response:
                    lines = response.aiter_lines()
                    with anyio.fail_after(5):
                        comments = 0
                        while comments < 3:
                            comments += (await anext(lines)).startswith(":")
            async with connect(f"ws://{at}/ws") as ws:
                await ws.recv()
                await ws.send("hello?")
                assert json.loads(await ws.recv())["error"]["code"] == "nothing_to_say"
