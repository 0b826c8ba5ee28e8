"""Unique secrets, put in everywhere at once, are found in no log, span or error."""

import contextlib
import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from bus.connection import Connection
from bus.direct_get import DirectGet
from contracts.subjects import SPANS_ALL
from promptbus.endpoint import Endpoint, read_endpoint
from tests.promptbus.commands import environment, promptbus, started, until, until_said

PROMPT = "prompt_canary_8d21f0"
SESSION = "session_canary_77aa10"
PROVIDER_KEY = "provider_canary_51c9e2"
PROVIDER_PATH = "path_canary_0b64d7"


class _System:
    """A promptbus that asks for keys, with a remote model that is not there, and says much."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data_dir = folder / "data"
        self.log = folder / "up.log"
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            port = closed.getsockname()[1]
        models = folder / "models.toml"
        models.write_text(
            f'[models.far]\nprovider = "openai"\nsource = "m"\nallow_insecure = true\n'
            f'base_url = "http://127.0.0.1:{port}/{PROVIDER_PATH}/v1"\napi_key_env = "FAR_KEY"\n'
            "max_retries = 0\n"
        )
        self.env = environment(
            PROMPTBUS_DATA_DIR=str(self.data_dir),
            PROMPTBUS_MODELS_FILE=str(models),
            PROMPTBUS_DEFAULT_MODEL="echo",
            PROMPTBUS_PRELOAD="",
            PROMPTBUS_REQUIRE_KEYS="true",
            PROMPTBUS_LOG_LEVEL="DEBUG",
            FAR_KEY=PROVIDER_KEY,
        )
        self.tokens: list[str] = []

    def new_key(self) -> str:
        done = promptbus("keys", "create", "canary", "--scopes", "submit,read,admin", env=self.env)
        self.tokens.append(done.out.strip())
        return self.tokens[-1]

    @property
    def endpoint(self) -> Endpoint:
        found = until(lambda: read_endpoint(self.data_dir), log=self.log)
        assert isinstance(found, Endpoint)
        return found

    async def spans(self) -> str:
        async with Connection(self.endpoint.address(), "test") as connection:
            found = await DirectGet(connection, "SPANS").read_all(SPANS_ALL)
        return "\n".join(message.data.decode() for message in found)

    def logs(self) -> dict[str, str]:
        files = [self.log, *self.data_dir.rglob("*.log")]
        return {path.name: path.read_text(errors="replace") for path in files}


@pytest.fixture
def quiet(tmp_path: Path) -> Iterator[_System]:
    """It runs, and two keys of it are there."""
    system = _System(tmp_path)
    system.new_key()
    with started("up", "--port", "0", log=system.log, env=system.env):
        until_said("Ctrl-C", system.log)
        system.new_key()
        yield system


def _bodies() -> list[tuple[str, Any]]:
    """What to send: right, wrong, and to a model that fails."""
    prompt = {"prompt": PROMPT, "session_id": SESSION, "max_attempts": 1}
    direct = {"prompt": PROMPT}
    chat = {"messages": [{"role": "user", "content": PROMPT}], "max_attempts": 1}
    wrong = [
        {"model": "nosuch"},
        {"model": "echo", "promt": PROMPT},
        {"model": "echo", "seed": PROMPT},
    ]
    found: list[tuple[str, Any]] = []
    for path, body in (
        ("/orchestrator/run", prompt),
        ("/inference/", direct),
        ("/v1/chat/completions", chat),
    ):
        found += [(path, body | more) for more in ({"model": "echo"}, {"model": "far"}, *wrong)]
    schema = {"type": "json_schema", "json_schema": {"schema": {PROMPT: 1, "type": PROMPT}}}
    found.append(("/v1/chat/completions", chat | {"model": "echo", "response_format": schema}))
    found.append(("/v1/chat/completions", chat | {"model": "far", "stream": True}))
    return found


async def test_secrets_are_found_in_no_log_span_or_error(quiet: _System) -> None:
    url = quiet.endpoint.api_url
    assert url is not None
    told: list[str] = []
    with httpx2.Client(base_url=url, timeout=60) as http:
        good = {"Authorization": f"Bearer {quiet.tokens[0]}"}
        for path, body in _bodies():
            answer = http.post(path, json=body, headers=good)
            if body["model"] != "echo" or answer.status_code != 200:
                told.append(_without_prompt(answer))
        bad = {"Authorization": f"Bearer {quiet.tokens[0]}x"}
        told.append(http.get("/system/actors", headers=bad).text)
        told.append(http.get(f"/system/actors?key={quiet.tokens[0]}").text)
        told.append(http.get(f"/{PROMPT}", headers=good).text)
        told.append(http.get("/health", headers=good).text)
        told.append(http.get("/system/hosts", headers=good).text)
        told.append(http.get("/models", headers=good).text)
    with (
        pytest.raises(InvalidStatus),
        contextlib.closing(
            connect(f"ws{url.removeprefix('http')}/orchestrator/ws?key={quiet.tokens[0]}")
        ),
    ):
        pass
    spans = await quiet.spans()
    assert "executor" in spans
    found = {"answers": "\n".join(told), "spans": spans, **quiet.logs()}
    secrets = [PROMPT, SESSION, PROVIDER_KEY, PROVIDER_PATH, *_secrets(quiet.tokens)]
    assert [
        (place, secret) for place, text in found.items() for secret in secrets if secret in text
    ] == []
    assert len(told) > 12


def _without_prompt(answer: httpx2.Response) -> str:
    """An answer with an error; a run tells its own prompt to whoever may read it."""
    if answer.headers["content-type"] != "application/json":
        return answer.text
    document = answer.json()
    kept = {name: value for name, value in document.items() if name not in {"prompt", "session_id"}}
    return json.dumps(kept)


def _secrets(tokens: list[str]) -> list[str]:
    return [token.split("_", 2)[2] for token in tokens]
