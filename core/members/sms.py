"""Sends one-time codes by text message: outside of a transaction, by whichever plugin answers the hook ``send_sms``."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from urllib.parse import urlsplit

import structlog
from sqlalchemy.orm import Session

from core import hooks
from core.actor import Actor
from core.errors import NotFound, Unavailable
from core.events.event import StoredEvent
from core.i18n import _, translated
from core.members import one_time, phones
from core.members.models import Member, OneTimeCode

log = structlog.get_logger("sms")
UnitOfWork = Callable[[], AbstractContextManager[Session]]
TEXT = _("{code} is your code for {site}. It is good for ten minutes. Tell it to nobody.")


class NotSent(Unavailable):
    code = "SMS_NOT_SENT"
    sentence = _("No plugin has sent the text message. It is tried again while its code is good.")


def send_code(unit_of_work: UnitOfWork, actor: Actor, event: StoredEvent) -> None:
    """On ``core.member.sms_code_requested``: hand the message to the first plugin that takes it.

    At least once; ``event.id`` is the reference by which a provider knows a message that it has sent already. Nothing
    is sent once the code is of no use. Raises NotSent, to be tried again, when every plugin failed or declined.
    """
    with unit_of_work() as session:
        try:
            code = one_time.one_time_code(session, event.payload.code_id)
            row = session.get_one(OneTimeCode, event.payload.code_id)
            if row.phone_id is None:
                return
            number = phones.opened(session, row.phone_id)
        except (one_time.CodeUnusable, NotFound):
            return
        if not phones.offered(session):
            log.warning("no plugin sends text messages, so a code was not sent", member=str(event.payload.member_id))
            return
        member = session.get_one(Member, event.payload.member_id)
        site = urlsplit(session.info["config"].url).hostname or ""
        text = translated(session, member.locale)(TEXT).format(code=code, site=site)
    with unit_of_work() as session:
        asked = {"number": number, "text": text, "reference": event.id}
        if hooks.first(session, "send_sms", unit_of_work=unit_of_work, **asked) is None:
            raise NotSent()
