"""What the wallet can tell. Balances are read from the account, never from an object in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Select, case, func, select, text
from sqlalchemy.orm import Session, aliased

from guildhall import Member, now

from . import errors
from .models import Account, Asset, Entry, Hold, Reward, Transfer
from .units import decimal


def shown(session: Session, amount: int, asset: str) -> str:
    """``amount`` smallest units with the asset's decimals and code: ``12.50 USD``."""
    scale = session.scalar(select(Asset.scale).where(Asset.code == asset)) or 0
    return f"{decimal(amount, scale)} {asset}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Balance:
    """An account with what it holds, in the asset's smallest unit.

    ``available`` is what it can pay: what is not held back, and its overdraft. ``daily_limit`` is its own or the
    asset's, of which ``spent_today`` is used (UTC).
    """

    id: UUID
    asset: str
    scale: int
    purpose: str
    label: str
    member_id: UUID | None
    member: str | None
    state: str
    posted: int
    held: int
    version: int
    moved_at: datetime | None
    overdraft: int = 0
    floor: str = "zero"
    low_below: int | None = None
    daily_limit: int | None = None
    own_daily_limit: int | None = None
    spent_today: int = 0

    @property
    def available(self) -> int:
        return self.posted - self.held + self.overdraft

    @property
    def money(self) -> dict[str, dict[str, Any]]:
        """The three figures as they go on the wire."""
        figures = {"balance": self.posted, "held": self.held, "available": self.available}
        return {name: {"amount": amount, "asset": self.asset} for name, amount in figures.items()}

    @property
    def shown(self) -> str:
        """The balance with the asset's decimals."""
        return decimal(self.posted, self.scale)

    @property
    def name(self) -> str:
        """Whose account it is: the member, or what the house keeps it for."""
        return self.member or self.label or self.purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One entry of an account: ``amount`` is what came (above zero) or went, ``balance`` what was there after it."""

    version: int
    at: datetime
    amount: int
    balance: int
    transfer_id: UUID
    kind: str
    reason: str
    counterpart_id: UUID | None
    counterpart: str
    counterpart_purpose: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A period of an account, ``start`` included and ``end`` not: ``opening + came - went = closing``."""

    start: datetime
    end: datetime
    opening: int
    came: int
    went: int
    closing: int
    lines: Sequence[Line]


@dataclass(frozen=True, slots=True, kw_only=True)
class Circulation:
    """Where the units of an asset are: ``issued`` by the house, ``house`` still there, ``members`` in circulation."""

    asset: str
    scale: int
    issued: int
    house: int
    members: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RewardFund:
    """What is left to pay rewards from, and what waits: ``short`` is how much the fund lacks."""

    asset: str
    account_id: UUID | None
    balance: int
    waiting: int
    owed: int

    @property
    def short(self) -> int:
        return max(0, self.owed - self.balance)


def _balances() -> Select[*tuple[Any, ...]]:
    """Accounts as they are now: what expired holds still reserve in the table is counted as free."""
    expired = (
        select(func.coalesce(func.sum(Hold.amount), 0))
        .where(Hold.account_id == Account.id, Hold.state == "open", Hold.expires_at <= now())
        .correlate(Account)
        .scalar_subquery()
    )
    return (
        select(
            Account.id,
            Account.asset,
            Asset.scale,
            Account.purpose,
            Account.label,
            Account.member_id,
            Member.display_name.label("member"),
            Account.state,
            Account.posted,
            (Account.held - expired).label("held"),
            Account.version,
            Account.moved_at,
            Account.overdraft,
            Account.floor,
            Account.low_below,
            func.coalesce(Account.daily_limit, Asset.daily_limit).label("daily_limit"),
            Account.daily_limit.label("own_daily_limit"),
            case((Account.spent_on == now().date(), Account.spent), else_=0).label("spent_today"),
        )
        .join(Asset, Asset.code == Account.asset)
        .join(Member, Member.id == Account.member_id, isouter=True)
    )


def balances_where(
    session: Session, *conditions: ColumnElement[bool], order: ColumnElement[Any], limit: int
) -> list[Balance]:
    """The first accounts that meet conditions on Account and its Member."""
    rows = session.execute(_balances().where(*conditions).order_by(order).limit(limit)).mappings()
    return [Balance(**row) for row in rows]


