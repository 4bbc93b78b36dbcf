"""OpenTelemetry spans across request, event, delivery and job; off, and without cost, until ``setup`` is called.

No table holds a trace header. The trace id **is** the correlation id, which events and jobs carry anyway, and what is
stored is its own span: the span that publishes an event or enqueues a job has the low 64 bits of that row's id (the
random part of a UUIDv7) as its id, so that a delivery or a job, in another process and perhaps days later, finds its
parent by the id it was given. Attributes are ids and names that are declared; never personal data, never payloads.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any
from uuid import UUID

from core.ids import new_id

LOW = (1 << 64) - 1
_tracing: Any = None
_provider: Any = None
_present: ContextVar[tuple[int, int] | None] = ContextVar("span", default=None)
_wanted: ContextVar[tuple[int, int]] = ContextVar("wanted")


def setup(endpoint: str | None, *, process: str = "") -> None:
    """Send spans to the OTLP/HTTP collector at ``endpoint``; nothing is done without one.

    Raises SystemExit with a sentence when the packages of the extra ``traces`` are not installed.
    """
    if not endpoint:
        return
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise SystemExit("Traces need the extra: install guildhall[traces], or unset the OTLP endpoint.") from None
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
    start(BatchSpanProcessor(exporter), process=process)


def start(processor: Any, *, process: str = "") -> None:
    """Hand every span to ``processor``, an OpenTelemetry span processor."""
    global _tracing, _provider
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.id_generator import IdGenerator

    class Ours(IdGenerator):
        def generate_trace_id(self) -> int:
            return _wanted.get()[0]

        def generate_span_id(self) -> int:
            return _wanted.get()[1]

    about = Resource.create({"service.name": "guildhall", "guildhall.process": process})
    provider = TracerProvider(resource=about, id_generator=Ours())
    provider.add_span_processor(processor)
    _tracing, _provider = provider.get_tracer("guildhall"), provider


def flush() -> None:
    """Send now what waits to be sent."""
    if _provider is not None:
        _provider.force_flush()


def stop() -> None:
    """Send what waits, and trace no more."""
    global _tracing, _provider
    if _provider is not None:
        _provider.shutdown()
    _tracing = _provider = None


def on() -> bool:
    """Whether spans are made."""
    return _tracing is not None


def begin() -> None:
    """A request begins: what it publishes is below it. Its span is made by ``finish_request``."""
    if _tracing is not None:
        _present.set((0, new_id().int & LOW))


def finish_request(name: str, correlation: UUID, seconds: float, **attributes: Any) -> None:
    """The span of the present request, which took ``seconds``; the correlation id is known only now."""
    if _tracing is None or (present := _present.get()) is None:
        return
    _present.set(None)
    ended = time.time_ns()
    failed = int(attributes.get("http.response.status_code", 0)) >= 500
    _emit(name, "SERVER", correlation.int, present[1], None, ended - int(seconds * 1e9), ended, failed, attributes)


def mark(name: str, correlation: UUID, row: UUID, **attributes: Any) -> Callable[[], None] | None:
    """A moment that leaves a row behind: an event published, a job enqueued. The row's id is the span's.

    Returns what makes the span, to be called after the commit; None when spans are not made.
    """
    if _tracing is None:
        return None
    at, parent, trace = time.time_ns(), _parent(correlation.int), correlation.int
    return lambda: _emit(name, "PRODUCER", trace, row.int & LOW, parent, at, at, False, attributes)


@contextmanager
def span(name: str, correlation: UUID | None, cause: UUID | None, **attributes: Any) -> Iterator[None]:
    """Work that goes on because of the row ``cause``; what it publishes or enqueues is below it."""
    if _tracing is None or correlation is None:
        yield
        return
    own, began, failed = new_id().int & LOW, time.time_ns(), True
    token = _present.set((correlation.int, own))
    try:
        yield
        failed = False
    finally:
        _present.reset(token)
        parent = cause.int & LOW if cause else None
        _emit(name, "CONSUMER", correlation.int, own, parent, began, time.time_ns(), failed, attributes)


def _parent(trace: int) -> int | None:
    """The span that is open here, if it belongs to ``trace``; a request's trace is not known before its end."""
    present = _present.get()
    return present[1] if present and present[0] in (0, trace) else None


def _emit(
    name: str,
    kind: str,
    trace: int,
    own: int,
    parent: int | None,
    began: int,
    ended: int,
    failed: bool,
    attributes: dict[str, Any],
) -> None:
    from opentelemetry import trace as otel
    from opentelemetry.context import Context

    context = Context()
    if parent is not None:
        above = otel.SpanContext(trace, parent, is_remote=True, trace_flags=otel.TraceFlags(otel.TraceFlags.SAMPLED))
        context = otel.set_span_in_context(otel.NonRecordingSpan(above), context)
    token = _wanted.set((trace, own))
    try:
        shown = {key: str(value) if isinstance(value, UUID) else value for key, value in attributes.items()}
        made = _tracing.start_span(
            name,
            context,
            kind=otel.SpanKind[kind],
            start_time=began,
            attributes={k: v for k, v in shown.items() if v is not None},
        )
    finally:
        _wanted.reset(token)
    if failed:
        made.set_status(otel.StatusCode.ERROR)
    made.end(ended)
