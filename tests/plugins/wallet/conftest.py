"""A small house: funded members, and helpers that read the ledger afresh."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from core.actor import Actor
from core.ids import new_id
from core.members.models import Member
from plugins.wallet import service

SYSTEM = Actor.system("test")


def new_member(session: Session, name: str = "Ada") -> UUID:
    member = Member(id=new_id(), display_name=name)
    session.add(member)
    session.flush()
    return member.id


def new_wallet(session: Session, amount: int = 0, asset: str = "POINTS") -> UUID:
    """A new member's wallet that holds ``amount``."""
    account = service.open_account(session, asset=asset, member_id=new_member(session))
    if amount:
        service.issue(session, SYSTEM, destination=account, amount=amount, reason="test")
    return account


def balance(session: Session, account: UUID) -> int:
    return int(session.scalar(text("SELECT posted FROM wallet_account WHERE id = :id"), {"id": account}))


def count(session: Session, table: str) -> int:
    return int(session.scalar(text(f"SELECT count(*) FROM {table}")) or 0)


@pytest.fixture
def wallet(session: Session) -> Callable[..., UUID]:
    """Make wallets in the rolled-back session."""
    return lambda amount=0, asset="POINTS": new_wallet(session, amount, asset)


@pytest.fixture
def me(platform, clients):
    """A signed-in member with 100 points: (client, member id, account id)."""
    client = clients("User")
    with platform.unit_of_work(SYSTEM) as session:
        member = session.scalar(text("SELECT id FROM core_member WHERE email = 'user0@example.org'"))
        account = service.open_account(session, asset="POINTS", member_id=member)
        service.issue(session, SYSTEM, destination=account, amount=100, reason="welcome")
    return client, member, account


@pytest.fixture
def friend(platform):
    with platform.unit_of_work(SYSTEM) as session:
        return new_member(session, "Grace")
