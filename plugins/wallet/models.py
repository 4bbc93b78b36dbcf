"""Tables of the ledger. Balances live on the account; entries are the history that proves them."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import CheckConstraint, Date, Enum, ForeignKey, Index, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.orm import mapped_column, relationship

from guildhall import Amount, Count, CreatedAt, Id, Instant, Mapped, Member, MemberRef, Model, ShortText, choice

from .units import decimal

KINDS = ("fiat", "point", "credit", "token", "stable")
STATES = ("active", "frozen", "closed")
FLOORS = ("zero", "none")
REWARD_STATES = ("pending", "paid", "refused")
HOLD_STATES = ("open", "captured", "released", "expired")


def _native(name: str, values: tuple[str, ...], default: str) -> Any:
    """A column of an enumerated type: unlike a CHECK it costs nothing when another column of its row is written."""
    return mapped_column(Enum(*values, name=name), default=default, server_default=default)


class Asset(Model):
    """What an account counts. One unit is ``10 ** -scale`` of what people call one.

    ``daily_limit``: what may leave a member's account in a day (UTC), unless the account says otherwise.
    ``large_from``: a movement of so much is announced. ``stripes``: among how many accounts issuance is spread.
    """

    __tablename__ = "wallet_asset"
    __table_args__ = (
        CheckConstraint("scale BETWEEN 0 AND 18", name="scale"),
        CheckConstraint("code ~ '^[A-Z][A-Z0-9]*$'", name="code"),
        CheckConstraint("stripes BETWEEN 1 AND 64", name="stripes"),
        CheckConstraint("daily_limit >= 0", name="daily_limit"),
        CheckConstraint("large_from > 0", name="large_from"),
    )

    code: Mapped[str] = mapped_column(String(12), primary_key=True)
    name: Mapped[ShortText]
    kind: Mapped[str] = choice(*KINDS)
    scale: Mapped[int]
    daily_limit: Mapped[Amount | None]
    large_from: Mapped[Amount | None]
    stripes: Mapped[int] = mapped_column(server_default="1", default=1)


class Account(Model):
    """A balance of one asset, of a member or (``member_id`` is null) of the house.

    ``posted``, ``version``, ``tip``, ``moved_at`` and what was ``spent`` on the day ``spent_on`` are written by the
    functions that post alone, ``held`` by those of holds too. ``rank`` is the lock order: accounts that everybody
    touches have a higher one and are locked last. No changing column is indexed, so that updates stay on their page.
    ``overdraft`` is how far below zero it may go, ``daily_limit`` replaces the asset's, a balance that falls below
    ``low_below`` is announced, and ``stripe`` numbers the parts of an account that would be too hot as one.
    """

    __tablename__ = "wallet_account"
    __table_args__ = (
        UniqueConstraint("member_id", "asset", "purpose", "stripe", postgresql_nulls_not_distinct=True),
        CheckConstraint("held >= 0 AND (floor = 'none' OR posted - held + overdraft >= 0)", name="not_below_floor"),
        {"postgresql_with": {"fillfactor": 50}},
    )

    id: Mapped[Id]
    asset: Mapped[str] = mapped_column(ForeignKey("wallet_asset.code"))
    member_id: Mapped[UUID | None] = mapped_column(ForeignKey("core_member.id", ondelete="RESTRICT"))
    purpose: Mapped[str] = mapped_column(String(20))
    label: Mapped[str] = mapped_column(String(120), server_default="", default="")
    floor: Mapped[str] = _native("wallet_floor", FLOORS, "zero")
    rank: Mapped[int] = mapped_column(server_default="0", default=0)
    state: Mapped[str] = _native("wallet_state", STATES, "active")
    posted: Mapped[Amount] = mapped_column(server_default="0", default=0)
    held: Mapped[Amount] = mapped_column(server_default="0", default=0)
    version: Mapped[Count] = mapped_column(server_default="0", default=0)
    tip: Mapped[bytes] = mapped_column(LargeBinary, server_default=text("''::bytea"), default=b"", info={"pii": False})
    moved_at: Mapped[Instant | None]
    created_at: Mapped[CreatedAt]
    stripe: Mapped[int] = mapped_column(server_default="0", default=0)
    overdraft: Mapped[Amount] = mapped_column(server_default="0", default=0)
    daily_limit: Mapped[Amount | None]
    low_below: Mapped[Amount | None]
    spent: Mapped[Amount] = mapped_column(server_default="0", default=0)
    spent_on: Mapped[date | None] = mapped_column(Date)

    member: Mapped[Member | None] = relationship(viewonly=True, lazy="raise_on_sql")
    unit: Mapped[Asset] = relationship(viewonly=True, lazy="joined", innerjoin=True)

    @property
    def balance(self) -> str:
        """The balance with the asset's decimals, for lists."""
        return decimal(self.posted, self.unit.scale)


