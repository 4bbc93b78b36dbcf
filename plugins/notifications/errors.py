"""Refusals of notices."""

from __future__ import annotations

from guildhall import Conflict, _


class MailNotFailed(Conflict):
    code = "MAIL_NOT_FAILED"
    sentence = _("The mail of this notice has not failed: it was sent, is on its way, or was not meant to be mailed.")
