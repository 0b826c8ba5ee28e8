"""Tracing set-up: the SPANS stream always, OTLP where the standard variables name an endpoint."""

import logging
import os
import platform

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from promptbus import __version__
from promptbus.span_stream import SpanStream

logger = logging.getLogger(__name__)

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


def set_up_tracing(role: str) -> SpanStream:
    """Make this process trace as ``promptbus-<role>``; returns the stream that somebody must run.

    Called once per process.
    """
    resource = Resource.create(
        {
            "service.name": os.environ.get("OTEL_SERVICE_NAME", f"promptbus-{role}"),
            "service.version": __version__,
            "host.name": platform.node(),
            "process.pid": os.getpid(),
        }
    )
    provider = TracerProvider(resource=resource)
    stream = SpanStream()
    provider.add_span_processor(stream)
    if otlp_endpoint() is not None:
        _add_otlp(provider)
    trace.set_tracer_provider(provider)
    return stream


def otlp_endpoint() -> str | None:
    """Where the standard variables want spans to go as well; None where they name nothing."""
    return next((os.environ[name] for name in _ENDPOINTS if os.environ.get(name)), None)


def _add_otlp(provider: TracerProvider) -> None:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import (
            OTLPSpanExporter,
        )
    except ImportError:
        logger.warning("OTLP is configured, but not installed: pip install 'promptbus[otlp]'")
        return
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))


def set_up_logging(level: str) -> None:
    """Plain lines on stderr; promptbus at ``level``, chatty libraries at WARNING."""
    logging.basicConfig(format="%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    logging.getLogger().setLevel(logging.WARNING)
    for name in ("actors", "api", "bus", "promptbus", "providers"):
        logging.getLogger(name).setLevel(level.upper())
