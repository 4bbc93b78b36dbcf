"""Scheduled reports as e-mail: the file attached where it is small, else a link to it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import structlog
from sqlalchemy.orm import Session

from guildhall import Actor, Member, StoredEvent, _, read_settings, report_copies, translated

from . import mail
from .settings import NotificationSettings

UnitOfWork = Callable[[], AbstractContextManager[Session]]
log = structlog.get_logger("notifications")

ATTACHED = _("The report is attached. It can be fetched here too, for a while:")
LINKED = _("The report is too large to be attached. It can be fetched here, for a while:")
LEAVE = _("To get this report no more, open:")


def send_report(unit_of_work: UnitOfWork, actor: Actor, event: StoredEvent) -> None:
    """On ``core.report.made``: mail the copy to its reader, whatever the setting for mail says: they asked for it.

    At least once: after a crash between the sending and its record it goes out again under the same Message-ID.
    """
    with unit_of_work() as session:
        config, settings = session.info["config"], read_settings(session, NotificationSettings)
        member = session.get_one(Member, event.payload.member_id)
        reachable = member.email and not member.email.endswith(".invalid") and member.status == "active"
        if not (reachable and config.smtp_url):
            return
        say = translated(session, member.locale)
        letter = report_copies.letter(session, event.payload.copy_id, say)
    if letter is None:
        return
    leave = f"{config.url}{letter.leave}"
    try:
        sender = mail.sender(config.mail_from, settings.sender_name)
        subject = f"{letter.report}: {letter.period}"
        message = mail.addressed(member, sender=sender, subject=subject, number=letter.copy_id, say=say)
        message["List-Unsubscribe"] = f"<{leave}>"
        told = say(ATTACHED if letter.content is not None else LINKED)
        parts = (f"{letter.report}\n{letter.period}", f"{told}\n{config.url}{letter.path}", f"{say(LEAVE)}\n{leave}")
        message.set_content("\n\n".join(parts))
        if letter.content is not None:
            kind, _slash, part = letter.file.media_type.partition("/")
            message.add_attachment(letter.content, maintype=kind, subtype=part, filename=letter.file.name)
        message["Content-Language"] = say.language
        mail.send(mail.Server.from_url(config.smtp_url), message)
    except mail.MailUnusable as problem:
        log.warning("a report could not be mailed", copy=str(letter.copy_id), reason=type(problem).__name__)
        with unit_of_work() as session:
            report_copies.mail_refused(session, letter.copy_id)
        return
    with unit_of_work() as session:
        report_copies.mailed(session, letter.copy_id)
