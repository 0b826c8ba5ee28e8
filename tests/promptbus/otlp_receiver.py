"""An OTLP receiver over HTTP: it takes what any collector takes, and keeps it."""

import base64
import gzip
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


class Received:
    """What has come so far."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.requests: list[ExportTraceServiceRequest] = []

    def document(self) -> dict[str, Any]:
        """All of it as one document in OTLP's JSON."""
        groups = [group for request in self.requests for group in request.resource_spans]
        whole: dict[str, Any] = MessageToDict(ExportTraceServiceRequest(resource_spans=groups))
        for group in whole.get("resourceSpans", ()):
            for scope in group["scopeSpans"]:
                for span in scope["spans"]:
                    _ids_in_hex(span)
        return whole


def _ids_in_hex(span: dict[str, Any]) -> None:
    """OTLP's JSON has ids in hex where protobuf's has base64, and enums as numbers."""
    for record in (span, *span.get("links", ())):
        for name in ("traceId", "spanId", "parentSpanId"):
            if name in record:
                record[name] = base64.b64decode(record[name]).hex()
    kinds = ("UNSPECIFIED", "INTERNAL", "SERVER", "CLIENT", "PRODUCER", "CONSUMER")
    span["kind"] = kinds.index(str(span["kind"]).removeprefix("SPAN_KIND_"))


@contextmanager
def otlp_receiver() -> Iterator[Received]:
    """A receiver on a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            if self.path != "/v1/traces":
                self.send_error(404)
                return
            found.requests.append(ExportTraceServiceRequest.FromString(body))
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("content-type", "application/x-protobuf")
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, format: str, *args: Any) -> None:
            """Tests look at what came, not at lines."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found = Received(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield found
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
