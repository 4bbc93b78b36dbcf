"""Accounts by what they are and how they stand, for who watches over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session

from guildhall import Member

from .models import Account, Asset
from .queries import Balance, balances_where

COUNTED = 10_000  # where counting ends


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which accounts; what is None or empty is not asked. Balances are in the asset's smallest unit, and both ends are
    included; of ``moved_since`` and ``moved_until`` the first. ``whose``: members or house; ``name`` begins the
    member's name.
    """

    asset: str = ""
    state: str = ""
    whose: str = ""
    name: str = ""
    least: int | None = None
    most: int | None = None
    moved_since: datetime | None = None
    moved_until: datetime | None = None

    @property
    def conditions(self) -> list[ColumnElement[bool]]:
        found: list[ColumnElement[bool]] = []
        if self.asset:
            found.append(Account.asset == self.asset)
        if self.state:
            found.append(Account.state == self.state)
        if self.whose == "house":
            found.append(Account.member_id.is_(None))
        if self.whose == "members":
            found.append(Account.member_id.is_not(None))
        if self.name:
            found.append(func.lower(Member.display_name).startswith(self.name.lower(), autoescape=True))
        if self.least is not None:
            found.append(Account.posted >= self.least)
        if self.most is not None:
            found.append(Account.posted <= self.most)
        if self.moved_since is not None:
            found.append(Account.moved_at >= self.moved_since)
        if self.moved_until is not None:
            found.append(Account.moved_at < self.moved_until)
        return found


@dataclass(frozen=True, kw_only=True)
class Sum:
    """What the accounts that were found hold of an asset."""

    asset: str
    scale: int
    accounts: int
    posted: int
    held: int


def accounts(session: Session, which: Filter, *, after: UUID | None = None, limit: int = 50) -> list[Balance]:
    """Accounts of a filter, the newest first; ``after`` is the id of the last one seen."""
    conditions = which.conditions
    if after is not None:
        conditions.append(Account.id < after)
    return balances_where(session, *conditions, order=Account.id.desc(), limit=limit)


def sums(session: Session, which: Filter) -> Sequence[Sum]:
    """How many accounts a filter finds and what they hold, by asset: of the newest ``COUNTED`` of them."""
    found = select(Account.asset, Account.posted, Account.held).join(
        Member, Member.id == Account.member_id, isouter=True
    )
    some = found.where(*which.conditions).order_by(Account.id.desc()).limit(COUNTED).subquery()
    query = (
        select(some.c.asset, Asset.scale, func.count(), func.sum(some.c.posted), func.sum(some.c.held))
        .join(Asset, Asset.code == some.c.asset)
        .group_by(some.c.asset, Asset.scale)
        .order_by(some.c.asset)
    )
    return [
        Sum(asset=asset, scale=scale, accounts=count, posted=int(posted), held=int(held))
        for asset, scale, count, posted, held in session.execute(query).tuples()
    ]
