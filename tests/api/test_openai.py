"""OpenAI's own client against a served promptbus: answers, whole and in pieces."""

import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import anyio
import httpx2
import openai
import pytest

from api.limits import ApiLimits
from bus.connection import BusAddress
from contracts.actor_kind import ActorKind
from contracts.event import CancelRequested, RunAnswered, RunCancelled
from contracts.run_view import build_run_view
from tests.api.house import SLOW, House, SlowExecutor, open_house, serve, until

EXECUTOR = (ActorKind.EXECUTOR,)
LIGHT = tuple(kind for kind in ActorKind if kind is not ActorKind.EXECUTOR)
DIRECT = {"X-Promptbus-Mode": "direct"}


@asynccontextmanager
async def talking(
    address: BusAddress,
    data_dir: Path,
    *,
    kinds: tuple[ActorKind, ...] = tuple(ActorKind),
    slow: SlowExecutor | None = None,
    limits: ApiLimits | None = None,
) -> AsyncIterator[tuple[House, openai.AsyncOpenAI, str]]:
    """A served system, a client of it, and its address."""
    async with (
        open_house(address, data_dir, kinds=kinds, slow=slow, limits=limits) as house,
        serve(house.app, limits) as port,
    ):
        url = f"http://127.0.0.1:{port}/v1"
        async with openai.AsyncOpenAI(base_url=url, api_key="any", max_retries=0) as client:
            yield house, client, url


async def test_a_run_answers_a_chat_and_names_itself(address: BusAddress, data_dir: Path) -> None:
    async with talking(address, data_dir) as (house, client, _):
        raw = await client.chat.completions.with_raw_response.create(
            model="echo",
            messages=[
                {"role": "developer", "content": "Be kind."},
                {"role": "user", "content": [{"type": "text", "text": "Tell me of "}]},
                {"role": "assistant", "content": "of what?"},
                {"role": "user", "content": [{"type": "text", "text": "tea and toast"}]},
            ],
            user="ana",
            frequency_penalty=0.5,
            extra_body={"surprise": True},
        )
        completion = raw.parse()
        run_id = raw.headers["x-run-id"]
        journal = await house.client.journal.read(run_id)
    assert completion.id == f"chatcmpl-{run_id}"
    assert completion.object == "chat.completion"
    assert completion.model == "echo"
    assert completion.choices[0].message.content == "tea and toast"
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage is not None
    assert completion.usage.completion_tokens == 3
    assert completion.usage.total_tokens == 3 + completion.usage.prompt_tokens
    assert isinstance(journal[-1].event, RunAnswered) or any(
        isinstance(entry.event, RunAnswered) for entry in journal
    )
    assert build_run_view(run_id, journal).state == "answered"


async def test_the_synchronous_client_is_answered_too(address: BusAddress, data_dir: Path) -> None:
    def talk(url: str) -> tuple[str, str]:
        with openai.OpenAI(base_url=url, api_key="any", max_retries=0) as client:
            whole = client.chat.completions.create(
                model="echo", messages=[{"role": "user", "content": "one two"}]
            )
            pieces = client.chat.completions.create(
                model="echo", messages=[{"role": "user", "content": "three four"}], stream=True
            )
            streamed = "".join(piece.choices[0].delta.content or "" for piece in pieces)
            return whole.choices[0].message.content or "", streamed

    async with talking(address, data_dir) as (_, _, url):
        assert await anyio.to_thread.run_sync(talk, url) == ("one two", "three four")


@pytest.mark.parametrize("headers", [{}, DIRECT])
async def test_a_stream_tells_role_text_finish_and_usage(
    headers: dict[str, str], address: BusAddress, data_dir: Path
) -> None:
    async with talking(address, data_dir) as (_, client, _):
        stream = await client.chat.completions.create(
            model="echo",
            messages=[{"role": "user", "content": "one two three four"}],
            max_completion_tokens=3,
            stream=True,
            stream_options={"include_usage": True},
            extra_headers=headers,
        )
        chunks = [chunk async for chunk in stream]
        assert len(stream.response.headers["x-run-id"]) == 32
    assert chunks[0].choices[0].delta.role == "assistant"
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks[:-1])
    assert text.split() == ["one", "two", "three"]
    assert chunks[-2].choices[0].finish_reason == "length"
    assert chunks[-1].choices == []
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 3
    assert {chunk.object for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk.id for chunk in chunks}) == 1


