"""Mails that are no notices: links that prove an address or take a new password, and one-time codes.

Links and codes are made when the mail is sent and are kept nowhere: no event and no table holds what opens an account.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import structlog
from sqlalchemy.orm import Session

from guildhall import Actor, DomainError, Member, StoredEvent, _, members, one_time_code, read_settings, translated

from . import mail
from .settings import NotificationSettings

UnitOfWork = Callable[[], AbstractContextManager[Session]]
log = structlog.get_logger("notifications")

UNASKED = _("If you did not ask for this, do nothing: without the link nothing changes.")
VERIFY = (
    _("Confirm your e-mail address"),
    _("Open this link to confirm your e-mail address and choose your password. It is good for three days."),
    UNASKED,
)
RESET = (
    _("Choose a new password"),
    _("Open this link to choose a new password. It is good for an hour."),
    UNASKED,
)
CODE = (
    _("Your code"),
    _("Give this code to prove that it is you. It is good for ten minutes and once. Tell it to nobody."),
    _("If you did not ask for this, do nothing: without the code nothing happens."),
)


def send_verification(unit_of_work: UnitOfWork, actor: Actor, event: StoredEvent) -> None:
    """On ``core.member.verification_requested``: mail the link, whatever the setting for mail says."""
    _send(unit_of_work, event, *VERIFY, members.verification_link)


def send_password_reset(unit_of_work: UnitOfWork, actor: Actor, event: StoredEvent) -> None:
    """On ``core.member.password_reset_requested``: mail the link, whatever the setting for mail says."""
    _send(unit_of_work, event, *RESET, members.password_reset_link)


def send_code(unit_of_work: UnitOfWork, actor: Actor, event: StoredEvent) -> None:
    """On ``core.member.code_requested``: mail the code, whatever the setting for mail says."""
    _send(unit_of_work, event, *CODE, lambda session, _member: one_time_code(session, event.payload.code_id))


def _send(
    unit_of_work: UnitOfWork, event: StoredEvent, subject: str, body: str, unasked: str, opener: Callable[..., str]
) -> None:
    with unit_of_work() as session:
        config, settings = session.info["config"], read_settings(session, NotificationSettings)
        member = session.get_one(Member, event.payload.member_id)
        if not member.email or member.email.endswith(".invalid"):
            return
        if not config.smtp_url:
            log.warning("no mail server is configured, so a link or code could not be sent", member=str(member.id))
            return
        try:
            opens = opener(session, member.id)
        except DomainError:
            return  # suspended since
        say = translated(session, member.locale)
    try:
        sender = mail.sender(config.mail_from, settings.sender_name)
        message = mail.addressed(member, sender=sender, subject=say(subject), number=event.id, say=say)
        message.set_content("\n\n".join((say(body), opens, say(unasked))))
        mail.send(mail.Server.from_url(config.smtp_url), message)
    except mail.MailUnusable as problem:
        log.warning("a link or code could not be mailed", member=str(member.id), reason=type(problem).__name__)
