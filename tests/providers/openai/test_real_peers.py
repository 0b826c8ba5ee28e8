"""Servers that others wrote, and promptbus itself, as remote models."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest

from bus.connection import BusAddress
from contracts.actor_kind import ActorKind
from contracts.generation import GenerationResult, TextDelta
from promptbus.nats_server import NatsServer
from providers.cancellation import Cancellation
from providers.provider_error import ProviderRefused
from tests.api.house import SLOW, SlowExecutor, open_house, serve, until
from tests.providers.openai.bad_server import ask, gateway_over, remote_entry

pytestmark = pytest.mark.slow

OTHERS = tuple(kind for kind in ActorKind if kind is not ActorKind.EXECUTOR)


@asynccontextmanager
async def transformers_serve(checkpoint: Path, log: Path) -> AsyncIterator[str]:
    """``transformers serve`` on ``checkpoint``; yields the address that ends in ``/v1``."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = Path(sys.executable).with_name("transformers")
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            str(command),
            "serve",
            str(checkpoint),
            "--host=127.0.0.1",
            f"--port={port}",
            "--device=cpu",
            stdout=output,
            stderr=output,
            env=environment,
        )
        try:
            url = f"http://127.0.0.1:{port}"
            await _healthy(url, process, log)
            yield f"{url}/v1"
        finally:
            if process.returncode is None:
                process.terminate()
            await process.wait()


async def _healthy(url: str, process: asyncio.subprocess.Process, log: Path) -> None:
    async with httpx2.AsyncClient(trust_env=False) as http, asyncio.timeout(100):
        while True:
            assert process.returncode is None, f"it ended; see {log}"
            try:
                if (await http.get(f"{url}/health")).status_code == 200:
                    return
            except httpx2.TransportError:
                await asyncio.sleep(0.1)


async def test_transformers_serve_answers(tiny_checkpoint: Path, tmp_path: Path) -> None:
    async with transformers_serve(tiny_checkpoint, tmp_path / "serve.log") as url:
        fields: dict[str, Any] = {
            "source": str(tiny_checkpoint),
            "first_token_timeout_s": 60.0,
        }
        async with gateway_over(remote_entry("far", url, **fields)) as gateway:
            wishes: dict[str, Any] = {"max_tokens": 12, "temperature": 0.0, "seed": 1}
            whole = await gateway.generate(ask(**wishes))
            async with aclosing(gateway.stream(ask(**wishes))) as stream:
                items = [item async for item in stream]
    streamed = items[-1]
    assert isinstance(streamed, GenerationResult)
    pieces = [item.text for item in items if isinstance(item, TextDelta)]
    assert "".join(pieces) == streamed.output == whole.output
    assert whole.output
    assert whole.finish_reason in {"stop", "length"}
    assert 0 < whole.usage.completion_tokens <= 12
    assert whole.usage.prompt_tokens > 0


@pytest.fixture
def address(tmp_path: Path) -> Iterator[BusAddress]:
    """A NATS server for the promptbus that is asked."""
    with NatsServer(tmp_path / "nats", synced=False) as server:
        yield server.address


async def test_another_promptbus_answers(address: BusAddress, tmp_path: Path) -> None:
    async with (
        open_house(address, tmp_path / "data") as house,
        serve(house.app) as port,
        gateway_over(remote_entry("far", f"http://127.0.0.1:{port}/v1", source="echo")) as gateway,
    ):
        result = await gateway.generate(ask(prompt="from one bus to another"))
        cut = await gateway.generate(ask(prompt="one two three", max_tokens=2))
        async with gateway_over(
            remote_entry("lost", f"http://127.0.0.1:{port}/v1", source="nosuch")
        ) as other:
            with pytest.raises(ProviderRefused, match="'nosuch'"):
                await other.generate(ask("lost"))
    assert (result.output, result.finish_reason) == ("from one bus to another", "stop")
    assert result.usage.completion_tokens == 5
    assert (cut.output.split(), cut.finish_reason) == (["one", "two"], "length")


async def test_cancelling_here_ends_the_run_there(address: BusAddress, tmp_path: Path) -> None:
    slow = SlowExecutor()
    cancel = Cancellation()
    async with (
        open_house(address, tmp_path / "data", kinds=OTHERS, slow=slow) as house,
        serve(house.app) as port,
        gateway_over(remote_entry("far", f"http://127.0.0.1:{port}/v1", source=SLOW)) as gateway,
    ):
        async with aclosing(gateway.stream(ask(max_tokens=20_000), cancel=cancel)) as stream:
            items = []
            async for item in stream:
                items.append(item)
                cancel.cancel()
        await until(lambda: len(slow.cancelled) == 1)
    result = items[-1]
    assert isinstance(result, GenerationResult)
    assert result.finish_reason == "cancelled"
    assert result.output.startswith("word ")
