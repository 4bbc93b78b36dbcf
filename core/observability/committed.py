"""Tell those who watch what a transaction did, once it is committed; what was rolled back is not told.

For figures and traces alone: it is lost with the process. What must happen belongs into an event.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import event
from sqlalchemy.orm import Session, SessionTransaction

TOLD = "told"


def when_committed(session: Session, tell: Callable[[], None]) -> None:
    """Call ``tell`` after the commit, unless the transaction or a savepoint that is open now is rolled back."""
    within: list[SessionTransaction] = []
    savepoint = session.get_nested_transaction()
    while savepoint is not None:  # those around it too: it goes with each of them
        within.append(savepoint)
        savepoint = savepoint.parent
    session.info.setdefault(TOLD, []).append((within, tell))


@event.listens_for(Session, "after_commit")
def _tell(session: Session) -> None:
    if TOLD in session.info and not session.in_nested_transaction():
        for _within, tell in session.info.pop(TOLD):
            tell()


@event.listens_for(Session, "after_soft_rollback")
def _forget(session: Session, undone: SessionTransaction) -> None:
    waiting: list[tuple[list[SessionTransaction], Callable[[], None]]] = session.info.get(TOLD, [])
    if waiting:
        session.info[TOLD] = [one for one in waiting if undone.nested and undone not in one[0]]
