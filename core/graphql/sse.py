"""Server-sent events as "GraphQL over SSE" has them, one connection an operation ("distinct connections mode").

Source: the GraphQL-over-SSE protocol of graphql-sse, and the event stream format of the HTML standard. An ``id`` of
each event is the place in the stream, for ``Last-Event-ID``; it comes with heartbeats too, so that a client which saw
no event yet resumes without a gap. Closing without ``complete`` asks the client to resume.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

from flask import Response
from graphql import ExecutionResult, execute

from core.clock import rfc3339
from core.db.session import Database
from core.errors import DomainError
from core.graphql.execution import Prepared, answer
from core.graphql.schema import Asked
from core.graphql.streams import CHUNK, NIL, Place, Streams, Told, events_between

BEAT_SECONDS = 15.0
RETRY_MILLISECONDS = 1000
COMPLETE = "event: complete\ndata:\n\n"


def streamed(parts: Iterator[str]) -> Response:
    answer = Response(parts, mimetype="text/event-stream")
    answer.headers["Cache-Control"] = "no-store"
    answer.headers["X-Accel-Buffering"] = "no"  # of proxies that would wait for more
    return answer


def once(result: dict[str, Any]) -> Iterator[str]:
    """The whole answer to what is no subscription, or was refused."""
    yield _next(result)
    yield COMPLETE


def _next(result: dict[str, Any], place: Place | None = None) -> str:
    mark = f"id: {place}\n" if place else ""
    return f"{mark}event: next\ndata: {json.dumps(result, ensure_ascii=False, separators=(',', ':'))}\n\n"


class Follower:
    """One subscription being answered; ``still_may`` raises when who asked may no longer see events."""

    def __init__(
        self, prepared: Prepared, known: frozenset[str], database: Database, still_may: Callable[[], None]
    ) -> None:
        self._prepared = prepared
        self._asked = Asked(known)
        self._database = database
        self._still_may = still_may

    def tried(self) -> dict[str, Any] | None:
        """Look what is asked for, on an event that never was; the refusal where it cannot be given."""
        result = self._result(Told(NIL, "", datetime.fromtimestamp(0, UTC), {}, Place(0)))
        return result if "errors" in result or not self._asked.seen else None

    def parts(self, streams: Streams, resume: Place | None, seconds: float) -> Iterator[str]:
        """What is sent: at first the events since ``resume``, then those that happen, for so many seconds."""
        until, beat = time.monotonic() + seconds, time.monotonic() + BEAT_SECONDS
        with streams.watching() as stream:
            place = resume or stream.begin
            yield f"retry: {RETRY_MILLISECONDS}\nid: {place}\n\n"
            while place < stream.begin:
                with self._database.unit_of_work() as session:
                    missed = events_between(session, place, stream.begin)
                yield from self._told(missed)
                place = missed[-1].after if len(missed) == CHUNK else stream.begin
            while (left := until - time.monotonic()) > 0 and not stream.lost:
                events, seen = stream.take(min(left, 1.0))
                yield from self._told([one for one in events if one.after > place])
                place = max(place, seen)
                if time.monotonic() >= beat:
                    try:
                        self._still_may()
                    except DomainError:
                        yield COMPLETE
                        return
                    beat = time.monotonic() + BEAT_SECONDS
                    yield f": beat\nid: {place}\n\n"

    def _told(self, events: list[Told]) -> Iterator[str]:
        for one in events:
            if self._asked.names is None or one.name in self._asked.names:
                yield _next(self._result(one), one.after)

    def _result(self, event: Told) -> dict[str, Any]:
        root = {
            "id": str(event.id),
            "name": event.name,
            "occurredAt": rfc3339(event.occurred_at),
            "payload": event.payload,
        }
        made = execute(
            self._prepared.schema,
            self._prepared.document,
            root_value=root,
            context_value=self._asked,
            variable_values=self._prepared.variables,
            operation_name=self._prepared.name,
        )
        assert isinstance(made, ExecutionResult)
        return answer(made)
