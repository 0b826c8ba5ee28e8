"""``docker-compose.yml``: valid, complete, and each of its commands starts and does its part."""

import json
import subprocess
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from check_jsonschema.builtin_schemas import get_builtin_schema
from jsonschema import Draft7Validator

from bus.connection import BusAddress
from contracts.actor_kind import ActorKind
from contracts.otlp_json import from_otlp_json
from contracts.trace_check import check_trace
from promptbus.nats_server import find_binary, free_port
from promptbus.process import open_process
from promptbus.settings import Settings
from tests.promptbus.commands import (
    environment,
    promptbus,
    python,
    started,
    until,
    until_said,
)
from tests.promptbus.compose_file import FILE, compose_file
from tests.promptbus.conftest import QUICK
from tests.promptbus.otlp_receiver import Received, otlp_receiver


def test_the_file_is_valid_by_the_schema_of_compose() -> None:
    schema = get_builtin_schema("vendor.compose-spec")
    errors = list(Draft7Validator(schema).iter_errors(compose_file()))
    assert not errors, errors


def test_each_actor_is_a_service_of_its_own() -> None:
    services = compose_file()["services"]
    assert set(services) == {*ActorKind, "nats", "api", "jaeger"}
    for kind in ActorKind:
        assert services[kind]["command"] == ["actor", kind]
    volumes = compose_file()["volumes"]
    for service in services.values():
        assert {volume.split(":")[0] for volume in service.get("volumes", ())} <= set(volumes)


def test_the_image_holds_every_package_and_runs_what_services_ask_for() -> None:
    lines = (FILE.parent / "Dockerfile").read_text().splitlines()
    project = tomllib.loads((FILE.parent / "pyproject.toml").read_text())
    wheel = project["tool"]["hatch"]["build"]["targets"]["wheel"]
    copied = {line.split()[1] for line in lines if line.startswith("COPY ")}
    assert set(wheel["packages"]) <= copied
    assert f'ENTRYPOINT ["{next(iter(project["project"]["scripts"]))}"]' in lines


@dataclass(frozen=True)
class Composed:
    """All of the file's commands as processes of this machine."""

    url: str
    key: str
    receiver: Received
    logs: Mapping[str, Path]
    settings: Settings


@pytest.fixture(scope="module")
def composed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Composed]:
    """The services of the file but for Jaeger, in whose place a receiver takes spans."""
    folder = tmp_path_factory.mktemp("compose")
    services = compose_file()["services"]
    with ExitStack() as stack:
        receiver = stack.enter_context(otlp_receiver())
        address = _start_nats(stack, folder, services["nats"])
        ours = {name: one for name, one in services.items() if name not in {"nats", "jaeger"}}
        port = free_port()
        logs = {name: folder / f"{name}.log" for name in ours}
        envs = {
            name: _environment(service, folder / name, address, receiver.url, port)
            for name, service in ours.items()
        }
        for name in ActorKind:
            command = ours[name]["command"]
            stack.enter_context(started(*command, log=logs[name], env=envs[name]))
        for name in ActorKind:
            until_said(f"{name} is serving", logs[name])
        made = promptbus("keys", "create", "me", "--json", env=envs["api"])
        assert made.code == 0, made.err
        stack.enter_context(started(*ours["api"]["command"], log=logs["api"], env=envs["api"]))
        until_said("the API is serving", logs["api"])
        settings = Settings(data_dir=folder / "test").with_address(address)
        yield Composed(f"http://127.0.0.1:{port}", _key_in(made.json()), receiver, logs, settings)


@pytest.mark.slow
async def test_a_run_goes_through_all_services_and_its_trace_arrives(composed: Composed) -> None:
    headers = {"Authorization": f"Bearer {composed.key}"}
    async with httpx2.AsyncClient(base_url=composed.url, headers=headers, timeout=60) as http:
        body = {"prompt": "Say: hello", "model": "echo"}
        run = (await http.post("/orchestrator/run", json=body)).json()
        assert run["state"] == "answered", run
        run_id = run["run_id"]
        until(lambda: run_id in _roots(composed.receiver))
        spans = [
            span for span in from_otlp_json(composed.receiver.document()) if span.trace_id == run_id
        ]
        async with open_process(composed.settings, "test") as process:
            journal = await process.journal.read(run_id)
        assert check_trace(run_id, journal, spans) == []
        drawn = (await http.get(f"/traces/{run_id}/flow")).json()
        assert drawn["trace_url"] == f"http://localhost:16686/trace/{run_id}"
        assert (await http.get("/metrics")).status_code == 200
    look = compose_file()["services"]["api"]["healthcheck"]["test"]
    assert look[:3] == ["CMD", "python", "-c"]
    here = look[3].replace("http://127.0.0.1:8321", composed.url)
    assert here != look[3]
    assert python("-c", here).code == 0
    for log in composed.logs.values():
        for line in log.read_text().splitlines():
            if line.startswith("{"):
                assert {"time", "level", "logger", "message"} <= json.loads(line).keys()


def _start_nats(stack: ExitStack, folder: Path, service: Mapping[str, Any]) -> BusAddress:
    """The server with the file's own configuration, at other ports and folders."""
    (mounted,) = service["configs"]
    assert service["command"] == ["--config", mounted["target"]]
    port, monitor = free_port(), free_port()
    text = compose_file()["configs"][mounted["source"]]["content"]
    for before, after in (
        ("port: 4222", f"host: 127.0.0.1\nport: {port}"),
        (":8222", f":{monitor}"),
        ("store_dir: /data", f"store_dir: '{folder / 'nats'}'"),
    ):
        assert before in text
        text = text.replace(before, after)
    config = folder / "nats.conf"
    config.write_text(text)
    env = environment(**service["environment"])
    log = (folder / "nats.log").open("wb")
    stack.callback(log.close)
    process = subprocess.Popen(
        [find_binary(None), "--config", config], env=env, stdout=log, stderr=log
    )
    stack.callback(process.wait, 20)
    stack.callback(process.terminate)
    until(lambda: _is_healthy(monitor))
    password = service["environment"]["NATS_PASSWORD"]
    return BusAddress((f"nats://127.0.0.1:{port}",), user="promptbus", password=password)


def _is_healthy(monitor: int) -> bool:
    try:
        return httpx2.get(f"http://127.0.0.1:{monitor}/healthz").status_code == 200
    except httpx2.HTTPError:
        return False


def _environment(
    service: Mapping[str, Any], folder: Path, address: BusAddress, receiver: str, port: int
) -> dict[str, str]:
    """The service's own variables, with this machine's addresses in place of the network's."""
    given = dict(service["environment"])
    assert given["PROMPTBUS_NATS_URL"] == "nats://nats:4222"
    assert given["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://jaeger:4318"
    here = {
        "PROMPTBUS_NATS_URL": address.urls[0],
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver,
        "PROMPTBUS_DATA_DIR": str(folder),
    }
    if "PROMPTBUS_PORT" in given:
        here |= {"PROMPTBUS_PORT": str(port)}
    return environment(**{**given, **here, **QUICK})


def _roots(receiver: Received) -> set[str]:
    """The traces whose root has arrived."""
    spans = from_otlp_json(receiver.document()) if receiver.requests else []
    return {span.trace_id for span in spans if not span.parent_id}


def _key_in(made: Mapping[str, Any]) -> str:
    return str(made["key"])
