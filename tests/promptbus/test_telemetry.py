"""What the environment says of tracing, by OpenTelemetry's own variables."""

import pytest

from promptbus.otlp_export import OtlpExport
from promptbus.telemetry import otlp_endpoint, read_tracing

ENDPOINT = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """No variables of whoever runs the tests."""
    for name in ("OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        monkeypatch.delenv(name, raising=False)
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.delenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", raising=False)


def test_nothing_said_is_spans_on_the_bus_alone_and_no_text() -> None:
    tracing = read_tracing()
    assert (tracing.enabled, tracing.with_content, tracing.export) == (True, False, None)


@pytest.mark.parametrize(
    "name", ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"]
)
def test_an_endpoint_is_exported_to(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, ENDPOINT)
    tracing = read_tracing()
    assert isinstance(tracing.export, OtlpExport)
    assert tracing.close is not None
    tracing.close()
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    assert otlp_endpoint() is None
    assert read_tracing().export is None


def test_a_protocol_that_is_not_spoken_is_told(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", ENDPOINT)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    assert read_tracing().export is None
    assert "set OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf" in caplog.text


@pytest.mark.parametrize(
    ("said", "captured"),
    [("true", True), ("span_only", True), ("false", False), ("", False), ("event_only", False)],
)
def test_text_is_recorded_only_where_that_is_said(
    monkeypatch: pytest.MonkeyPatch, said: str, captured: bool
) -> None:
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", said)
    assert read_tracing().with_content is captured


def test_tracing_may_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", ENDPOINT)
    tracing = read_tracing()
    assert (tracing.enabled, tracing.export) == (False, None)
