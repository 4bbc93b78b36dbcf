"""Write notices, read them, and keep how their mail ended."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy import func, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from guildhall import Actor, NotFound, new_id, now, publish

from . import kinds
from .events import NotificationCreated
from .models import Notification

AT_ONCE = 500  # rows of one statement


def notify(
    session: Session,
    actor: Actor,
    *,
    member_id: UUID,
    kind: str,
    reference: str,
    params: Mapping[str, object] | None = None,
    url: str = "",
    mail: bool = True,
) -> UUID | None:
    """Tell a member something, once for each ``reference`` (at most 200 characters).

    ``params`` are ids and public names, never personal data; ``url`` is a path of this site. ``mail=False``
    keeps the notice in-app. Returns the notice's id, or None when this reference was told before.
    Raises LookupError for a kind that no enabled plugin brings, ValueError for a URL or params that do not fit.
    """
    declared = kinds.known(session).get(kind)
    if declared is None:
        raise LookupError(f"no plugin brings the kind of notice {kind}")
    given = {name: value if isinstance(value, int) else str(value) for name, value in (params or {}).items()}
    if missing := sorted(declared.placeholders - given.keys()):
        raise ValueError(f"a notice of kind {kind} needs {', '.join(missing)}")
    if url and (not url.startswith("/") or url.startswith(("//", "/\\"))):
        raise ValueError(f"a notice leads to a path of this site, not to {url!r}")
    row = {
        "id": new_id(),
        "member_id": member_id,
        "kind": kind,
        "params": given,
        "url": url,
        "reference": reference,
        "created_at": now(),
    }
    statement = insert(Notification).values(row).on_conflict_do_nothing(index_elements=["reference"])
    written = session.scalar(statement.returning(Notification.id))
    if written is not None:
        event = NotificationCreated(notification_id=written, member_id=member_id, kind=kind, mail=mail)
        [event_id] = publish(session, actor, event)
        session.execute(update(Notification).where(Notification.id == written).values(event_id=event_id))
    return written


def notify_many(
    session: Session, kind: str, notices: Sequence[tuple[UUID, str, dict[str, int | str]]], *, url: str = ""
) -> int:
    """Tell many members in-app, each (member, reference, params) as ``notify`` does; returns how many are new.

    Publishes nothing, so that nobody is mailed. Raises as ``notify``.
    """
    declared = kinds.known(session).get(kind)
    if declared is None:
        raise LookupError(f"no plugin brings the kind of notice {kind}")
    at, told = now(), 0
    for start in range(0, len(notices), AT_ONCE):
        rows = [
            {
                "id": new_id(),
                "member_id": member_id,
                "kind": kind,
                "params": dict(params),
                "url": url,
                "reference": reference,
                "created_at": at,
            }
            for member_id, reference, params in notices[start : start + AT_ONCE]
        ]
        if missing := [row for row in rows if not declared.placeholders <= set(row["params"])]:  # type: ignore[call-overload]
            raise ValueError(f"a notice of kind {kind} needs more than {sorted(missing[0]['params'])}")  # type: ignore[call-overload]
        statement = insert(Notification).values(rows).on_conflict_do_nothing(index_elements=["reference"])
        told += len(session.scalars(statement.returning(Notification.id)).all())
    return told


def mark_read(session: Session, actor: Actor, notification_id: UUID) -> Notification:
    """Mark the actor's own notice as read, which a second time changes nothing. Raises NotFound."""
    mine = (Notification.id == notification_id, Notification.member_id == actor.member_id)
    read_at = func.coalesce(Notification.read_at, now())
    marked = update(Notification).where(*mine).values(read_at=read_at).returning(Notification)
    notice: Notification | None = session.scalar(marked)
    if notice is None:
        raise NotFound()
    return notice


def mark_all_read(session: Session, actor: Actor) -> int:
    """Mark all the actor's notices as read; returns how many were not."""
    unread = (Notification.member_id == actor.member_id, Notification.read_at.is_(None))
    ids = session.scalars(update(Notification).where(*unread).values(read_at=now()).returning(Notification.id))
    return len(ids.all())


def mail_accepted(session: Session, notification_id: UUID) -> None:
    """Keep that the mail server took the notice's mail."""
    _mail_ended(session, notification_id, mailed_at=now(), mail_error=None)


def mail_refused(session: Session, notification_id: UUID, reason: str) -> None:
    """Keep that the notice's mail can never be delivered, and why."""
    _mail_ended(session, notification_id, mail_error=reason[:1000])


def _mail_ended(session: Session, notification_id: UUID, **values: object) -> None:
    session.execute(update(Notification).where(Notification.id == notification_id).values(**values))


def unmailed(session: Session, notification_id: UUID) -> Notification | None:
    """The notice if its mail has not ended yet."""
    open_end = (Notification.mailed_at.is_(None), Notification.mail_error.is_(None))
    return session.scalar(select(Notification).where(Notification.id == notification_id, *open_end))
