"""The core's own switches."""

from __future__ import annotations

from core.i18n import _
from core.switches.switch import Switch

SWITCHES = [
    Switch(
        name="registration",
        label=_("Registration"),
        help=_("Nobody can register. Invitations by an admin go on."),
    ),
    Switch(
        name="sign_in",
        label=_("Sign-in, but for admins"),
        help=_("Only admins can sign in. Who is signed in stays so."),
    ),
    Switch(
        name="rest_writes",
        label=_("Changes through the API"),
        help=_("The API answers to reading alone; signing in and out goes on. Clients are told to try again later."),
    ),
    Switch(
        name="uploads",
        label=_("Uploads"),
        help=_("No file is taken, on pages and through the API. What is there can be fetched."),
    ),
    Switch(
        name="automations",
        label=_("Automations"),
        help=_("No automation runs. What reaches them waits, and is done when they are on again."),
        jobs=("core.turn_automations", "core.run_automation"),
    ),
]
