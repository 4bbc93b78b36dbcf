"""Tables of the ledger. Balances live on the account; entries are the history that proves them."""

from __future__ import annotations

from datetime import date
from uuid import UUID

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.orm import mapped_column, relationship

from guildhall import Amount, Count, CreatedAt, Id, Instant, Mapped, Member, MemberRef, Model, ShortText, choice

from .units import decimal

KINDS = ("fiat", "point", "credit", "token", "stable")
STATES = ("active", "frozen", "closed")
FLOORS = ("zero", "none")
REWARD_STATES = ("pending", "paid")


class Asset(Model):
    """What an account counts. One unit is ``10 ** -scale`` of what people call one."""

    __tablename__ = "wallet_asset"
    __table_args__ = (
        CheckConstraint("scale BETWEEN 0 AND 18", name="scale"),
        CheckConstraint("code ~ '^[A-Z][A-Z0-9]*$'", name="code"),
    )

    code: Mapped[str] = mapped_column(String(12), primary_key=True)
    name: Mapped[ShortText]
    kind: Mapped[str] = choice(*KINDS)
    scale: Mapped[int]


class Account(Model):
    """A balance of one asset, of a member or (``member_id`` is null) of the house.

    ``posted``, ``version``, ``tip`` and ``moved_at`` are written by ``wallet_post`` alone. ``rank`` is the lock
    order: accounts that everybody touches have a higher one and are locked last. No changing column is indexed, so
    that updates stay on their page.
    """

    __tablename__ = "wallet_account"
    __table_args__ = (
        UniqueConstraint("member_id", "asset", "purpose", postgresql_nulls_not_distinct=True),
        CheckConstraint("held >= 0", name="held"),
        CheckConstraint("floor = 'none' OR posted - held >= 0", name="not_below_floor"),
        CheckConstraint("purpose <> 'member' OR member_id IS NOT NULL", name="member"),
        {"postgresql_with": {"fillfactor": 50}},
    )

    id: Mapped[Id]
    asset: Mapped[str] = mapped_column(ForeignKey("wallet_asset.code"))
    member_id: Mapped[UUID | None] = mapped_column(ForeignKey("core_member.id", ondelete="RESTRICT"))
    purpose: Mapped[str] = mapped_column(String(20))
    label: Mapped[str] = mapped_column(String(120), server_default="", default="")
    floor: Mapped[str] = choice(*FLOORS, default="zero")
    rank: Mapped[int] = mapped_column(server_default="0", default=0)
    state: Mapped[str] = choice(*STATES, default="active")
    posted: Mapped[Amount] = mapped_column(server_default="0", default=0)
    held: Mapped[Amount] = mapped_column(server_default="0", default=0)
    version: Mapped[Count] = mapped_column(server_default="0", default=0)
    tip: Mapped[bytes] = mapped_column(LargeBinary, server_default=text("''::bytea"), default=b"")
    moved_at: Mapped[Instant | None]
    created_at: Mapped[CreatedAt]

    member: Mapped[Member | None] = relationship(viewonly=True, lazy="raise_on_sql")
    unit: Mapped[Asset] = relationship(viewonly=True, lazy="joined", innerjoin=True)

    @property
    def balance(self) -> str:
        """The balance with the asset's decimals, for lists."""
        return decimal(self.posted, self.unit.scale)


class Transfer(Model):
    """Why money moved: one row for entries that sum to zero. Append-only; undone by another that ``reverses`` it.

    ``actor`` reads ``member:<id>`` or ``system:<name>``. ``recorded_at`` rules balances, ``effective_on`` is the day
    it is meant for.
    """

    __tablename__ = "wallet_transfer"
    __table_args__ = (
        UniqueConstraint("reference"),
        UniqueConstraint("reverses"),
        CheckConstraint("kind ~ '^[a-z][a-z_]*$'", name="kind"),
    )

    id: Mapped[Id]
    kind: Mapped[str] = mapped_column(String(40))
    reason: Mapped[str] = mapped_column(String(400), server_default="")
    reference: Mapped[str | None] = mapped_column(String(200))
    actor: Mapped[str] = mapped_column(String(160))
    recorded_at: Mapped[Instant]
    effective_on: Mapped[date] = mapped_column(Date)
    link_id: Mapped[UUID | None]
    reverses: Mapped[UUID | None] = mapped_column(ForeignKey("wallet_transfer.id"))
    contribution_id: Mapped[UUID | None]
    correlation_id: Mapped[UUID]


class Entry(Model):
    """One account's part in a transfer. The key is the account's history, and shows a gap in it."""

    __tablename__ = "wallet_entry"
    __table_args__ = (
        CheckConstraint("amount <> 0", name="amount"),
        CheckConstraint("version > 0", name="version"),
        Index("ix_wallet_entry_account_id_recorded_at", "account_id", "recorded_at"),
    )

    account_id: Mapped[UUID] = mapped_column(ForeignKey("wallet_account.id"), primary_key=True)
    version: Mapped[Count] = mapped_column(primary_key=True)
    transfer_id: Mapped[UUID] = mapped_column(ForeignKey("wallet_transfer.id"), index=True)
    amount: Mapped[Amount]
    balance_after: Mapped[Amount]
    digest: Mapped[bytes] = mapped_column(LargeBinary(32))
    recorded_at: Mapped[Instant]


class Reward(Model):
    """A payment that another plugin asked for; ``id`` is the request's. It waits in ``pending`` until the fund pays.

    ``why`` is the code of what it waits for.
    """

    __tablename__ = "wallet_reward"
    __table_args__ = (
        UniqueConstraint("reference"),
        UniqueConstraint("transfer_id"),
        CheckConstraint("amount > 0", name="amount"),
        CheckConstraint("(state = 'paid') = (transfer_id IS NOT NULL AND paid_at IS NOT NULL)", name="paid"),
        Index("ix_wallet_reward_pending", "asset", "requested_at", "id", postgresql_where="state = 'pending'"),
        Index("ix_wallet_reward_contribution_id", "contribution_id", postgresql_where="contribution_id IS NOT NULL"),
    )

    id: Mapped[Id]
    member_id: Mapped[MemberRef]
    amount: Mapped[Amount]
    asset: Mapped[str] = mapped_column(ForeignKey("wallet_asset.code"))
    reason: Mapped[str] = mapped_column(String(120))
    reference: Mapped[str] = mapped_column(String(200))
    contribution_id: Mapped[UUID | None]
    state: Mapped[str] = choice(*REWARD_STATES, default="pending")
    why: Mapped[str] = mapped_column(String(40), server_default="", default="")
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