def balances(session: Session, member_id: UUID) -> list[Balance]:
    """A member's accounts by asset."""
    query = _balances().where(Account.member_id == member_id).order_by(Account.asset, Account.purpose)
    return [Balance(**row) for row in session.execute(query).mappings()]


def account(session: Session, account_id: UUID) -> Balance:
    """One account. Raises UnknownAccount."""
    row = session.execute(_balances().where(Account.id == account_id)).mappings().first()
    if row is None:
        raise errors.UnknownAccount()
    return Balance(**row)


def house(session: Session) -> list[Balance]:
    """The accounts of the house."""
    query = _balances().where(Account.member_id.is_(None)).order_by(Account.asset, Account.purpose)
    return [Balance(**row) for row in session.execute(query).mappings()]


def _lines(account_id: UUID) -> Select[*tuple[Any, ...]]:
    """An account's entries; the counterpart is the other account of the transfer, the largest where there are many."""
    other, owner = aliased(Entry), aliased(Account)
    counterpart = (
        select(
            owner.id.label("counterpart_id"),
            func.coalesce(Member.display_name, func.nullif(owner.label, ""), owner.purpose).label("counterpart"),
            owner.purpose.label("counterpart_purpose"),
        )
        .select_from(other)
        .join(owner, owner.id == other.account_id)
        .join(Member, Member.id == owner.member_id, isouter=True)
        .where(other.transfer_id == Entry.transfer_id, other.account_id != Entry.account_id)
        .order_by(func.abs(other.amount).desc(), owner.id)
        .limit(1)
        .correlate(Entry)
        .lateral()
    )
    return (
        select(
            Entry.version,
            Entry.recorded_at.label("at"),
            Entry.amount,
            Entry.balance_after.label("balance"),
            Entry.transfer_id,
            Transfer.kind,
            Transfer.reason,
            counterpart.c.counterpart_id,
            func.coalesce(counterpart.c.counterpart, "").label("counterpart"),
            func.coalesce(counterpart.c.counterpart_purpose, "").label("counterpart_purpose"),
        )
        .join(Transfer, Transfer.id == Entry.transfer_id)
        .join(counterpart, text("true"), isouter=True)
        .where(Entry.account_id == account_id)
    )


def history(session: Session, account_id: UUID, *, before: int | None = None, limit: int = 50) -> list[Line]:
    """An account's entries, the newest first; ``before`` is the version to go on from."""
    query = _lines(account_id)
    if before is not None:
        query = query.where(Entry.version < before)
    rows = session.execute(query.order_by(Entry.version.desc()).limit(limit)).mappings()
    return [Line(**row) for row in rows]


_UNTIL = text("SELECT wallet_entries_until(:account, :at, :inclusive)")


def balance_at(session: Session, account_id: UUID, at: datetime) -> int:
    """What an account held at a moment: the balance after its last entry until then."""
    return _balance_after(session, account_id, entries_until(session, account_id, at, inclusive=True))


def statement(session: Session, account_id: UUID, *, start: datetime, end: datetime) -> Statement:
    """An account's entries of a period, the oldest first, with the balances around them."""
    before = entries_until(session, account_id, start, inclusive=False)
    last = entries_until(session, account_id, end, inclusive=False)
    period = _lines(account_id).where(Entry.version > before, Entry.version <= last).order_by(Entry.version)
    lines = [Line(**row) for row in session.execute(period).mappings()]
    opening = _balance_after(session, account_id, before)
    came = sum(line.amount for line in lines if line.amount > 0)
    went = -sum(line.amount for line in lines if line.amount < 0)
    return Statement(
        start=start, end=end, opening=opening, came=came, went=went, closing=opening + came - went, lines=lines
    )


def entries_between(session: Session, account_id: UUID, *, start: datetime, end: datetime) -> int:
    """How many entries a period has, without reading them."""
    first = entries_until(session, account_id, start, inclusive=False)
    return max(0, entries_until(session, account_id, end, inclusive=False) - first)


