"""Remote models over the bus: asked, replaced when they fail, never where text must stay."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2

from bus.connection import BusAddress
from tests.api.house import open_house, serve
from tests.providers.openai.bad_server import BadServer, Behaviour, answer_well, serving
from tests.providers.openai.behaviours import answering, close_after_two_words

DIRECT = {"X-Promptbus-Mode": "direct"}


@asynccontextmanager
async def asking(
    address: BusAddress, data_dir: Path, behave: Behaviour
) -> AsyncIterator[tuple[BadServer, httpx2.AsyncClient]]:
    """A promptbus with a model ``far`` on a server that behaves so, and a client of it."""
    async with serving(behave) as server:
        file = data_dir.with_name("models.toml")
        file.write_text(
            f'[models.far]\nprovider = "openai"\nsource = "m"\nbase_url = "{server.url}"\n'
            'allow_insecure = true\nmax_retries = 0\nfallbacks = ["echo"]\n'
        )
        async with (
            open_house(address, data_dir, models_file=file) as house,
            serve(house.app) as port,
            httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=60) as http,
        ):
            yield server, http


async def test_a_run_is_answered_by_a_remote_model(address: BusAddress, data_dir: Path) -> None:
    async with asking(address, data_dir, answer_well) as (server, http):
        run = (await http.post("/orchestrator/run", json={"prompt": "hi", "model": "far"})).json()
        direct = (await http.post("/inference", json={"prompt": "hi", "model": "far"})).json()
        models = (await http.get("/models")).json()["models"]
    assert run["output"] == direct["output"] == "Hello there"
    metrics = run["execution_metrics"]
    assert (metrics["source"], metrics["provider"], metrics["model"]) == ("remote", "openai", "far")
    (far,) = [model for model in models if model["model"] == "far"]
    assert (far["source"], far["available"]) == ("remote", True)
    assert len(server.calls) >= 2


async def test_the_run_tells_who_answered_in_place_of_whom(
    address: BusAddress, data_dir: Path
) -> None:
    async with asking(address, data_dir, answering("500 Oops", b"")) as (_, http):
        run = (await http.post("/orchestrator/run", json={"prompt": "hi", "model": "far"})).json()
    metrics = run["execution_metrics"]
    assert (metrics["model"], metrics["fallback_from"]) == ("echo", "far")
    assert run["state"] == "answered"


async def test_a_broken_answer_fails_its_step_once(address: BusAddress, data_dir: Path) -> None:
    async with asking(address, data_dir, close_after_two_words) as (server, http):
        answer = await http.post("/inference", json={"prompt": "hi", "model": "far"})
    assert (answer.status_code, answer.json()["code"]) == (502, "answer_broke_off")
    assert len(server.calls) == 1


async def test_text_that_must_stay_opens_no_connection(address: BusAddress, data_dir: Path) -> None:
    stay = {"local_only": True}
    body = {"model": "far", "messages": [{"role": "user", "content": "secret"}], **stay}
    async with asking(address, data_dir, answer_well) as (server, http):
        for path, prompt, headers in (
            ("/orchestrator/run", {"prompt": "secret", "model": "far", **stay}, {}),
            (
                "/orchestrator/run",
                {"prompt": "s", "model": "far", "strategy": "standard"} | stay,
                {},
            ),
            ("/inference", {"prompt": "secret", "model": "far", **stay}, {}),
            ("/v1/chat/completions", body, {}),
            ("/v1/chat/completions", body, DIRECT),
            ("/v1/chat/completions", {**body, "stream": True}, DIRECT),
        ):
            answer = await http.post(path, json=prompt, headers=headers)
            assert "Hello there" not in answer.text
            assert "local" in answer.text
        assert server.num_connections == 0
