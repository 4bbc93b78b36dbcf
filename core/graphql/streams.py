"""Events to those who watch: one reader a process follows the outbox and hands each event to every open stream.

Events are followed in the order of the transactions that wrote them, and none is handed on before every earlier
transaction has ended: so a place in the stream is a transaction's number, and whoever goes on from a place misses
nothing and gets nothing twice, although an event's id is older than its commit. A transaction that writes for long
holds the stream up until it ends. Transactions are compared by PostgreSQL's 64-bit numbers, of which a row keeps 32.
"""

from __future__ import annotations

import os
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import text
from sqlalchemy.orm import Session

from core.db.session import Database
from core.graphql.errors import PositionUnknown, TooManyStreams
from core.ids import uuid_of

log = structlog.get_logger("streams")
POLL_SECONDS = 1.0
HELD = 10_000  # events that a slow stream may be behind; then it is closed, and resumes from the outbox
CHUNK = 500
OLDEST_SECONDS = 24 * 3600
# An id may be older than the transaction that writes it, and the application's clock differ from the database's.
SLACK_SECONDS = 60
_OLDEST = text("""
    SELECT CAST(extract(epoch FROM least(now(), min(xact_start))) AS float8)
    FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
""")
_HORIZON = text("SELECT CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint)")
_EVENTS = text("""
    SELECT id, name, occurred_at, payload, xid FROM (
        SELECT e.id, e.name, e.occurred_at, e.payload, :horizon - 2147483648 + (
            CAST(CAST(e.xmin AS text) AS bigint) - :horizon % 4294967296 + 6442450944
        ) % 4294967296 AS xid
        FROM core_event e WHERE e.id >= :since
    ) e
    WHERE (xid < :horizon OR xid = :horizon AND id <= :until) AND (xid > :xid OR xid = :xid AND id > :id)
    ORDER BY xid, id LIMIT :most
""")
_XID = text("""
    SELECT h.horizon - 2147483648 + (
        CAST(CAST(e.xmin AS text) AS bigint) - h.horizon % 4294967296 + 6442450944
    ) % 4294967296
    FROM core_event e, (SELECT CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint) AS horizon) h
    WHERE e.id = :id
""")
NIL = UUID(int=0)


@dataclass(frozen=True, order=True)
class Place:
    """Where in the stream somebody is: all before transaction ``xid`` was seen, of it what is up to event ``id``.

    ``since`` is how old, in seconds since 1970, an id can be that comes after this place.
    """

    xid: int
    id: UUID = NIL
    since: float = field(default=0.0, compare=False)

    def __str__(self) -> str:
        return f"{self.xid}.{int(self.since)}.{self.id.hex}"

    @classmethod
    def read(cls, session: Session, written: str) -> Place:
        """The place that an SSE ``id`` of ours names, or the one after an event. Raises PositionUnknown."""
        if (event_id := uuid_of(written)) is not None:
            xid = session.scalar(_XID, {"id": event_id})
            if xid is None:
                raise PositionUnknown()
            place = cls(xid, event_id, (event_id.int >> 80) / 1000 - 3600)
        else:
            xid_text, _, rest = written.partition(".")
            since, _, key = rest.partition(".")
            event_id = uuid_of(key)
            if not all(one.isascii() and one.isdigit() and len(one) < 19 for one in (xid_text, since)) or not event_id:
                raise PositionUnknown()
            place = cls(int(xid_text), event_id, float(since))
        if place.since < time.time() - OLDEST_SECONDS or place.xid > (session.scalar(_HORIZON) or 0):
            raise PositionUnknown()
        return place


@dataclass(frozen=True)
class Told:
    """An event as streams tell it, with the place after it."""

    id: UUID
    name: str
    occurred_at: datetime
    payload: dict[str, Any]
    after: Place


def here(session: Session) -> Place:
    """The place after everything that is certain by now."""
    oldest = session.scalar(_OLDEST)  # first: what ends between the two statements is then looked for too
    return Place(session.scalar(_HORIZON) or 0, NIL, float(oldest or time.time()) - SLACK_SECONDS)


