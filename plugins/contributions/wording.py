"""What people call where contributions come from, what corrects them, and what is rewarded."""

from __future__ import annotations

from flask_babel import gettext

from guildhall import _

SOURCES = {
    "system": _("Guildhall"),
    "admin": _("By hand"),
    "challengeEngine": _("Challenge"),
    "import": _("Import"),
    "webhook": _("Webhook"),
    "automation": _("Automation"),
}
CORRECTIONS = {"override": _("Override"), "reversal": _("Reversal"), "rescore": _("Scored anew")}
REWARDED = {"milestone": _("Milestone"), "month": _("Month"), "season": _("Season")}


def called(known: dict[str, str], value: str) -> str:
    """A value of one of these in the reader's language; another plugin's as it is."""
    return str(gettext(known.get(value, value)))
