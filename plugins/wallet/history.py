"""What happened on an account, as people and other programs read it: transactions, statements, the journal.

Amounts are integers of the smallest unit; files for people show them with the asset's decimals.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from sqlalchemy import and_, case, exists, func, or_, select, text
from sqlalchemy.orm import Session, aliased

from guildhall import csv_line, now

from . import queries
from .models import Account, Asset, Entry, Hold, Transfer
from .units import decimal

STATUSES = ("pending", "completed", "failed", "reversed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """Something that moved (completed, reversed), is reserved (pending) or came to nothing (failed).

    ``id`` is the transfer's, or the hold's while nothing moved; ``balance`` is None for those.
    """

    id: UUID
    status: str
    at: datetime
    amount: int
    balance: int | None
    kind: str
    reason: str
    place: str


def transactions(
    session: Session,
    account_id: UUID,
    *,
    status: str | None = None,
    kind: str | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    after: str = "",
    limit: int = 50,
) -> list[Transaction]:
    """An account's transactions, the newest first; ``after`` is the ``place`` of the last one seen.

    Without a status: what is pending, then what moved. Pending and failed ones are holds and have no kind but ``hold``.
    """
    if status in ("pending", "failed"):
        return _holds(session, account_id, status, kind, since, until, after, limit)
    found: list[Transaction] = []
    if status is None and not after:
        found = _holds(session, account_id, "pending", kind, since, until, "", limit)
    return found + _moved(session, account_id, status, kind, since, until, after, limit - len(found))


def _moved(
    session: Session,
    account_id: UUID,
    status: str | None,
    kind: str | None,
    since: datetime | None,
    until: datetime | None,
    after: str,
    limit: int,
) -> list[Transaction]:
    other = aliased(Transfer)
    reversed_ = exists().where(other.reverses == Entry.transfer_id)
    query = (
        select(
            Entry.transfer_id.label("id"),
            case((reversed_, "reversed"), else_="completed").label("status"),
            Entry.recorded_at.label("at"),
            Entry.amount,
            Entry.balance_after.label("balance"),
            Transfer.kind,
            Transfer.reason,
            Entry.version,
        )
        .join(Transfer, Transfer.id == Entry.transfer_id)
        .where(Entry.account_id == account_id)
    )
    if status:
        query = query.where(reversed_ if status == "reversed" else ~reversed_)
    if kind:
        query = query.where(Transfer.kind == kind)
    if since:
        query = query.where(Entry.version > queries.entries_until(session, account_id, since, inclusive=False))
    if until:
        query = query.where(Entry.version <= queries.entries_until(session, account_id, until, inclusive=False))
    if after:
        query = query.where(Entry.version < int(after))
    rows = session.execute(query.order_by(Entry.version.desc()).limit(max(limit, 0))).mappings()
    return [
        Transaction(**{key: row[key] for key in row if key != "version"}, place=str(row["version"])) for row in rows
    ]


def _holds(
    session: Session,
    account_id: UUID,
    status: str,
    kind: str | None,
    since: datetime | None,
    until: datetime | None,
    after: str,
    limit: int,
) -> list[Transaction]:
    if kind not in (None, "hold"):
        return []
    expired = and_(Hold.state == "open", Hold.expires_at <= now())
    is_open = and_(Hold.state == "open", Hold.expires_at > now())
    query = select(Hold).where(Hold.account_id == account_id)
    query = query.where(is_open if status == "pending" else or_(Hold.state.in_(("released", "expired")), expired))
    if since:
        query = query.where(Hold.created_at >= since)
    if until:
        query = query.where(Hold.created_at < until)
    if after:
        query = query.where(Hold.id < UUID(after))
    return [
        Transaction(
            id=hold.id,
            status=status,
            at=hold.created_at,
            amount=-hold.amount,
            balance=None,
            kind="hold",
            reason=hold.reason,
            place=str(hold.id),
        )
        for hold in session.scalars(query.order_by(Hold.id.desc()).limit(limit))
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class Undoing:
    """A transfer that gave another one back: the whole (``reversal``) or a part (``refund``) of it."""

    id: UUID
    kind: str
    reason: str
    at: datetime
    amount: int
    scale: int
    asset: str


def undone_by(session: Session, transfer_id: UUID) -> list[Undoing]:
    """What reversed a transfer or refunded parts of it, the oldest first; ``amount`` is the largest that came back."""
    query = (
        select(
            Transfer.id,
            Transfer.kind,
            Transfer.reason,
            Transfer.recorded_at.label("at"),
            Entry.amount,
            Asset.scale,
            Account.asset,
        )
        .distinct(Transfer.id)
        .join(Entry, Entry.transfer_id == Transfer.id)
        .join(Account, Account.id == Entry.account_id)
        .join(Asset, Asset.code == Account.asset)
        .where(or_(Transfer.reverses == transfer_id, Transfer.refunds == transfer_id), Entry.amount > 0)
        .order_by(Transfer.id, Entry.amount.desc())
    )
    return [Undoing(**row) for row in session.execute(query).mappings()]


def statement_csv(account: queries.Balance, statement: queries.Statement) -> str:
    """A statement as CSV (RFC 4180): the opening line, each entry with the balance after it, the closing line."""
    out = [csv_line(["at", "kind", "with", "reason", "amount", "balance", "asset", "transfer"])]

    def line(
        at: datetime, kind: str, amount: Decimal | None, balance: int, extra: Sequence[str] = ("", "", "")
    ) -> None:
        other, reason, transfer = extra
        rest = Decimal(_units(balance, account.scale)), account.asset, transfer
        out.append(csv_line([at, kind, other, reason, amount, *rest]))

    line(statement.start, "opening", None, statement.opening)
    for one in statement.lines:
        extra = (one.counterpart, one.reason, str(one.transfer_id))
        line(one.at, one.kind, Decimal(_units(one.amount, account.scale)), one.balance, extra)
    line(statement.end, "closing", None, statement.closing)
    return "".join(out)


def _units(amount: int, scale: int) -> str:
    return decimal(amount, scale).replace(",", "")


_JOURNAL = text("""
    SELECT t.id, t.recorded_at, t.effective_on, t.kind, t.reason, t.reference, e.account_id, e.amount, a.asset,
        a.purpose, a.member_id IS NOT NULL AS members, s.scale
    FROM wallet_transfer t JOIN wallet_entry e ON e.transfer_id = t.id JOIN wallet_account a ON a.id = e.account_id
    JOIN wallet_asset s ON s.code = a.asset
    WHERE (CAST(:start AS timestamptz) IS NULL OR t.recorded_at >= :start)
        AND (CAST(:end AS timestamptz) IS NULL OR t.recorded_at < :end)
    ORDER BY t.recorded_at, t.id, e.amount
