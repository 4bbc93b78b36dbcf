"""The unit of work: one session, one transaction, opened and committed at the edge and nowhere else."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.orm import Session

from core.actor import Actor

RING = "ring"
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
    ) -> None:
        self.url = url
        self.info = info if info is not None else {}
        self.doorbell = doorbell
        self._prepare = prepare
        self.pool_timeout = 5.0  # seconds to wait for a free connection; then the asker hears UNAVAILABLE
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
                pool_pre_ping=True,
                hide_parameters=True,
                connect_args={"application_name": "guildhall", "options": "-c timezone=UTC -c lock_timeout=10s"},
            )
            self._pid = os.getpid()
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


@event.listens_for(Session, "after_rollback")
def _forget_doorbell(session: Session) -> None:
    """Only a rollback of the whole transaction takes back what was published before a savepoint."""
    if not session.in_nested_transaction():
        session.info.pop(RING, None)
