"""Tables of people: the member, what it is known by, how it signs in."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    DateTime,
    ForeignKey,
    Index,
    LargeBinary,
    String,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Mapped, mapped_column

from core.addresses import EvmAddress
from core.crypto.sealed import Sealed
from core.db.base import CreatedAt, Id, Instant, Json, Model

STATUSES = ("active", "suspended", "closed")
TIERS = ("free", "pro", "enterprise")
SOURCES = ("registration", "import")
CHANNELS = ("mail", "sms")


class Member(Model):
    """A person or a service of the community. Plugins refer to this table and to no other of the core's.

    A member without ``user_id`` has no account yet: it came by an import and may claim its history later.
    """

    __tablename__ = "core_member"
    __table_args__ = (
        CheckConstraint(f"status IN {STATUSES}", name="status"),
        Index("uq_core_member_email", text("lower(email)"), unique=True),
        Index("ix_core_member_display_name", text("lower(display_name) text_pattern_ops")),
        Index("ix_core_member_joined_at", "joined_at"),
    )

    id: Mapped[Id]
    user_id: Mapped[int | None] = mapped_column(ForeignKey("ab_user.id"), unique=True)
    display_name: Mapped[str] = mapped_column(String(120), info={"pii": True})
    email: Mapped[str | None] = mapped_column(String(254), info={"pii": True})
    email_verified_at: Mapped[Instant | None]
    status: Mapped[str] = mapped_column(String(12), server_default="active", default="active")
    tier: Mapped[str] = mapped_column(
        String(40), server_default="free", default="free", info={"pii": False, "choices": TIERS}
    )  # written by service.set_tier alone, which keeps the history
    locale: Mapped[str] = mapped_column(String(12), server_default="", default="")  # empty: as the browser asks
    time_zone: Mapped[str] = mapped_column(String(64), server_default="UTC", default="UTC")
    preferred_chain: Mapped[int] = mapped_column(BigInteger, server_default="146", default=146)  # EIP-155 chain id
    source: Mapped[str] = mapped_column(
        String(20), server_default="registration", default="registration", info={"pii": False, "choices": SOURCES}
    )
    joined_at: Mapped[CreatedAt]
    last_login_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True), info={"audit": False})

    def __str__(self) -> str:
        return self.display_name


class TierChange(Model):
    """Which tier a member held since when, so that an event is scored by the tier of its own time."""

    __tablename__ = "core_member_tier"

    member_id: Mapped[UUID] = mapped_column(ForeignKey("core_member.id"), primary_key=True)
    since: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    tier: Mapped[str] = mapped_column(String(40), info={"pii": False})


class StatusChange(Model):
    """That a member was suspended, let back in or closed: by whom, when, and why."""

    __tablename__ = "core_member_status"
    __table_args__ = (
        CheckConstraint(f"status IN {STATUSES}", name="status"),
        Index("ix_core_member_status_member_id_at", "member_id", "at"),
    )

    id: Mapped[Id]
    member_id: Mapped[UUID] = mapped_column(ForeignKey("core_member.id", ondelete="CASCADE"))
    status: Mapped[str] = mapped_column(String(12))
    reason: Mapped[str] = mapped_column(String(500), info={"pii": True})
    by_member_id: Mapped[UUID | None] = mapped_column(ForeignKey("core_member.id", ondelete="SET NULL"))
    at: Mapped[CreatedAt]


class Profile(Model):
    """What a member tells about themselves. ``completed_at`` is when it first held all that the settings ask for."""

    __tablename__ = "core_profile"

    member_id: Mapped[UUID] = mapped_column(ForeignKey("core_member.id", ondelete="CASCADE"), primary_key=True)
    bio: Mapped[str] = mapped_column(String(2000), server_default="", default="", info={"pii": True})
    location: Mapped[str] = mapped_column(String(120), server_default="", default="", info={"pii": True})
    website: Mapped[str] = mapped_column(String(300), server_default="", default="", info={"pii": True})
    avatar_id: Mapped[UUID | None] = mapped_column(ForeignKey("core_file.id", ondelete="SET NULL"))
    more: Mapped[Json] = mapped_column(server_default=text("'{}'"), default=dict, info={"pii": True})
    completed_at: Mapped[Instant | None]


class Identity(Model):
    """Another name a member is known by: a git author, a wallet. ``subject`` is a keyed hash where it is personal."""

    __tablename__ = "core_identity"
    __table_args__ = (UniqueConstraint("kind", "subject"),)

    id: Mapped[Id]
    member_id: Mapped[UUID] = mapped_column(ForeignKey("core_member.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(20))
    subject: Mapped[str] = mapped_column(String(160))
    created_at: Mapped[CreatedAt]


class Credential(Model):
    """A member's password, as an Argon2id hash."""

    __tablename__ = "core_credential"

    member_id: Mapped[UUID] = mapped_column(ForeignKey("core_member.id", ondelete="CASCADE"), primary_key=True)
    password_hash: Mapped[str] = mapped_column(String(200), info={"secret": True})
    changed_at: Mapped[CreatedAt]