class Transfer(Model):
    """Why money moved: one row for entries that sum to zero. Append-only; undone by another that ``reverses`` it, once,
    or by several that each ``refunds`` a part. Transfers with one ``link_id`` were made together or not at all.

    ``actor`` reads ``member:<id>`` or ``system:<name>``. ``recorded_at`` rules balances, ``effective_on`` is the day
    it is meant for.
    """

    __tablename__ = "wallet_transfer"
    __table_args__ = (
        Index("uq_wallet_transfer_reference", "reference", unique=True, postgresql_where="reference IS NOT NULL"),
        Index("uq_wallet_transfer_reverses", "reverses", unique=True, postgresql_where="reverses IS NOT NULL"),
        Index("ix_wallet_transfer_refunds", "refunds", postgresql_where="refunds IS NOT NULL"),
        Index("ix_wallet_transfer_link_id", "link_id", postgresql_where="link_id IS NOT NULL"),
    )

    id: Mapped[Id]
    kind: Mapped[str] = mapped_column(String(40))
    reason: Mapped[str] = mapped_column(String(400), server_default="")
    reference: Mapped[str | None] = mapped_column(String(200), info={"search": True})
    actor: Mapped[str] = mapped_column(String(160))
    recorded_at: Mapped[Instant]
    effective_on: Mapped[date] = mapped_column(Date)
    link_id: Mapped[UUID | None]
    reverses: Mapped[UUID | None] = mapped_column(ForeignKey("wallet_transfer.id"))
    contribution_id: Mapped[UUID | None]
    correlation_id: Mapped[UUID]
    refunds: Mapped[UUID | None] = mapped_column(ForeignKey("wallet_transfer.id"))

    @property
    def what(self) -> str:
        """The kind; lists show the whole movement in its place."""
        return self.kind


# What came since the last vacuum is what reports ask for most.
SUMMARIZED = {"autosummarize": "on"}


class Entry(Model):
    """One account's part in a transfer. The key is the account's history in the order it was recorded: it shows a gap,
    and ``wallet_entries_until`` finds any moment by halving it.
    """

    __tablename__ = "wallet_entry"
    __table_args__ = (
        CheckConstraint("amount <> 0", name="amount"),
        Index("ix_wallet_entry_recorded_at", "recorded_at", postgresql_using="brin", postgresql_with=SUMMARIZED),
    )

    account_id: Mapped[UUID] = mapped_column(ForeignKey("wallet_account.id"), primary_key=True)
    version: Mapped[Count] = mapped_column(primary_key=True)
    transfer_id: Mapped[UUID] = mapped_column(ForeignKey("wallet_transfer.id"), index=True)
    amount: Mapped[Amount]
    balance_after: Mapped[Amount]
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    recorded_at: Mapped[Instant]