def events_between(session: Session, after: Place, until: Place) -> list[Told]:
    """Up to CHUNK events that follow ``after``, up to ``until``: a place that was reached, or is ``here``."""
    given = {
        "horizon": until.xid,
        "until": until.id,
        "since": UUID(int=max(int(after.since * 1000), 0) << 80),
        "xid": after.xid,
        "id": after.id,
        "most": CHUNK,
    }
    return [
        Told(row.id, row.name, row.occurred_at, row.payload, Place(row.xid, row.id, after.since))
        for row in session.execute(_EVENTS, given)
    ]


class Stream:
    """One who watches: what the reader has for it. ``lost`` when it fell too far behind."""

    def __init__(self, begin: Place) -> None:
        self.begin = begin
        self.seen = begin
        self.lost = False
        self._events: deque[Told] = deque()
        self._ready = threading.Condition()

    def put(self, events: list[Told], seen: Place) -> None:
        with self._ready:
            self.lost |= len(self._events) + len(events) > HELD
            if not self.lost:
                self._events.extend(events)
                self.seen = seen
            self._ready.notify()

    def take(self, seconds: float) -> tuple[list[Told], Place]:
        """What came, waiting so long for the first, and the place up to which that is everything."""
        with self._ready:
            if not self._events:
                self._ready.wait(seconds)
            taken = list(self._events)
            self._events.clear()
            return taken, self.seen


class Streams:
    """The open streams of one process, and the thread that reads for them while there are any."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()
        self._open: set[Stream] = set()
        self._members: Counter[UUID | None] = Counter()
        self._reader: threading.Thread | None = None
        self._place = Place(0)
        self._pid = 0

    @property
    def count(self) -> int:
        return len(self._open)

    def admit(self, member_id: UUID | None, *, most: int, each: int) -> Callable[[], None]:
        """Take one of the places for streams; returns what gives it back, once. Raises TooManyStreams."""
        with self._lock:
            self._after_fork()
            if self._members.total() >= most or self._members[member_id] >= each:
                raise TooManyStreams(retry_after=5)
            self._members[member_id] += 1
        once = [True]

        def release() -> None:
            with self._lock:
                if once:
                    once.pop()
                    self._members[member_id] -= 1

        return release

    @contextmanager
    def watching(self) -> Iterator[Stream]:
        """A stream of everything after its ``begin``."""
        stream = self._join()
        try:
            yield stream
        finally:
            with self._lock:
                self._open.discard(stream)

    def _join(self) -> Stream:
        with self._lock:
            if self._reader is None or not self._reader.is_alive():
                with self._database.unit_of_work() as session:
                    self._place = here(session)
                self._reader = threading.Thread(target=self._read, name="event-streams", daemon=True)
                stream = Stream(self._place)
                self._open.add(stream)
                self._reader.start()
                return stream
            stream = Stream(self._place)
            self._open.add(stream)
            return stream

    def _after_fork(self) -> None:
        if self._pid != os.getpid():
            self._pid, self._reader = os.getpid(), None
            self._open.clear()
            self._members.clear()

    def _read(self) -> None:
        """Hand on what happened, once a second, until nobody watches."""
        while True:
            time.sleep(POLL_SECONDS)
            with self._lock:
                if not self._open:
                    self._reader = None
                    return
                place = self._place
            try:
                self._follow(place)
            except Exception:
                log.exception("events are not read")  # the next second tries again, from the same place

    def _follow(self, place: Place) -> None:
        with self._database.unit_of_work() as session:
            until = here(session)
            while events := events_between(session, place, until):
                place = events[-1].after
                self._hand_on(events, place)
                if len(events) < CHUNK:
                    break
        self._hand_on([], until)

    def _hand_on(self, events: list[Told], place: Place) -> None:
        with self._lock:
            self._place = place
            for stream in self._open:
                stream.put(events, place)
