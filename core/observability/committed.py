"""Tell those who watch what a transaction did, once it is committed; what was rolled back is not told.

For figures and traces alone: it is lost with the process. What must happen belongs into an event.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction

TOLD = "told"


def when_committed(session: Session, tell: Callable[[], None]) -> None:
    """Call ``tell`` after the commit, unless the transaction or the savepoint that is open now is rolled back."""
    session.info.setdefault(TOLD, []).append((session.get_nested_transaction(), tell))


@event.listens_for(Session, "after_commit")
def _tell(session: Session) -> None:
    if TOLD in session.info and not session.in_nested_transaction():
        for _savepoint, tell in session.info.pop(TOLD):
            tell()


@event.listens_for(Session, "after_soft_rollback")
def _forget(session: Session, undone: SessionTransaction) -> None:
    waiting: list[tuple[Any, Callable[[], None]]] = session.info.get(TOLD, [])
    if waiting:
        session.info[TOLD] = [one for one in waiting if undone.nested and one[0] is not undone]