""")
_OPENED = text("""
    SELECT a.id, a.asset, a.purpose, a.member_id IS NOT NULL AS members, min(e.recorded_at)::date AS day
    FROM wallet_account a JOIN wallet_entry e ON e.account_id = a.id GROUP BY a.id ORDER BY day, a.id
""")
_CLOSING = text("""
    SELECT a.id, a.asset, a.purpose, a.member_id IS NOT NULL AS members, a.posted, s.scale
    FROM wallet_account a JOIN wallet_asset s ON s.code = a.asset WHERE a.version > 0 ORDER BY a.id
""")


def journal(session: Session, *, start: datetime | None = None, end: datetime | None = None) -> Iterator[str]:
    """The ledger in the syntax of beancount, line by line: transfers and, of the whole ledger, balance assertions.

    Accounts are named by their ids: a member's name is in no bookkeeping. Source of the syntax:
    https://beancount.github.io/docs/beancount_language_syntax.html
    """
    yield 'option "title" "Guildhall"\n'
    for row in session.execute(_OPENED):
        yield f"{row.day} open {_account(row.id, row)} {_currency(row.asset)}\n"
    current: UUID | None = None
    for row in session.execute(_JOURNAL, {"start": start, "end": end}, execution_options={"yield_per": 1000}):
        if row.id != current:
            current = row.id
            said = " ".join(row.reason.split()).replace("\\", "/").replace('"', "'")
            yield f'\n{row.recorded_at.date()} * "{row.kind}" "{said}"\n  transfer: "{row.id}"\n'
            yield f"  effective: {row.effective_on}\n"
        yield f"  {_account(row.account_id, row)}  {_units(int(row.amount), row.scale)} {_currency(row.asset)}\n"
    if start is None and end is None:
        tomorrow = (session.scalar(select(func.max(Entry.recorded_at) + text("interval '1 day'"))) or now()).date()
        for row in session.execute(_CLOSING):
            amount = _units(int(row.posted), row.scale)
            yield f"\n{tomorrow} balance {_account(row.id, row)}  {amount} {_currency(row.asset)}\n"


def _account(account_id: UUID, row: Any) -> str:
    """Members' balances are what the house owes; issuance is what it brought into being."""
    kind = "Liabilities:Members" if row.members else "Equity:House" if row.purpose == "issuance" else "Assets:House"
    return f"{kind}:{row.purpose.replace('_', '-').capitalize()}-{account_id.hex}"


def _currency(asset: str) -> str:
    """A currency of beancount has two letters at least."""
    return asset if len(asset) > 1 else f"{asset}.X"
