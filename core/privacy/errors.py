"""Why a copy or an erasure is refused."""

from __future__ import annotations

from core.errors import Conflict
from core.i18n import _


class ExportWaiting(Conflict):
    code = "EXPORT_WAITING"
    sentence = _("A copy of this data is being made already.")


class ExportNotReady(Conflict):
    code = "EXPORT_NOT_READY"
    sentence = _("This copy is not ready, or its time is over. Ask for a new one.")


class ErasureWaiting(Conflict):
    code = "ERASURE_WAITING"
    sentence = _("The erasure of this account has been asked for already.")


class ErasureOver(Conflict):
    code = "ERASURE_OVER"
    sentence = _("No erasure waits that could be withdrawn.")


class AlreadyErased(Conflict):
    code = "ALREADY_ERASED"
    sentence = _("This member has been erased.")


class ErasuresFailed(Conflict):
    code = "ERASURES_FAILED"
    sentence = _("Some members could not be erased: {failed}. What was begun has been undone; it is tried again.")
