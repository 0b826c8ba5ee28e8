"""Clients that people have already, unchanged but for the base URL and the key."""

import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Literal

import anyio
import httpx2
import openai
import pytest
from langchain_core.messages import HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI, OpenAI
from openai.types.chat import ChatCompletionUserMessageParam
from pydantic import BaseModel, SecretStr

from api.limits import ApiLimits
from bus.connection import BusAddress
from contracts.actor_kind import ActorKind
from contracts.api_key import Scope
from contracts.event import RunCancelled
from tests.api.house import SLOW, House, SlowExecutor, open_house, serve, until

LIGHT = tuple(kind for kind in ActorKind if kind is not ActorKind.EXECUTOR)
TURN: ChatCompletionUserMessageParam = {"role": "user", "content": "tea and toast"}


class Colour(BaseModel):
    """What pocket is asked to fill in."""

    colour: Literal["red", "green", "blue"]


@asynccontextmanager
async def _served(
    address: BusAddress,
    data_dir: Path,
    *,
    kinds: tuple[ActorKind, ...] = tuple(ActorKind),
    slow: SlowExecutor | None = None,
    limits: ApiLimits | None = None,
) -> AsyncIterator[tuple[House, str, str]]:
    """A system that asks for keys; yields it, its base URL and a key for it."""
    async with (
        open_house(
            address, data_dir, kinds=kinds, slow=slow, limits=limits, with_keys=True
        ) as house,
        serve(house.app, limits) as port,
    ):
        token, _ = await house.new_key(Scope.SUBMIT, Scope.READ)
        yield house, f"http://127.0.0.1:{port}/v1", token


async def test_openai_waits_as_long_as_it_is_told_when_too_much_goes_on(
    address: BusAddress, data_dir: Path
) -> None:
    limits = ApiLimits(max_requests=1)
    async with _served(address, data_dir, kinds=LIGHT, slow=SlowExecutor(), limits=limits) as (
        _,
        url,
        token,
    ):
        async with openai.AsyncOpenAI(base_url=url, api_key=token, max_retries=4) as client:
            finished: list[str] = []

            async def ask(name: str) -> None:
                await client.completions.create(model=SLOW, prompt="hi", max_tokens=20)
                finished.append(name)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(ask, "one")
                tasks.start_soon(ask, "two")
            assert sorted(finished) == ["one", "two"]


@pytest.mark.parametrize("stream", [False, True])
async def test_openai_gives_up_in_time_and_the_run_with_it(
    address: BusAddress, data_dir: Path, stream: bool
) -> None:
    slow = SlowExecutor(pause_s=0.05)
    async with _served(address, data_dir, kinds=LIGHT, slow=slow) as (_, url, token):
        client = openai.AsyncOpenAI(base_url=url, api_key=token, max_retries=0, timeout=0.5)
        async with client:
            if not stream:
                with pytest.raises(openai.APITimeoutError):
                    await client.chat.completions.create(
                        model=SLOW, messages=[TURN], max_tokens=20_000
                    )
            else:
                pieces = await client.chat.completions.create(
                    model=SLOW, messages=[TURN], max_tokens=20_000, stream=True
                )
                async for piece in pieces:
                    if piece.choices[0].delta.content:
                        break
                await pieces.close()
        await until(lambda: len(slow.cancelled) == 1)


async def test_a_stream_that_waits_is_kept_alive_and_cancelled_when_its_client_goes(
    address: BusAddress, data_dir: Path
) -> None:
    limits = ApiLimits(keep_alive_s=0.1)
    async with _served(address, data_dir, kinds=LIGHT, limits=limits) as (house, url, token):
        client = openai.AsyncOpenAI(base_url=url, api_key=token, max_retries=0)
        async with (
            client,
            client.chat.completions.with_streaming_response.create(
                model="auto", messages=[TURN], stream=True
            ) as answer,
        ):
            run_id = answer.headers["x-run-id"]
            comments = 0
            async for line in answer.iter_lines():
                comments += line.startswith(":")
                if comments == 3:
                    break
        with anyio.fail_after(10):
            while True:
                journal = await house.client.journal.read(run_id)
                if any(isinstance(entry.event, RunCancelled) for entry in journal):
                    break
                await anyio.sleep(0.05)


