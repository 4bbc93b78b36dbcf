"""Traces follow one cause through request, event, delivery and job, by the ids that are kept anyway."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from sqlalchemy import text

from config import Config
from core.observability import traces
from tests.core.observability.beacon import troubles


@pytest.fixture
def spans() -> Iterator[Any]:
    """The finished spans by name."""
    exporter = InMemorySpanExporter()
    traces.start(SimpleSpanProcessor(exporter), process="test")
    yield lambda: {span.name: span for span in exporter.get_finished_spans() if "/metrics" not in span.name}
    traces.stop()


def parent(span: ReadableSpan) -> int | None:
    return span.parent.span_id if span.parent else None


def test_one_trace_leads_from_the_request_to_the_job(watch: Any, spans: Any) -> None:
    watch.light()
    watch.work()
    found = spans()
    chain = [
        "POST /api/v1/beacon/fires",
        "publish beacon.fire.lit",
        "deliver beacon.look",
        "publish beacon.fire.seen",
        "deliver beacon.call",
    ]
    for above, below in pairwise(chain):
        assert parent(found[below]) == found[above].context.span_id, below
    assert parent(found["enqueue beacon.report"]) == found["deliver beacon.look"].context.span_id
    assert parent(found["job beacon.report"]) == found["enqueue beacon.report"].context.span_id
    assert parent(found[chain[0]]) is None
    with watch.platform.unit_of_work() as session:
        correlation: UUID = session.scalar(text("SELECT DISTINCT correlation_id FROM core_event"))
    assert {span.context.trace_id for span in found.values()} == {correlation.int}


def test_what_is_told_is_ids_and_declared_names(watch: Any, spans: Any) -> None:
    watch.light()
    watch.work()
    known = {"event", "delivery", "attempt", "job", "http.request.method", "http.route", "http.response.status_code"}
    known |= {"guildhall.request", "guildhall.member"}
    for span in spans().values():
        assert set(span.attributes) <= known, span.name
    assert spans()["POST /api/v1/beacon/fires"].attributes["http.response.status_code"] == 204


def test_a_failure_shows_and_what_it_undid_does_not(watch: Any, spans: Any) -> None:
    troubles.add("look")
    watch.light()
    watch.work()
    assert spans()["deliver beacon.look"].status.status_code is StatusCode.ERROR
    assert not {"publish beacon.fire.seen", "enqueue beacon.report"} & set(spans())


def test_a_refused_request_has_its_span_and_publishes_nothing(watch: Any, spans: Any) -> None:
    troubles.add("light")
    watch.light()
    assert set(spans()) == {"POST /api/v1/beacon/fires"}


def test_without_an_endpoint_nothing_is_traced(watch: Any) -> None:
    traces.setup("")
    assert not traces.on()
    assert traces.mark("publish", UUID(int=1), UUID(int=2)) is None


def test_the_endpoint_is_ours_or_that_of_the_standard(tmp_path: Any) -> None:
    given = {"GUILDHALL_HOME": str(tmp_path), "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}
    assert Config.load(given, tmp_path).otlp_endpoint == "http://collector:4318"
    assert (
        Config.load({**given, "GUILDHALL_OTLP_ENDPOINT": "http://own:4318"}, tmp_path).otlp_endpoint
        == "http://own:4318"
    )


def test_spans_reach_a_collector(watch: Any) -> None:
    """A collector on loopback is sent OTLP over HTTP."""
    import threading
    from http.server import BaseHTTPRequestHandler, HTTPServer

    taken: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_arguments: Any) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Collector)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        traces.setup(f"http://127.0.0.1:{server.server_port}", process="test")
        watch.light()
        traces.flush()
    finally:
        traces.stop()
        server.shutdown()
        server.server_close()
    assert {path for path, _body in taken} == {"/v1/traces"}
    body = b"".join(body for _path, body in taken)
    import gzip

    body = gzip.decompress(body) if body[:2] == b"\x1f\x8b" else body
    assert b"publish beacon.fire.lit" in body
