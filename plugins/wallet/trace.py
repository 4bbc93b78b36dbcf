"""Where the units of a transfer went, and where they came from.

Units are alike, so a rule says which ones leave: those that came first (first in, first out). A unit that arrives at a
balance of B leaves with the unit numbered B that is paid after it. What was issued begins in issuance and what was
retired ends there; what covered an overdraft ends with it. A trace is bounded: see ``DEPTH``, ``HOPS`` and ``SCANNED``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from guildhall import Member

from . import errors
from .models import Account, Asset, Entry, Transfer

DEPTH = 12
HOPS = 200
SCANNED = 5_000

Direction = Literal["forward", "backward"]

# What left after an entry, or came before it, with how much had by then; the key of entries gives the order.
_SCAN = {
    "forward": text("""
        SELECT transfer_id, version, amount, upto FROM (
            SELECT transfer_id, version, -amount AS amount, sum(-amount) OVER (ORDER BY version) AS upto
            FROM wallet_entry WHERE account_id = :account AND version > :version AND amount < 0
            ORDER BY version LIMIT :scanned
        ) later WHERE upto > :low AND upto - amount < :high ORDER BY version LIMIT :most
    """),
    "backward": text("""
        SELECT transfer_id, version, amount, upto FROM (
            SELECT transfer_id, version, amount, sum(amount) OVER (ORDER BY version DESC) AS upto
            FROM wallet_entry WHERE account_id = :account AND version < :version AND amount > 0
            ORDER BY version DESC LIMIT :scanned
        ) earlier WHERE upto > :low AND upto - amount < :high ORDER BY version DESC LIMIT :most
    """),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """A transfer that moved some of the units: ``amount`` of them, ``depth`` transfers away from the first one.

    ``again``: the account it leads to was passed before, so the units went round.
    """

    depth: int
    transfer_id: UUID
    kind: str
    at: datetime
    source: UUID
    source_name: str
    destination: UUID
    destination_name: str
    amount: int
    again: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """Where some of the units are or came from: ``there`` (still on the account), ``issuance`` (issued or retired),
    ``overdraft`` (paid one back, or were lent), ``beyond`` (further than was looked).
    """

    account: UUID
    name: str
    amount: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """The hops by depth and the ends, whose amounts sum to ``amount``; all in the smallest unit of ``asset``."""

    transfer_id: UUID
    direction: str
    asset: str
    scale: int
    amount: int
    hops: Sequence[Hop]
    ends: Sequence[End]

    @property
    def whole(self) -> bool:
        """Whether nothing lies beyond the bounds."""
        return all(end.why != "beyond" for end in self.ends)


@dataclass(frozen=True, slots=True)
class _Leg:
    transfer: UUID
    account: UUID
    version: int
    amount: int
    before: int
    unbounded: bool
    asset: str


@dataclass(frozen=True, slots=True)
class _Piece:
    """Units ``low`` to ``high`` of a leg, numbered from the one that came first."""

    leg: _Leg
    low: int
    high: int


@dataclass(slots=True)
class _Walk:
    session: Session
    direction: Direction
    depth: int
    legs: dict[UUID, list[_Leg]] = field(default_factory=dict)
    hops: dict[tuple[int, UUID, UUID, UUID], int] = field(default_factory=dict)
    ends: dict[tuple[UUID, str], int] = field(default_factory=dict)

    def load(self, transfers: Iterable[UUID]) -> None:
        missing = set(transfers) - self.legs.keys()
        if not missing:
            return
        query = (
            select(Entry, Account.floor, Account.asset)
            .join(Account, Account.id == Entry.account_id)
            .where(Entry.transfer_id.in_(missing))
            .order_by(Entry.account_id)
        )
        for entry, floor, asset in self.session.execute(query):
            leg = _Leg(
                entry.transfer_id,
                entry.account_id,
                entry.version,
                int(entry.amount),
                int(entry.balance_after - entry.amount),
                floor == "none",
                asset,
            )
            self.legs.setdefault(entry.transfer_id, []).append(leg)

    def across(self, piece: _Piece, depth: int) -> list[_Piece]:
        """The other side of a piece within its transfer: payers and payees are laid along one line, by account."""
        near = [leg for leg in self.legs[piece.leg.transfer] if leg.asset == piece.leg.asset]
        low = piece.low + sum(
            abs(leg.amount) for leg in near if leg.amount * piece.leg.amount > 0 and leg.account < piece.leg.account
        )
        high, found, place = low + piece.high - piece.low, [], 0
        for leg in near:
            if leg.amount * piece.leg.amount > 0:
                continue
            first, last = max(low, place), min(high, place + abs(leg.amount))
            if first < last:
                found.append(_Piece(leg, first - place, last - place))
                pair = (piece.leg.account, leg.account)
                hop = (depth, leg.transfer, *(pair if self.direction == "forward" else pair[::-1]))
                self.hops[hop] = self.hops.get(hop, 0) + last - first
            place += abs(leg.amount)
        return found

    def end(self, piece: _Piece, why: str, amount: int) -> None:
        if amount > 0:
            key = (piece.leg.account, why)
            self.ends[key] = self.ends.get(key, 0) + amount

    def onward(self, piece: _Piece, depth: int) -> list[_Piece]:
        """The pieces by which these units left their account again, or came to it."""
        leg, size = piece.leg, piece.high - piece.low
        if leg.unbounded:
            self.end(piece, "issuance", size)
            return []
        # Their numbers among the units that leave after this entry, or that came before it, the newest first.
        if self.direction == "forward":
            low, high = leg.before + piece.low, leg.before + piece.high
        else:
            low, high = leg.before - piece.high, leg.before - piece.low
        lent = min(size, max(0, -low))
        self.end(piece, "overdraft", lent)
        low = max(low, 0)
        if low >= high:
            return []
        if depth >= self.depth or len(self.hops) >= HOPS:
            self.end(piece, "beyond", high - low)
            return []
        given = {"account": leg.account, "version": leg.version, "low": low, "high": high}
        rows = self.session.execute(_SCAN[self.direction], {**given, "scanned": SCANNED, "most": HOPS}).all()
        self.load(row.transfer_id for row in rows)
        found, covered = [], 0
        for row in rows:
            upto, amount = int(row.upto), int(row.amount)
            first, last = max(low, upto - amount), min(high, upto)
            covered += last - first
            mine = next(one for one in self.legs[row.transfer_id] if one.account == leg.account)
            if self.direction == "forward":
                found.append(_Piece(mine, first - (upto - amount), last - (upto - amount)))
            else:
                found.append(_Piece(mine, upto - last, upto - first))
        rest = high - low - covered
        self.end(piece, self._why(leg, rows) if rest else "there", rest)
        return found

    def _why(self, leg: _Leg, rows: Sequence[Any]) -> str:
        """Why not all of them were found: they did not move on, or too much was to be looked at."""
        if len(rows) == HOPS:
            return "beyond"
        sign, after = (
            (Entry.amount < 0, Entry.version > leg.version)
            if self.direction == "forward"
            else (Entry.amount > 0, Entry.version < leg.version)
        )
        looked = select(Entry.version).where(Entry.account_id == leg.account, sign, after).limit(SCANNED).subquery()
        scanned = self.session.scalar(select(func.count()).select_from(looked)) or 0
        if scanned >= SCANNED:
            return "beyond"
        return "there" if self.direction == "forward" else "overdraft"


def trace(session: Session, transfer_id: UUID, *, direction: Direction, depth: int = DEPTH) -> Trace:
    """Follow the units of a transfer ``forward`` or ``backward``, at most ``depth`` (up to DEPTH) transfers far.

    Of a transfer in several assets, the one that sorts first. Raises UnknownTransfer.
    """
    walk = _Walk(session, direction, min(max(depth, 1), DEPTH))
    walk.load([transfer_id])
    legs = walk.legs.get(transfer_id)
    if not legs:
        raise errors.UnknownTransfer()
    asset = min(leg.asset for leg in legs)
    sign = 1 if direction == "forward" else -1
    mine = [leg for leg in legs if leg.asset == asset]
    frontier = [_Piece(leg, 0, abs(leg.amount)) for leg in mine if leg.amount * sign > 0]
    seen = {leg.account for leg in mine}
    again: set[tuple[int, UUID, UUID, UUID]] = set()
    for level in range(1, DEPTH + 2):
        reached: list[_Piece] = []
        for piece in _joined(frontier):
            for one in walk.onward(piece, level - 1):
                reached += walk.across(one, level)
        fresh = {hop for hop in walk.hops if hop[0] == level}
        reaching = {hop: hop[3] if direction == "forward" else hop[2] for hop in fresh}
        endless = {leg.account for legs_of in walk.legs.values() for leg in legs_of if leg.unbounded}
        again |= {hop for hop, account in reaching.items() if account in seen - endless}
        seen |= set(reaching.values())
        frontier = reached
        if not frontier:
            break
    return _told(session, walk, transfer_id, asset, sum(leg.amount for leg in mine if leg.amount > 0), again)


def _joined(pieces: Iterable[_Piece]) -> list[_Piece]:
    """Pieces of one leg that touch are one: a circle does not make ever more of them."""
    joined: list[_Piece] = []
    for piece in sorted(pieces, key=lambda one: (one.leg.account, one.leg.version, one.low)):
        last = joined[-1] if joined else None
        if last and last.leg == piece.leg and last.high == piece.low:
            joined[-1] = _Piece(last.leg, last.low, piece.high)
        else:
            joined.append(piece)
    return joined


def _told(
    session: Session, walk: _Walk, transfer_id: UUID, asset: str, amount: int, again: set[tuple[int, UUID, UUID, UUID]]
) -> Trace:
    passed = {account for _depth, _transfer, source, destination in walk.hops for account in (source, destination)}
    accounts = passed | {key[0] for key in walk.ends}
    name = func.coalesce(Member.display_name, func.nullif(Account.label, ""), Account.purpose)
    people = select(Account.id, name).join(Member, Member.id == Account.member_id, isouter=True)
    names = dict(session.execute(people.where(Account.id.in_(accounts))).tuples().all())
    made = select(Transfer).where(Transfer.id.in_({hop[1] for hop in walk.hops}))
    transfers = {one.id: one for one in session.scalars(made)}
    hops = [
        Hop(
            depth=depth,
            transfer_id=moved,
            kind=transfers[moved].kind,
            at=transfers[moved].recorded_at,
            source=source,
            source_name=names[source],
            destination=destination,
            destination_name=names[destination],
            amount=units,
            again=(depth, moved, source, destination) in again,
        )
        for (depth, moved, source, destination), units in walk.hops.items()
    ]
    ends = [
        End(account=account, name=names[account], amount=units, why=why) for (account, why), units in walk.ends.items()
    ]
    return Trace(
        transfer_id=transfer_id,
        direction=walk.direction,
        asset=asset,
        scale=session.get_one(Asset, asset).scale,
        amount=amount,
        hops=sorted(hops, key=lambda hop: (hop.depth, hop.at, hop.transfer_id.int)),
        ends=sorted(ends, key=lambda end: (-end.amount, end.account)),
    )
