"""The unit of work: one session, one transaction, opened and committed at the edge and nowhere else."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import InvalidatePoolError
from sqlalchemy.orm import Session

from core.actor import Actor

RING = "ring"
WITNESS = "published events"  # in a session: a list that ids of what is published, and of jobs asked for, are added to
CAUSES = "causes"  # in a session: what led to each correlation, an event or a job, for an actor that names no cause
TRUSTED_SECONDS = 1.0  # a connection used so lately is taken to be alive; asking costs every request a round trip
_current: ContextVar[Session | None] = ContextVar("session", default=None)


def current() -> Session:
    """The session of the unit of work that is open in this thread. Raises RuntimeError when none is."""
    session = _current.get()
    if session is None:
        raise RuntimeError("no unit of work is open here")
    return session


class Database:
    """One process's way to PostgreSQL.

    The engine is made at first use in each process, so that a fork shares no connection. ``info`` is handed
    to every session (the registry lives there); ``doorbell`` is called after a commit that published events,
    ``prepare`` with each engine that is made.
    """

    def __init__(
        self,
        url: str,
        *,
        pool_size: int = 10,
        info: dict[str, Any] | None = None,
        doorbell: Callable[[], None] | None = None,
        prepare: Callable[[Engine], None] | None = None,
        pool_timeout: float = 5.0,
    ) -> None:
        self.url = url
        self.info = info if info is not None else {}
        self.doorbell = doorbell
        self._prepare = prepare
        self.pool_timeout = pool_timeout  # seconds to wait for a free connection; then the asker hears UNAVAILABLE
        self._pool_size = pool_size
        self._engine: Engine | None = None
        self._pid = 0

    @property
    def engine(self) -> Engine:
        if self._engine is None or self._pid != os.getpid():
            if self._engine is not None:
                self._engine.dispose(close=False)
            self._engine = create_engine(
                self.url,
                pool_size=self._pool_size,
                max_overflow=0,
                pool_timeout=self.pool_timeout,
                pool_use_lifo=True,  # the same few serve, with their statements prepared
                hide_parameters=True,
                connect_args={"application_name": "guildhall", "options": "-c timezone=UTC -c lock_timeout=10s"},
            )
            self._pid = os.getpid()
            _ask_rested(self._engine)
            if self._prepare:
                self._prepare(self._engine)
        return self._engine

    def session(self, actor: Actor | None = None) -> Session:
        """A bare session; the caller commits and closes it. Prefer ``unit_of_work``."""
        return Session(self.engine, expire_on_commit=False, info={**self.info, "actor": actor})

    @contextmanager
    def unit_of_work(self, actor: Actor | None = None) -> Iterator[Session]:
        """Open a session, commit it at the end, roll it back on any exception."""
        session = self.session(actor)
        token = _current.set(session)
        try:
            yield session
            session.commit()
            if session.info.pop(RING, False) and self.doorbell:
                self.doorbell()
        except BaseException:
            session.rollback()
            raise
        finally:
            _current.reset(token)
            session.close()

    def dispose(self) -> None:
        """Close every pooled connection."""
        if self._engine is not None and self._pid == os.getpid():
            self._engine.dispose()


def _ask_rested(engine: Engine) -> None:
    """Let a connection that has rested answer before it is lent, and replace it and all others when it does not.

    One that broke within TRUSTED_SECONDS of its last use fails whom it is lent to (Unavailable), once for the pool.
    """

    @event.listens_for(engine, "checkin")
    def rest(_connection: Any, record: Any) -> None:
        record.info["rested_at"] = time.monotonic()

    @event.listens_for(engine, "checkout")
    def ask(connection: Any, record: Any, _proxy: Any) -> None:
        if time.monotonic() - record.info.get("rested_at", float("inf")) <= TRUSTED_SECONDS:
            return
        try:
            engine.dialect.do_ping(connection)
        except engine.dialect.loaded_dbapi.Error as problem:
            raise InvalidatePoolError() from problem


@event.listens_for(Session, "after_rollback")
def _forget_doorbell(session: Session) -> None:
    """Only a rollback of the whole transaction takes back what was published before a savepoint."""
    if not session.in_nested_transaction():
        session.info.pop(RING, None)
