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

    ``name`` is unique over all plugins; ``icon`` is a name of the icon sprite; ``label`` is what admins call the kind.
    """

    name: str
    subject: str
    body: str
    icon: str = "bell"
    label: str = ""

    @property
    def called(self) -> str:
        """What admins call it, in English."""
        return self.label or self.name.replace("_", " ").capitalize()

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
        label=_("Badge earned"),
        subject=_("You earned the badge {badge}"),
        body=_("Congratulations! The badge {badge} is yours now."),
        icon="award",
    ),
    Kind(
        name="badges_awarded",
        label=_("Several badges earned"),
        subject=_("You earned badges: {count}"),
        body=_("Congratulations! These are yours now: {badges}"),
        icon="award",
    ),
    Kind(
        name="milestone_reached",
        label=_("Milestone reached"),
        subject=_("You reached {threshold} points"),
        body=_("Your contributions add up to {threshold} points. Thank you for all of them."),
        icon="flag",
    ),
    Kind(
        name="reward_paid",
        label=_("Reward paid"),
        subject=_("You received {amount}"),
        body=_("A reward of {amount} was paid into your wallet."),
        icon="coin",
    ),
    Kind(
        name="balance_low",
        label=_("Balance is low"),
        subject=_("Your balance is below {threshold}"),
        body=_("There are {balance} left in your wallet. You asked to be told."),
        icon="wallet",
    ),
    Kind(
        name="export_ready",
        label=_("Copy of personal data ready"),
        subject=_("The copy of personal data is ready"),
        body=_("The copy that you asked for can be fetched now, for a few days."),
        icon="download",
    ),
    Kind(
        name="mentioned",
        label=_("Mentioned in a comment"),
        subject=_("You were mentioned in a comment"),
        body=_("A colleague wants you to read what they wrote about a record. The link leads there."),
        icon="message",
    ),
    Kind(
        name="password_changed",
        label=_("Password changed"),
        subject=_("Your password was changed"),
        body=_(
            "The password of your account was changed. If that was not you, choose a new password at once and tell an "
            "admin."
        ),
        icon="key",
    ),
    Kind(
        name="wallet_linked",
        label=_("Wallet linked"),
        subject=_("A wallet was linked with your account"),
        body=_(
            "Whoever holds that wallet can sign in as you. If it is not yours, take it off your profile, choose a new "
            "password and tell an admin."
        ),
        icon="wallet",
    ),
    Kind(
        name="wallet_unlinked",
        label=_("Wallet taken off"),
        subject=_("A wallet was taken off your account"),
        body=_(
            "Nobody can sign in with that wallet as you any more. If that was not you, choose a new password at once "
            "and tell an admin."
        ),
        icon="wallet",
    ),
    Kind(
        name="phone_verified",
        label=_("Phone number confirmed"),
        subject=_("A phone number was confirmed for your account"),
        body=_(
            "Codes for your account can be sent to that number. If it is not yours, remove it on your profile, choose "
            "a new password and tell an admin."
        ),
        icon="key",
    ),
    Kind(
        name="phone_removed",
        label=_("Phone number removed"),
        subject=_("The phone number of your account was removed"),
        body=_(
            "No codes are sent to it any more. If that was not you, choose a new password at once and tell an admin."
        ),
        icon="key",
    ),
    Kind(
        name="second_factor_removed",
        label=_("Second step turned off"),
        subject=_("A second step of signing in was turned off"),
        body=_(
            "One kind of code no longer signs you in; another one stays. If that was not you, choose a new password at "
            "once and look at your profile."
        ),
        icon="shield",
    ),
    Kind(
        name="two_factor_disabled",
        label=_("Two-factor sign-in turned off"),
        subject=_("Two-factor sign-in was turned off"),
        body=_(
            "The password alone opens your account now. If that was not you, choose a new password at once and turn it "
            "on again."
        ),
        icon="shield",
    ),
    Kind(
        name="two_factor_reset",
        label=_("Two-factor sign-in reset"),
        subject=_("An admin reset your two-factor sign-in"),
        body=_(
            "The password alone opens your account until you set it up again. If you did not ask for it, tell an admin "
            "at once."
        ),
        icon="shield",
    ),
    Kind(
        name="automation",
        label=_("Message of an automation"),
        subject=_("{subject}"),
        body=_("{text}"),
        icon="bell",
    ),
    Kind(
        name="suggestion_thanks",
        label=_("Thanks for a suggestion"),
        subject=_("Thank you for your suggestion"),
        body=_("It is on its way to the moderators. You can follow what becomes of it."),
        icon="bulb",
    ),
)
