"""Spans sent on to an OTLP receiver are those of the SPANS stream, by the standard variables."""

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from hypothesis import given
from hypothesis import settings as examples
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

from contracts import semconv
from contracts.flow import build_flow
from contracts.journal_entry import JournalEntry
from contracts.otlp_json import from_otlp_json
from contracts.run_spans import run_spans
from contracts.semconv import Role
from contracts.span import Span, merge_spans
from promptbus.endpoint import read_endpoint
from promptbus.otlp_export import readable_span
from promptbus.process import open_process
from promptbus.settings import Settings
from tests.contracts.journals import RUN_ID, whole_run
from tests.contracts.run_journals import led_journals
from tests.promptbus.commands import environment, promptbus, started, until, until_said
from tests.promptbus.conftest import QUICK
from tests.promptbus.otlp_receiver import Received, otlp_receiver

PHOENIX = shutil.which("phoenix")


@examples(max_examples=30)
@given(led_journals())
def test_the_exporters_own_encoder_takes_every_span(entries: list[JournalEntry]) -> None:
    spans = [span for span in merge_spans(run_spans(RUN_ID, entries)) if not span.is_open]
    received = Received("")
    received.requests.append(encode_spans([readable_span(span) for span in spans]))
    assert merge_spans(from_otlp_json(received.document())) == spans


def test_all_processes_send_their_spans_where_the_variables_say(tmp_path: Path) -> None:
    with otlp_receiver() as receiver:
        run_id, answer, stored = _one_run(tmp_path, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url)
        until(lambda: _root(receiver, run_id) is not None)
        spans = _spans(receiver, run_id)
        assert merge_spans(spans) == merge_spans(stored)
        assert build_flow(spans) == build_flow(stored)
        (chat,) = [span for span in spans if span.role == Role.GENERATION]
        assert chat.name == "chat echo"
        assert chat.attributes[semconv.GEN_AI_OPERATION] == "chat"
        document = json.dumps(receiver.document())
        assert "hello lighthouse" not in document
        assert answer not in document
        services = {span.service for span in spans}
        assert {"promptbus-coordinator", "promptbus-executor", "promptbus-cli"} <= services


def test_text_is_sent_only_where_it_is_asked_for(tmp_path: Path) -> None:
    with otlp_receiver() as receiver:
        run_id, answer, _ = _one_run(
            tmp_path,
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
            OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT="true",
        )
        until(lambda: _root(receiver, run_id) is not None)
        (chat,) = [span for span in _spans(receiver, run_id) if span.role == Role.GENERATION]
        assert "hello lighthouse" in str(chat.attributes[semconv.GEN_AI_INPUT_MESSAGES])
        assert answer in str(chat.attributes[semconv.GEN_AI_OUTPUT_MESSAGES])


async def test_switched_off_there_are_no_spans(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    async with open_process(settings, "test") as process:
        await process.spans.send(run_spans(RUN_ID, whole_run()))
        assert await process.spans.read(RUN_ID) == []


@pytest.fixture
def phoenix(tmp_path: Path) -> Iterator[str]:
    """Arize Phoenix, a tracing backend of others."""
    if PHOENIX is None:
        pytest.skip("phoenix is not installed: pip install arize-phoenix")
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    env = environment(
        PHOENIX_PORT=str(port),
        PHOENIX_HOST="127.0.0.1",
        PHOENIX_GRPC_PORT="0",
        PHOENIX_WORKING_DIR=str(tmp_path),
        PHOENIX_TELEMETRY_ENABLED="false",
        PHOENIX_AGENTS_DISABLE_BASH="true",
        PHOENIX_AGENTS_DISABLE_GITHUB="true",
    )
    del env["PYTHONPATH"]
    url = f"http://127.0.0.1:{port}"
    with (tmp_path / "phoenix.log").open("wb") as log:
        process = subprocess.Popen([PHOENIX, "serve"], env=env, stdout=log, stderr=log)
    try:
        _until_answers(url)
        yield url
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.slow
def test_a_backend_of_others_takes_a_run_as_one_trace(phoenix: str, tmp_path: Path) -> None:
    run_id, _, stored = _one_run(
        tmp_path,
        OTEL_EXPORTER_OTLP_ENDPOINT=phoenix,
        OTEL_RESOURCE_ATTRIBUTES="openinference.project.name=promptbus",
    )
    expected = {(span.span_id, span.parent_id or None, span.name) for span in stored}
    deadline_s = time.monotonic() + 60
    found: set[tuple[str, str | None, str]] = set()
    while found != expected and time.monotonic() < deadline_s:
        time.sleep(0.5)
        answer = httpx2.get(
            f"{phoenix}/v1/projects/promptbus/spans", params={"trace_id": run_id, "limit": 100}
        )
        if answer.status_code == 200:
            found = {
                (one["context"]["span_id"], one["parent_id"], one["name"])
                for one in answer.json()["data"]
            }
    assert found == expected


def _until_answers(url: str) -> None:
    deadline_s = time.monotonic() + 90
    while time.monotonic() < deadline_s:
        try:
            if httpx2.get(f"{url}/healthz", timeout=2).status_code == 200:
                return
        except httpx2.HTTPError:
            time.sleep(0.5)
    raise AssertionError("phoenix does not answer")


def _one_run(folder: Path, **variables: str) -> tuple[str, str, list[Span]]:
    """A run in a whole system with those variables: its id, its answer and its stored spans."""
    env = environment(PROMPTBUS_DATA_DIR=str(folder / "data"), **QUICK, **variables)
    log = folder / "up.log"
    with started("up", "--port", "0", log=log, env=env):
        until_said("Ctrl-C", log)
        done = promptbus("ask", "-m", "echo", "--json", "hello lighthouse", env=env)
        assert done.code == 0, done.err
        view = done.json()
        endpoint = read_endpoint(folder / "data")
        assert endpoint is not None
        url = f"{endpoint.api_url}/traces/{view['run_id']}"
        until(lambda: httpx2.get(f"{url}/flow").json()["source"] == "spans")
        return view["run_id"], view["output"], from_otlp_json(httpx2.get(url).json())


def _spans(receiver: Received, run_id: str) -> list[Span]:
    return [one for one in from_otlp_json(receiver.document()) if one.trace_id == run_id]


def _root(receiver: Received, run_id: str) -> Span | None:
    if not receiver.requests:
        return None
    return next((one for one in _spans(receiver, run_id) if not one.parent_id), None)
