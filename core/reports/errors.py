"""What can be wrong with asking for a report."""

from __future__ import annotations

from core.errors import Invalid, Limit, Unavailable
from core.i18n import _


class ReportTooSlow(Unavailable):
    """The report ran into the statement time-out (``report_seconds`` of the settings); 503 with Retry-After."""

    code = "REPORT_TOO_SLOW"
    sentence = _("This report took longer than {seconds} seconds and was stopped. Choose a shorter period.")


class ParameterInvalid(Invalid):
    """A parameter of the report has no such choice, or the report has no such parameter."""

    code = "PARAMETER_INVALID"
    sentence = _("Choose one of the given values of {name}.")


class ScheduleInvalid(Invalid):
    """A schedule that cannot be; ``details`` say what by field."""

    code = "SCHEDULE_INVALID"
    sentence = _("This schedule cannot be kept.")


class RecipientRefused(Invalid):
    """A recipient has no account here, or may not see the report."""

    code = "RECIPIENT_REFUSED"
    sentence = _("{name} cannot be sent this report: only active members who may see it can.")


class TooManySchedules(Limit):
    """A member has as many schedules as one may have."""

    code = "TOO_MANY_SCHEDULES"
    sentence = _("You have {most} scheduled reports already. Remove one first.")
