"""How the mail of a notice stands, and trying it again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session

from guildhall import Actor, NotFound, _, audit, deliveries, publish

from .errors import MailNotFailed
from .events import NotificationCreated
from .models import Notification

SUBSCRIBER = "notifications.send_mail"
MOST = 50

STATES = {
    "mailed": _("Mailed"),
    "refused": _("Refused for good"),
    "gave_up": _("Given up"),
    "retrying": _("Tried again soon"),
    "waiting": _("On its way"),
    "none": _("Not mailed"),
}
HINTS = {
    "refused": _("The mail server refused it for good. Mend the cause, such as a wrong address, and send it again."),
    "gave_up": _(
        "It failed again and again. Mend the cause, such as a mail server that does not answer, and send it again."
    ),
    "retrying": _("It failed, and is tried again by itself."),
    "none": _("It stays in-app: there was no address or no mail server, or it came from an import."),
}


@dataclass(frozen=True, kw_only=True)
class Mail:
    """``state`` is one of STATES; ``error`` the cause of a failure, ``next_at`` when it is tried by itself."""

    state: str
    error: str = ""
    next_at: datetime | None = None
    event_id: UUID | None = None

    @property
    def failed(self) -> bool:
        """Whether an admin can send it again."""
        return self.state in ("refused", "gave_up")

    @property
    def label(self) -> str:
        return STATES[self.state]

    @property
    def hint(self) -> str:
        return HINTS.get(self.state, "")


def mail_of(session: Session, row: Notification) -> Mail:
    """How the mail of a notice stands."""
    if row.mailed_at is not None:
        return Mail(state="mailed", event_id=row.event_id)
    if row.mail_error is not None:
        return Mail(state="refused", error=row.mail_error, event_id=row.event_id)
    found = deliveries.outcome(session, row.event_id, SUBSCRIBER) if row.event_id else None
    if found is None or found.state == "done" or not found.payload.get("mail"):
        return Mail(state="none", event_id=row.event_id)
    if found.state == "dead":
        return Mail(state="gave_up", error=found.error, event_id=row.event_id)
    if found.attempts:
        return Mail(state="retrying", error=found.error, next_at=found.due_at, event_id=row.event_id)
    return Mail(state="waiting", event_id=row.event_id)


def failed(session: Session) -> Sequence[tuple[Notification, Mail]]:
    """Notices whose mail was refused or given up, the newest first, at most ``MOST`` of each."""
    query = select(Notification).where(Notification.mail_error.is_not(None)).order_by(Notification.id.desc())
    rows = {row.id: row for row in session.scalars(query.limit(MOST))}
    given_up = [UUID(one.payload["notification_id"]) for one in deliveries.dead(session, SUBSCRIBER, MOST)]
    for row in session.scalars(select(Notification).where(Notification.id.in_(given_up))):
        rows.setdefault(row.id, row)
    found = [(rows[key], mail_of(session, rows[key])) for key in sorted(rows, reverse=True)]
    return [(row, mail) for row, mail in found if mail.failed]


def mail_again(session: Session, actor: Actor, notification_id: UUID) -> None:
    """Send the mail of a notice again that failed for good or was given up. Audited.

    Raises NotFound, MailNotFailed (also while it is on its way).
    """
    actor.require("notifications:mail:replay")
    row = session.get(Notification, notification_id, with_for_update=True, populate_existing=True)
    if row is None:
        raise NotFound()
    found = mail_of(session, row)
    if not found.failed:
        raise MailNotFailed()
    row.mail_error = None
    session.flush()
    if row.event_id is None or not deliveries.deliver_again(session, actor, row.event_id, SUBSCRIBER):
        # Written before notices knew their event.
        event = NotificationCreated(notification_id=row.id, member_id=row.member_id, kind=row.kind, mail=True)
        [row.event_id] = publish(session, actor, event)
        session.flush()
    about = {"mail": [found.state, "waiting"]}
    subject = "notifications.notification"
    audit(session, actor, "notifications.mail.replayed", subject_type=subject, subject_id=row.id, changes=about)
