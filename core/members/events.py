"""What the core says about members."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from core.events.event import Event


class MemberRegistered(Event):
    """A member came to be: by registration or by an admin. Not published for the members an import makes."""

    event_name = "core.member.registered"
    member_id: UUID


class EmailVerified(Event):
    """A member proved an e-mail address. Not published again when it is proved once more."""

    event_name = "core.member.email_verified"
    member_id: UUID


class MemberSuspended(Event):
    """An admin suspended a member: sessions and API keys have ended. Not published for one suspended already."""

    event_name = "core.member.suspended"
    member_id: UUID


class MemberReactivated(Event):
    """An admin let a suspended or closed member back in. Not published for one that is active already."""

    event_name = "core.member.reactivated"
    member_id: UUID


class MemberClosed(Event):
    """A member's account was closed: sessions and API keys have ended. Not published for one closed already."""

    event_name = "core.member.closed"
    member_id: UUID


class MemberErased(Event):
    """A member was erased: what is personal is gone, the key is destroyed, the account is closed for good.

    Published once for each member, in the transaction that erased. Not published when an erasure is asked for or
    withdrawn. React to it where data lies outside of the database.
    """

    event_name = "core.member.erased"
    member_id: UUID


class ExportReady(Event):
    """A copy of a member's data can be fetched. ``asked_by_id`` is the member or the admin who asked for it.

    Not published when the making failed.
    """

    event_name = "core.member.export_ready"
    export_id: UUID
    member_id: UUID
    asked_by_id: UUID | None


class ImpersonationStarted(Event):
    """An admin began to act as another member; the actor of the event is the admin. Not published when refused."""

    event_name = "core.impersonation.started"
    impersonation_id: UUID
    member_id: UUID


class ImpersonationEnded(Event):
    """Acting as another member ended: ``why`` is ``ended`` by an admin, ``expired`` when its time ran out, which is
    told within five minutes, or what became of one of the two: ``suspended``, ``closed``, ``erased``.

    ``why`` is empty in events of earlier releases. Not published when only the admin's session or permission ended: the
    time of such an impersonation runs out.
    """

    event_name = "core.impersonation.ended"
    impersonation_id: UUID
    member_id: UUID
    why: Literal["", "ended", "expired", "suspended", "closed", "erased"] = ""


class CredentialChanged(Event):
    """What opens an account changed: the password, a wallet, the phone number, or a second factor that was turned off.

    ``two_factor_disabled`` and ``two_factor_reset`` mean that none is left, by the member or by an admin;
    ``second_factor_removed`` that one of several was turned off. Not published for a first password, for the wallet
    that somebody registers with, nor when a second factor is turned on.
    """

    event_name = "core.member.credential_changed"
    member_id: UUID
    change: Literal[
        "password_changed",
        "wallet_linked",
        "wallet_unlinked",
        "phone_verified",
        "phone_removed",
        "second_factor_removed",
        "two_factor_disabled",
        "two_factor_reset",
    ]


class ProfileCompleted(Event):
    """A member's profile held all required fields for the first time. Published once for ever for each member.

    Not published when the settings ask for less or more later, until the member saves the profile again.
    """

    event_name = "core.profile.completed"
    member_id: UUID


class SignInFailed(Event):
    """Somebody gave a wrong password, code or wallet signature. ``member_id`` is empty where it is of no account.

    Not published for attempts that were refused unseen because there had been too many.
    """

    event_name = "core.member.sign_in_failed"
    member_id: UUID | None
    factor: Literal["password", "code", "wallet"]


class VerificationRequested(Event):
    """A member without a password is to get the link that confirms the address and takes one.

    Published at registration, at an invitation, and when the link is asked for again. Not published for members that
    are suspended, nor for addresses that nobody has.
    """

    event_name = "core.member.verification_requested"
    member_id: UUID


class PasswordResetRequested(Event):
    """A member is to get the link that takes a new password.

    Not published for members that are suspended or have no password yet, nor for addresses that nobody has.
    """

    event_name = "core.member.password_reset_requested"
    member_id: UUID


class OneTimeCodeRequested(Event):
    """A member is to be mailed a one-time code; ``one_time_code`` makes it from ``code_id`` when the mail is sent.

    Not published for members that are suspended, nor for addresses that nobody has.
    """

    event_name = "core.member.code_requested"
    member_id: UUID
    code_id: UUID


class SmsCodeRequested(Event):
    """A member is to be sent a one-time code by text message; the core does so by the hook ``send_sms``.

    Not published for members that are suspended, nor for numbers that nobody has, nor where no plugin sends text
    messages.
    """

    event_name = "core.member.sms_code_requested"
    member_id: UUID
    code_id: UUID