async def test_a_direct_generation_leaves_no_run_behind(
    address: BusAddress, data_dir: Path
) -> None:
    async with talking(address, data_dir, kinds=EXECUTOR) as (house, client, _):
        raw = await client.chat.completions.with_raw_response.create(
            model="echo",
            messages=[{"role": "user", "content": "stay END here"}],
            stop="END",
            extra_headers=DIRECT,
        )
        journal = await house.client.journal.read(raw.headers["x-run-id"])
    assert raw.parse().choices[0].message.content == "stay "
    assert [entry.subject.step for entry in journal] == ["executor/1"]


async def test_the_older_completions_work_as_well(address: BusAddress, data_dir: Path) -> None:
    async with talking(address, data_dir) as (_, client, _):
        whole = await client.completions.create(
            model="echo", prompt="one two", extra_headers=DIRECT
        )
        stream = await client.completions.create(
            model="echo",
            prompt=["three four"],
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = [chunk async for chunk in stream]
    assert (whole.object, whole.choices[0].text) == ("text_completion", "one two")
    assert whole.usage is not None
    assert whole.usage.completion_tokens == 2
    assert "".join(chunk.choices[0].text for chunk in chunks[:-1]) == "three four"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage is not None


async def test_the_text_of_a_run_with_one_attempt_comes_as_it_is_generated(
    address: BusAddress, data_dir: Path
) -> None:
    slow = SlowExecutor()
    async with talking(address, data_dir, kinds=LIGHT, slow=slow) as (house, client, _):
        stream = await client.chat.completions.create(
            model=SLOW,
            messages=[{"role": "user", "content": "hi"}],
            max_tokens=2000,
            stream=True,
        )
        run_id = stream.response.headers["x-run-id"]
        async for chunk in stream:
            if chunk.choices[0].delta.content:
                break
        entries = await house.client.journal.read(run_id)
        assert build_run_view(run_id, entries).state == "running"
        await stream.close()
        await until(lambda: slow.cancelled == [run_id])


async def test_the_text_of_a_run_with_more_attempts_comes_when_it_is_decided(
    address: BusAddress, data_dir: Path
) -> None:
    limits = ApiLimits(keep_alive_s=0.05)
    slow = SlowExecutor()
    body = {
        "model": SLOW,
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": 20,
        "max_attempts": 2,
        "stream": True,
    }
    async with talking(address, data_dir, kinds=LIGHT, slow=slow, limits=limits) as (_, _, url):
        async with (
            httpx2.AsyncClient() as http,
            http.stream("POST", f"{url}/chat/completions", json=body, timeout=60) as response,
        ):
            assert response.headers["content-type"].startswith("text/event-stream")
            lines = [line async for line in response.aiter_lines() if line]
    comments = [place for place, line in enumerate(lines) if line.startswith(":")]
    texts = [place for place, line in enumerate(lines) if '"content": "w' in line]
    assert len(texts) == 1
    assert comments
    assert max(comments) < texts[0]
    assert lines[-1] == "data: [DONE]"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("headers", [{}, DIRECT])
async def test_the_work_ends_when_the_client_hangs_up(
    headers: dict[str, str], stream: bool, address: BusAddress, data_dir: Path
) -> None:
    slow = SlowExecutor()
    kinds = (ActorKind.COORDINATOR, ActorKind.ANALYZER, ActorKind.HISTORY, ActorKind.MONITOR)
    body = {
        "model": SLOW,
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": 20_000,
        "stream": stream,
    }
    async with talking(address, data_dir, kinds=kinds, slow=slow) as (house, _, url):
        async with httpx2.AsyncClient(headers=headers) as http:
            with anyio.move_on_after(0.5) as scope:
                await http.post(f"{url}/chat/completions", json=body)
            assert scope.cancelled_caught
        await until(lambda: len(slow.cancelled) == 1)
        with anyio.fail_after(10):
            found: set[type] = set()
            wanted = CancelRequested if headers else RunCancelled
            while wanted not in found:
                journal = await house.client.journal.read(slow.cancelled[0])
                found = {type(entry.event) for entry in journal}


async def test_a_client_that_does_not_read_is_cut_off_and_its_run_ends(
    address: BusAddress, data_dir: Path
) -> None:
    limits = ApiLimits(send_timeout_s=0.3)
    torrent = SlowExecutor(word="a" * 200_000, pause_s=0.01)
    body = json.dumps(
        {
            "model": SLOW,
            "messages": [{"role": "user", "content": "hi"}],
            "max_tokens": 20_000,
            "stream": True,
        }
    )
    head = (
        "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    async with talking(address, data_dir, kinds=LIGHT, slow=torrent, limits=limits) as (_, _, url):
        with socket.create_connection(("127.0.0.1", httpx2.URL(url).port or 0)) as stalled:
            stalled.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
            stalled.sendall((head + body).encode())
            await until(lambda: len(torrent.cancelled) == 1, timeout_s=30)