class MemberSession(Model):
    """A signed-in browser or client; revoking it ends its cookie and its tokens at once."""

    __tablename__ = "core_session"
    __table_args__ = (Index("ix_core_session_expires_at", "expires_at"),)

    id: Mapped[Id]
    member_id: Mapped[UUID] = mapped_column(ForeignKey("core_member.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(10))
    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    ip: Mapped[str | None] = mapped_column(String(45))
    device: Mapped[str | None] = mapped_column(String(200))
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[Instant]
    revoked_at: Mapped[Instant | None]
    stepped_up_at: Mapped[Instant | None]


class Impersonation(Model):
    """An admin's session that acts as another member, until it ends or its time is over. One at a time a session."""

    __tablename__ = "core_impersonation"
    __table_args__ = (
        Index(
            "uq_core_impersonation_session_id",
            "session_id",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index("ix_core_impersonation_started_at", "started_at"),
    )

    id: Mapped[Id]
    session_id: Mapped[UUID] = mapped_column(ForeignKey("core_session.id", ondelete="CASCADE"))
    by_member_id: Mapped[UUID] = mapped_column(ForeignKey("core_member.id", ondelete="CASCADE"), index=True)
    member_id: Mapped[UUID] = mapped_column(ForeignKey("core_member.id", ondelete="CASCADE"), index=True)
    reason: Mapped[str] = mapped_column(String(500), info={"pii": True})
    may_write: Mapped[bool]
    started_at: Mapped[CreatedAt]
    expires_at: Mapped[Instant]
    ended_at: Mapped[Instant | None]


class RefreshToken(Model):
    """One refresh token of a session. Used once; using it again ends the session."""

    __tablename__ = "core_refresh_token"

    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    session_id: Mapped[UUID] = mapped_column(ForeignKey("core_session.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[CreatedAt]
    used_at: Mapped[Instant | None]


class FailedAttempt(Model):
    """How often signing in failed of late, by account or by address. ``key`` is a keyed hash of either."""

    __tablename__ = "core_failed_attempt"
    __table_args__ = (Index("ix_core_failed_attempt_last_at", "last_at"),)

    key: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    failures: Mapped[int]
    last_at: Mapped[Instant]


class TwoFactor(Model):
    """A member's second factor: the secret of time-based codes. Waits for its first code until ``enabled_at``.

    ``last_step`` is the newest time step whose code was taken: no code is good twice.
    """

    __tablename__ = "core_two_factor"

    member_id: Mapped[UUID] = mapped_column(ForeignKey("core_member.id", ondelete="CASCADE"), primary_key=True)
    totp_secret: Mapped[str] = mapped_column(Sealed("core.totp"))
    enabled_at: Mapped[Instant | None]
    last_step: Mapped[int | None] = mapped_column(BigInteger)
    created_at: Mapped[CreatedAt]


class RecoveryCode(Model):
    """One of the codes that stand in for a lost second factor; each is good once."""

    __tablename__ = "core_recovery_code"

    member_id: Mapped[UUID] = mapped_column(ForeignKey("core_member.id", ondelete="CASCADE"), primary_key=True)
    code_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    used_at: Mapped[Instant | None]


class ApiKey(Model):
    """A key by which a service acts for the member who made it, within its scopes. Only its hash is kept."""

    __tablename__ = "core_api_key"

    id: Mapped[Id]
    member_id: Mapped[UUID] = mapped_column(ForeignKey("core_member.id", ondelete="CASCADE"), index=True)
    name: Mapped[str] = mapped_column(String(120))
    prefix: Mapped[str] = mapped_column(String(20))
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary(32), unique=True)
    scopes: Mapped[list[str]] = mapped_column(ARRAY(String(200)))
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[Instant | None]
    last_used_at: Mapped[Instant | None]
    revoked_at: Mapped[Instant | None]


class SigningKey(Model):
    """A key that signs access tokens, sealed. The one without ``retired_at`` signs now."""

    __tablename__ = "core_signing_key"

    kid: Mapped[str] = mapped_column(String(40), primary_key=True)
    private_key: Mapped[str] = mapped_column(Sealed("core.signing_key"))
    created_at: Mapped[CreatedAt]
    retired_at: Mapped[Instant | None]


class Wallet(Model):
    """A wallet a member has proved to hold. ``address`` has its checksum; one of a member's wallets is the primary."""

    __tablename__ = "core_wallet"
    __table_args__ = (
        Index("uq_core_wallet_primary", "member_id", unique=True, postgresql_where=text("is_primary")),
        UniqueConstraint("address"),
    )

    id: Mapped[Id]
    member_id: Mapped[UUID] = mapped_column(ForeignKey("core_member.id", ondelete="CASCADE"), index=True)
    address: Mapped[EvmAddress] = mapped_column(info={"pii": True})
    label: Mapped[str] = mapped_column(String(60), server_default="", default="", info={"pii": True})
    is_primary: Mapped[bool]
    linked_at: Mapped[CreatedAt]
    last_used_at: Mapped[Instant | None]


class SpentNonce(Model):
    """A number a wallet has signed, kept until it would have expired, so that it is good once."""

    __tablename__ = "core_spent_nonce"
    __table_args__ = (Index("ix_core_spent_nonce_expires_at", "expires_at"),)

    nonce_hash: Mapped[bytes] = mapped_column(LargeBinary(32), primary_key=True)
    expires_at: Mapped[Instant]


class Phone(Model):
    """A member's phone number: the one that was proved, and perhaps another that waits for its code.

    ``number`` is in E.164, sealed under the member's key; ``number_hash`` is a keyed hash that finds it.
    """

    __tablename__ = "core_phone"
    __table_args__ = (
        Index(
            "uq_core_phone_number_hash",
            "number_hash",
            unique=True,
            postgresql_where=text("verified_at IS NOT NULL"),
        ),
        Index("uq_core_phone_verified", "member_id", unique=True, postgresql_where=text("verified_at IS NOT NULL")),
        Index("uq_core_phone_waiting", "member_id", unique=True, postgresql_where=text("verified_at IS NULL")),
    )

    id: Mapped[Id]
    member_id: Mapped[UUID] = mapped_column(ForeignKey("core_member.id", ondelete="CASCADE"), index=True)
    number: Mapped[str] = mapped_column(String(200), info={"pii": True})
    number_hash: Mapped[bytes] = mapped_column(LargeBinary(32), info={"pii": False})
    created_at: Mapped[CreatedAt]
    verified_at: Mapped[Instant | None]


class SecondFactor(Model):
    """That a code which is sent to the member is a second factor of theirs; the app's is in ``core_two_factor``."""

    __tablename__ = "core_second_factor"
    __table_args__ = (CheckConstraint(f"kind IN {CHANNELS}", name="kind"),)

    member_id: Mapped[UUID] = mapped_column(ForeignKey("core_member.id", ondelete="CASCADE"), primary_key=True)
    kind: Mapped[str] = mapped_column(String(4), primary_key=True)
    enabled_at: Mapped[CreatedAt]


class OneTimeCode(Model):
    """A code that is sent by mail or text message. It follows from the id and the secret key, and is kept nowhere.

    ``account`` is a keyed hash of what was typed: who asks for the code of an address that nobody has gets a row as
    well, without a member, so that nothing tells the two apart. ``phone_id`` is the number it goes to.
    """

    __tablename__ = "core_one_time_code"
    __table_args__ = (
        CheckConstraint(f"channel IN {CHANNELS}", name="channel"),
        Index("ix_core_one_time_code_expires_at", "expires_at"),
    )

    id: Mapped[Id]
    member_id: Mapped[UUID | None] = mapped_column(ForeignKey("core_member.id", ondelete="CASCADE"), index=True)
    purpose: Mapped[str] = mapped_column(String(20))
    channel: Mapped[str] = mapped_column(String(4), server_default="mail", default="mail")
    phone_id: Mapped[UUID | None] = mapped_column(ForeignKey("core_phone.id", ondelete="CASCADE"), index=True)
    account: Mapped[bytes] = mapped_column(LargeBinary(32))
    tries: Mapped[int] = mapped_column(server_default="0", default=0)
    created_at: Mapped[CreatedAt]
    expires_at: Mapped[Instant]
    used_at: Mapped[Instant | None]
