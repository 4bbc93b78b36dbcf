"""What mentoring adds to other plugins."""

from __future__ import annotations

from guildhall import _, hookimpl
from plugins.notifications import Kind

GOES_ON = _("See under Mentoring what comes next.")


@hookimpl
def notification_kinds() -> list[Kind]:
    """What members are told when their pair changes."""
    return [
        Kind(name="mentoring_active", subject=_("Your mentoring is under way"), body=GOES_ON, icon="users"),
        Kind(name="mentoring_paused", subject=_("Your mentoring pauses"), body=GOES_ON, icon="users"),
        Kind(
            name="mentoring_finished", subject=_("Your mentoring is finished"), body=_("Thank you both."), icon="users"
        ),
        Kind(name="mentoring_declined", subject=_("Your mentoring was declined"), body=GOES_ON, icon="users"),
    ]