async def test_openai_parses_what_it_asked_for_and_misses_what_is_not_there(
    address: BusAddress, data_dir: Path
) -> None:
    async with _served(address, data_dir) as (_, url, token):
        async with openai.AsyncOpenAI(base_url=url, api_key=token, max_retries=0) as client:
            parsed = await client.chat.completions.parse(
                model="pocket", messages=[TURN], response_format=Colour, max_tokens=40
            )
            assert isinstance(parsed.choices[0].message.parsed, Colour)
            for missing in (
                client.responses.create(model="echo", input="hi"),
                client.embeddings.create(model="echo", input="hi"),
                client.images.generate(model="echo", prompt="a cat"),
            ):
                with pytest.raises(openai.NotFoundError) as caught:
                    await missing
                assert caught.value.code == "unknown_url"


async def test_langchain_asks_streams_batches_and_structures(
    address: BusAddress, data_dir: Path
) -> None:
    async with _served(address, data_dir) as (_, url, token), httpx2.AsyncClient() as http:
        key = SecretStr(token)
        # LangChain keeps its HTTP client for the next event loop, unless it is given one.
        ours = {"http_async_client": http, "max_retries": 0}
        chat = ChatOpenAI(model="echo", base_url=url, api_key=key, stream_usage=True, **ours)
        turns = [SystemMessage("Be kind."), HumanMessage("tea and toast")]
        whole = await chat.ainvoke(turns)
        assert whole.content == "tea and toast"
        assert whole.usage_metadata is not None
        assert whole.usage_metadata["output_tokens"] == 3
        pieces = [piece async for piece in chat.astream(turns)]
        assert "".join(str(piece.content) for piece in pieces) == "tea and toast"
        assert any(piece.usage_metadata for piece in pieces)
        both = await chat.abatch(["one", "two"])
        assert [answer.content for answer in both] == ["one", "two"]
        assert (await anyio.to_thread.run_sync(chat.invoke, "three")).content == "three"
        text = OpenAI(model="echo", base_url=url, api_key=key, **ours)
        assert await text.ainvoke("four") == "four"
        pocket = ChatOpenAI(model="pocket", base_url=url, api_key=key, **ours)
        structured = pocket.with_structured_output(Colour, method="json_schema")
        assert isinstance(await structured.ainvoke("What colour is grass?"), Colour)
        with pytest.raises(openai.BadRequestError) as caught:
            await pocket.bind_tools([Colour]).ainvoke("hi")
        assert caught.value.code == "unsupported_parameter"
        unknown = ChatOpenAI(model="nosuch", base_url=url, api_key=key, **ours)
        with pytest.raises(openai.NotFoundError):
            await unknown.ainvoke("hi")


async def test_llm_asks_streams_and_fills_in_a_schema(
    address: BusAddress, data_dir: Path, tmp_path: Path
) -> None:
    async with _served(address, data_dir) as (_, url, token):
        models = "".join(
            f"- model_id: bus-{model}\n  model_name: {model}\n  api_base: {url}\n"
            "  api_key_name: promptbus\n  supports_schema: true\n"
            for model in ("echo", "pocket", "nosuch")
        )
        (tmp_path / "extra-openai-models.yaml").write_text(models, encoding="utf-8")

        async def llm(*arguments: str) -> subprocess.CompletedProcess[bytes]:
            environment = {**os.environ, "LLM_USER_PATH": str(tmp_path)}
            done = await anyio.run_process(
                [sys.executable, "-m", "llm", *arguments], env=environment, check=False
            )
            assert done.returncode == 0 or "bus-nosuch" in arguments, done.stderr
            return done

        await llm("keys", "set", "promptbus", "--value", token)
        streamed = await llm("-m", "bus-echo", "-s", "Be kind.", "tea and toast")
        assert streamed.stdout.decode().strip() == "tea and toast"
        whole = await llm("-m", "bus-echo", "--no-stream", "-o", "max_tokens", "2", "one two three")
        assert whole.stdout.decode().split() == ["one", "two"]
        filled = await llm("-m", "bus-pocket", "--schema", _schema(), "What colour is grass?")
        assert Colour.model_validate_json(filled.stdout)
        unknown = await llm("-m", "bus-nosuch", "hi")
        assert unknown.returncode != 0
        assert "nosuch" in unknown.stderr.decode()


def _schema() -> str:
    return '{"type": "object", "properties": {"colour": {"enum": ["red", "green", "blue"]}}, ' + (
        '"required": ["colour"], "additionalProperties": false}'
    )