def entries_until(session: Session, account_id: UUID, at: datetime, *, inclusive: bool) -> int:
    """The number of the last entry recorded before ``at``, or until it."""
    return session.scalar(_UNTIL, {"account": account_id, "at": at, "inclusive": inclusive}) or 0


def _balance_after(session: Session, account_id: UUID, version: int) -> int:
    after = select(Entry.balance_after).where(Entry.account_id == account_id, Entry.version == version)
    return int(session.scalar(after) or 0)


def legs(session: Session, transfer_id: UUID) -> list[dict[str, Any]]:
    """The entries of a transfer with their accounts' owners; what went out comes first."""
    return legs_of(session, [transfer_id]).get(transfer_id, [])


def legs_of(session: Session, transfer_ids: Sequence[UUID]) -> dict[UUID, list[dict[str, Any]]]:
    """As ``legs`` for many transfers, by their ids."""
    query = (
        select(
            Entry.transfer_id,
            Entry.account_id,
            Account.purpose,
            Account.asset,
            Account.member_id,
            Asset.scale,
            Entry.amount,
            Entry.balance_after,
            Entry.version,
            func.coalesce(Member.display_name, func.nullif(Account.label, ""), Account.purpose).label("name"),
        )
        .join(Account, Account.id == Entry.account_id)
        .join(Asset, Asset.code == Account.asset)
        .join(Member, Member.id == Account.member_id, isouter=True)
        .where(Entry.transfer_id.in_(transfer_ids))
        .order_by(Entry.amount)
    )
    found: dict[UUID, list[dict[str, Any]]] = {}
    for row in session.execute(query).mappings():
        found.setdefault(row["transfer_id"], []).append(dict(row))
    return found


def refundable(session: Session, transfer_id: UUID) -> int:
    """How much of a transfer of two legs was not refunded yet."""
    paid = select(func.coalesce(func.max(Entry.amount), 0)).where(Entry.transfer_id == transfer_id)
    back = (
        select(func.coalesce(func.sum(Entry.amount), 0))
        .join(Transfer, Transfer.id == Entry.transfer_id)
        .where(Transfer.refunds == transfer_id, Entry.amount > 0)
    )
    return int(session.scalar(paid) or 0) - int(session.scalar(back) or 0)


_CIRCULATION = text("""
    SELECT a.asset, s.scale,
        -coalesce(sum(a.posted) FILTER (WHERE a.purpose = 'issuance'), 0) AS issued,
        coalesce(sum(a.posted) FILTER (WHERE a.member_id IS NULL AND a.purpose <> 'issuance'), 0) AS house,
        coalesce(sum(a.posted) FILTER (WHERE a.member_id IS NOT NULL), 0) AS members
    FROM wallet_account a JOIN wallet_asset s ON s.code = a.asset
    GROUP BY a.asset, s.scale ORDER BY a.asset
""")


def circulation(session: Session) -> list[Circulation]:
    """Issued, kept and circulating units of every asset that has an account."""
    return [
        Circulation(
            asset=row.asset, scale=row.scale, issued=int(row.issued), house=int(row.house), members=int(row.members)
        )
        for row in session.execute(_CIRCULATION)
    ]


def reward_fund(session: Session, asset: str = "POINTS") -> RewardFund:
    """The reward fund of an asset and what waits for it."""
    fund = session.execute(
        select(Account.id, Account.posted - Account.held).where(
            Account.asset == asset, Account.purpose == "rewards", Account.member_id.is_(None)
        )
    ).first()
    waiting, owed = session.execute(
        select(func.count(), func.coalesce(func.sum(Reward.amount), 0)).where(
            Reward.state == "pending", Reward.asset == asset
        )
    ).one()
    return RewardFund(
        asset=asset,
        account_id=fund[0] if fund else None,
        balance=int(fund[1]) if fund else 0,
        waiting=waiting,
        owed=int(owed),
    )


def rewards_of(session: Session, contribution_id: UUID) -> list[Reward]:
    """Rewards that a contribution led to, the oldest first."""
    query = select(Reward).where(Reward.contribution_id == contribution_id)
    return list(session.scalars(query.order_by(Reward.requested_at, Reward.id)))