class Hold(Model):
    """A part of a balance that is reserved: captured once, wholly or in part, or released, or expired.

    It is expired from ``expires_at`` on, whatever ``state`` still says.
    """

    __tablename__ = "wallet_hold"
    __table_args__ = (
        UniqueConstraint("reference"),
        UniqueConstraint("transfer_id"),
        CheckConstraint("amount > 0 AND captured BETWEEN 0 AND amount", name="amount"),
        CheckConstraint(
            "(state = 'open') = (resolved_at IS NULL) AND (state = 'captured') = "
            "(transfer_id IS NOT NULL AND captured > 0)",
            name="resolved",
        ),
        Index("ix_wallet_hold_open", "account_id", "expires_at", postgresql_where="state = 'open'"),
        Index("ix_wallet_hold_account_id", "account_id", "id"),
    )

    id: Mapped[Id]
    account_id: Mapped[UUID] = mapped_column(ForeignKey("wallet_account.id"))
    amount: Mapped[Amount]
    captured: Mapped[Amount] = mapped_column(server_default="0", default=0)
    state: Mapped[str] = choice(*HOLD_STATES, default="open")
    reason: Mapped[str] = mapped_column(String(400), server_default="")
    reference: Mapped[str | None] = mapped_column(String(200))
    actor: Mapped[str] = mapped_column(String(160))
    correlation_id: Mapped[UUID]
    created_at: Mapped[Instant]
    expires_at: Mapped[Instant]
    resolved_at: Mapped[Instant | None]
    transfer_id: Mapped[UUID | None] = mapped_column(ForeignKey("wallet_transfer.id"))


class Checkpoint(Model):
    """Where every chain stood on a day: ``root`` covers the one before it and each tip that moved since."""

    __tablename__ = "wallet_checkpoint"
    __table_args__ = (UniqueConstraint("day"),)

    id: Mapped[Id]
    day: Mapped[date] = mapped_column(Date)
    root: Mapped[bytes] = mapped_column(LargeBinary(32))
    accounts: Mapped[Count]
    entries: Mapped[Count]
    seal: Mapped[bytes] = mapped_column(LargeBinary)
    made_at: Mapped[Instant]


class Tip(Model):
    """The end of one account's chain at a checkpoint; only accounts that moved since the one before it."""

    __tablename__ = "wallet_tip"
    __table_args__ = (Index("ix_wallet_tip_account_id", "account_id", "version"),)

    checkpoint_id: Mapped[UUID] = mapped_column(
        ForeignKey("wallet_checkpoint.id", deferrable=True, initially="DEFERRED"), primary_key=True
    )
    account_id: Mapped[UUID] = mapped_column(primary_key=True)
    version: Mapped[Count]
    tip: Mapped[bytes] = mapped_column(LargeBinary(32))


class Reward(Model):
    """A payment that another plugin asked for; ``id`` is the request's. It waits in ``pending`` until the fund pays.

    ``why`` is the code of what it waits for, or why it was refused.
    """

    __tablename__ = "wallet_reward"
    __table_args__ = (
        UniqueConstraint("reference"),
        UniqueConstraint("transfer_id"),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("(state = 'paid') = (transfer_id IS NOT NULL AND paid_at IS NOT NULL)", name="paid"),
        Index("ix_wallet_reward_pending", "asset", "requested_at", "id", postgresql_where="state = 'pending'"),
        Index("ix_wallet_reward_flagged", "member_id", postgresql_where="state = 'pending' AND why = 'MEMBER_FLAGGED'"),
        Index("ix_wallet_reward_contribution_id", "contribution_id", postgresql_where="contribution_id IS NOT NULL"),
    )

    id: Mapped[Id]
    member_id: Mapped[MemberRef]
    amount: Mapped[Amount]
    asset: Mapped[str] = mapped_column(ForeignKey("wallet_asset.code"))
    reason: Mapped[str] = mapped_column(String(120), info={"pii": False})
    reference: Mapped[str] = mapped_column(String(200), info={"search": True})
    contribution_id: Mapped[UUID | None]
    state: Mapped[str] = choice(*REWARD_STATES, default="pending")
    why: Mapped[str] = mapped_column(String(40), server_default="", default="", info={"pii": False})
    transfer_id: Mapped[UUID | None] = mapped_column(ForeignKey("wallet_transfer.id"))
    correlation_id: Mapped[UUID]
    requested_at: Mapped[Instant]
    paid_at: Mapped[Instant | None]

    member: Mapped[Member] = relationship(viewonly=True, lazy="raise_on_sql")
    unit: Mapped[Asset] = relationship(viewonly=True, lazy="joined", innerjoin=True)

    @property
    def sum(self) -> str:
        """The amount with the asset's decimals, for lists."""
        return decimal(self.amount, self.unit.scale)
