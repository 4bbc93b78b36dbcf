"""A small house: funded members, and helpers that read the ledger afresh."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from core.actor import Actor
from core.ids import new_id
from core.members.models import Member
from core.platform import Platform
from plugins.wallet import service
from tests.conftest import Client, Cluster, test_config

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


@pytest.fixture(scope="session")
def town(cluster: Cluster) -> Iterator[Platform]:
    """One database for all tests that commit and look at nothing but their own rows; a file makes it its platform."""
    platform = Platform(test_config(), cluster.fresh("town"), cluster.redis_url)
    platform.database.pool_timeout = 60.0
    yield platform
    platform.database.dispose()


@pytest.fixture(scope="session")
def town_app(town: Platform) -> Any:
    from app import create_app

    made = create_app(town)
    made.testing = True
    return made


@pytest.fixture
def clients(app: Any, platform: Platform) -> Callable[..., Client]:
    """Makes clients that are signed in with roles, each as a member of its own."""

    def make(*roles: str) -> Client:
        client = Client(app, platform)
        client.member = client.sign_in(*roles, email=f"{new_id()}@example.org")
        return client

    return make


@pytest.fixture
def me(platform, clients):
    """A signed-in member with 100 points: (client, member id, account id)."""
    client = clients("User")
    member = client.member.id
    with platform.unit_of_work(SYSTEM) as session:
        account = service.open_account(session, asset="POINTS", member_id=member)
        service.issue(session, SYSTEM, destination=account, amount=100, reason="welcome")
    return client, member, account


@pytest.fixture
def friend(platform):
    with platform.unit_of_work(SYSTEM) as session:
        return new_member(session, "Grace")
