"""What the environment says of tracing, by OpenTelemetry's own variables."""

import logging
import os
from collections.abc import Callable
from dataclasses import dataclass

from bus.span_stream import Export

logger = logging.getLogger(__name__)

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_CAPTURE = "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"
_CAPTURED = frozenset({"true", "1", "span_only", "span_and_event"})
HTTP = "http/protobuf"


@dataclass(frozen=True, slots=True)
class Tracing:
    """How a process traces; ``close`` sends what the exporter still holds, and may wait for that.

    Without ``enabled`` there are no spans at all. ``with_content`` records prompts and answers.
    """

    enabled: bool = True
    with_content: bool = False
    export: Export | None = None
    close: Callable[[], None] | None = None


def read_tracing() -> Tracing:
    """Spans go to SPANS, and to an OTLP receiver where the standard variables name one."""
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return Tracing(enabled=False)
    with_content = os.environ.get(_CAPTURE, "").lower() in _CAPTURED
    if otlp_endpoint() is None:
        return Tracing(with_content=with_content)
    protocol = next((os.environ[name] for name in _PROTOCOLS if os.environ.get(name)), HTTP)
    if protocol != HTTP:
        logger.warning("OTLP over %s is not spoken here: set %s=%s", protocol, _PROTOCOLS[1], HTTP)
        return Tracing(with_content=with_content)
    try:
        from promptbus.otlp_export import OtlpExport
    except ImportError:
        logger.warning("OTLP is configured, but not installed: pip install 'promptbus[otlp]'")
        return Tracing(with_content=with_content)
    export = OtlpExport()
    return Tracing(with_content=with_content, export=export, close=export.close)


def otlp_endpoint() -> str | None:
    """Where the standard variables want spans to go as well; None where they name nothing."""
    if os.environ.get("OTEL_TRACES_EXPORTER", "otlp").lower() == "none":
        return None
    return next((os.environ[name] for name in _ENDPOINTS if os.environ.get(name)), None)
