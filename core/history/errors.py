"""Why something of the past cannot be brought back."""

from __future__ import annotations

from core.errors import Conflict, Invalid
from core.i18n import _


class NothingToRestore(Invalid):
    code = "NOTHING_TO_RESTORE"
    sentence = _("Choose at least one field that is to be brought back.")


class ChangedMeanwhile(Conflict):
    code = "CHANGED_MEANWHILE"
    sentence = _("Somebody has changed this record since you looked. Compare again before you go on.")


class NotRestorable(Conflict):
    code = "NOT_RESTORABLE"
    sentence = _("This record cannot be brought back: {reason}")


class StillThere(Conflict):
    code = "STILL_THERE"
    sentence = _("This record is there; there is nothing to bring back.")
