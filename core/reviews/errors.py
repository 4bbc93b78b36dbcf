"""Why a case cannot be taken or decided."""

from __future__ import annotations

from core.errors import Conflict, Forbidden, Invalid
from core.i18n import _


class ReviewDecided(Conflict):
    code = "REVIEW_DECIDED"
    sentence = _("This case is {state} already. It is never decided twice.")


class ReviewTaken(Conflict):
    """Somebody else works on the case; who wants it takes it over first."""

    code = "REVIEW_TAKEN"
    sentence = _("Somebody else works on this case. Take it over first, or leave it to them.")


class FourEyesNeeded(Forbidden):
    code = "FOUR_EYES_NEEDED"
    sentence = _("Another person than the one who asked must decide this.")


class OwnCase(Forbidden):
    code = "REVIEW_OWN_CASE"
    sentence = _("This case is about yourself. Somebody else must decide it.")


class ReasonNeeded(Invalid):
    code = "REASON_NEEDED"
    sentence = _("Write down a reason of 3 to 500 characters.")


class AssigneeRefused(Invalid):
    code = "ASSIGNEE_REFUSED"
    sentence = _("This person cannot decide cases of this kind.")
