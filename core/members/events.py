"""What the core says about members."""

from __future__ import annotations

from typing import Literal
from uuid import UUID

from core.events.event import Event


class MemberRegistered(Event):
    """A member came to be: by registration or by an admin. Not published for the members an import makes."""

    event_name = "core.member.registered"
    member_id: UUID


class SignInFailed(Event):
    """Somebody gave a wrong password or code. ``member_id`` is empty where no account has the address given.

    Not published for attempts that were refused unseen because there had been too many.
    """

    event_name = "core.member.sign_in_failed"
    member_id: UUID | None
    factor: Literal["password", "code"]


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
