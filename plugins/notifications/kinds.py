"""Kinds of notices: the texts, and which plugin brings which."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy.orm import Session

from guildhall import _, collect

_PLACEHOLDER = re.compile(r"\{([a-z][a-z0-9_]*)\}")


@dataclass(frozen=True, kw_only=True)
class Kind:
    """A kind of notice: its texts with ``{placeholders}`` that a notice's params fill.

    ``name`` is unique over all plugins; ``icon`` is a name of the icon sprite.
    """

    name: str
    subject: str
    body: str
    icon: str = "bell"

    @property
    def placeholders(self) -> frozenset[str]:
        """The params that a notice of this kind must have."""
        return frozenset(_PLACEHOLDER.findall(self.subject + self.body))


def fill(text: str, params: Mapping[str, object]) -> str:
    """``text``, perhaps translated, with its placeholders filled; nothing in it can run."""
    return _PLACEHOLDER.sub(lambda found: str(params.get(found[1], found[0])), text)


def known(session: Session) -> Mapping[str, Kind]:
    """Every kind that an enabled plugin brings, by name; the first plugin in dependency order wins a name."""
    kinds: dict[str, Kind] | None = session.info.get("notifications.kinds")
    if kinds is None:
        kinds = {}
        for _plugin, brought in collect(session, "notification_kinds"):
            for kind in brought:
                kinds.setdefault(kind.name, kind)
        session.info["notifications.kinds"] = kinds
    return kinds


UNKNOWN = Kind(
    name="unknown",
    subject=_("A notice that cannot be shown now"),
    body=_("The plugin that wrote it is turned off."),
    icon="bell-off",
)

DEFAULTS = (
    Kind(
        name="badge_awarded",
        subject=_("You earned the badge {badge}"),
        body=_("Congratulations! The badge {badge} is yours now."),
        icon="award",
    ),
    Kind(
        name="badges_awarded",
        subject=_("You earned badges: {count}"),
        body=_("Congratulations! These are yours now: {badges}"),
        icon="award",
    ),
    Kind(
        name="milestone_reached",
        subject=_("You reached {threshold} points"),
        body=_("Your contributions add up to {threshold} points. Thank you for all of them."),
        icon="flag",
    ),
    Kind(
        name="reward_paid",
        subject=_("You received {amount}"),
        body=_("A reward of {amount} was paid into your wallet."),
        icon="coin",
    ),
    Kind(
        name="export_ready",
        subject=_("The copy of personal data is ready"),
        body=_("The copy that you asked for can be fetched now, for a few days."),
        icon="download",
    ),
    Kind(
        name="password_changed",
        subject=_("Your password was changed"),
        body=_(
            "The password of your account was changed. If that was not you, choose a new password at once and tell an "
            "admin."
        ),
        icon="key",
    ),
    Kind(
        name="wallet_linked",
        subject=_("A wallet was linked with your account"),
        body=_(
            "Whoever holds that wallet can sign in as you. If it is not yours, take it off your profile, choose a new "
            "password and tell an admin."
        ),
        icon="wallet",
    ),
    Kind(
        name="wallet_unlinked",
        subject=_("A wallet was taken off your account"),
        body=_(
            "Nobody can sign in with that wallet as you any more. If that was not you, choose a new password at once "
            "and tell an admin."
        ),
        icon="wallet",
    ),
    Kind(
        name="two_factor_disabled",
        subject=_("Two-factor sign-in was turned off"),
        body=_(
            "The password alone opens your account now. If that was not you, choose a new password at once and turn it "
            "on again."
        ),
        icon="shield",
    ),
    Kind(
        name="two_factor_reset",
        subject=_("An admin reset your two-factor sign-in"),
        body=_(
            "The password alone opens your account until you set it up again. If you did not ask for it, tell an admin "
            "at once."
        ),
        icon="shield",
    ),
    Kind(
        name="suggestion_thanks",
        subject=_("Thank you for your suggestion"),
        body=_("It is on its way to the moderators. You can follow what becomes of it."),
        icon="bulb",
    ),
)
