"""People, badges and shortcuts for tests of badges."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select
from sqlalchemy.orm import Session

from core.events.deliver import Deliverer
from core.platform import Platform
from guildhall import Actor, Member, new_id
from plugins.badges import Award, Badge, service
from plugins.badges.plan import plan
from plugins.badges.recalculation import count_anew, recalculate
from plugins.contributions import service as contributions
from tests.conftest import Cluster, test_config

Criteria = dict[str, Any]


def points(value: int) -> Criteria:
    return {"type": "points.threshold", "value": value}


def count(event: str, number: int = 1) -> Criteria:
    return {"type": "event.count", "event": event, "count": number}


def held(slug: str) -> Criteria:
    return {"type": "badge.held", "badge": slug}


def add_people(session: Session, number: int = 1, **values: Any) -> list[UUID]:
    """Write members into ``session``; returns their ids, sorted."""
    ids = sorted(new_id() for _ in range(number))
    session.add_all(Member(id=key, display_name=f"Member {n}", **values) for n, key in enumerate(ids))
    session.flush()
    return ids


def add_badge(session: Session, actor: Actor, slug: str, criteria: Criteria, **values: Any) -> Badge:
    return service.create_badge(session, actor, {"slug": slug, "name": slug, "criteria": criteria, **values})


def slugs(session: Session, member_id: UUID) -> set[str]:
    """Slugs of the badges that a member holds."""
    query = select(Badge.slug).join(Award, Award.badge_id == Badge.id)
    return set(session.scalars(query.where(Award.member_id == member_id, Award.revoked_at.is_(None))))


def recalculate_all(session: Session, actor: Actor) -> int:
    """Every step of a recalculation, one after the other in this session; returns how many awards are new."""
    made = 0
    for step in plan(session).steps:
        if step.counts:
            count_anew(session, *step.slugs, above=step.above, upto=step.upto)
        else:
            made += recalculate(session, actor, *step.slugs, above=step.above, upto=step.upto)
    return made


@pytest.fixture(scope="module")
def one_platform(cluster: Cluster) -> Iterator[Platform]:
    """Loaded once for a module."""
    made = Platform(test_config(), cluster.fresh("badges"), cluster.redis_url)
    made.database.pool_timeout = 60.0  # races run more threads than connections, perhaps on a loaded machine
    yield made
    made.database.dispose()


@pytest.fixture
def platform(one_platform: Platform, cluster: Cluster) -> Platform:
    """The module's platform on a database of the test's own, so that only the loading is shared."""
    one_platform.database.dispose()
    assert cluster.fresh("badges") == one_platform.database.url
    one_platform.registry.cache.forget()  # another database: nothing that was kept holds
    assert one_platform.bell is not None
    one_platform.bell.client.flushdb()
    return one_platform


@pytest.fixture(scope="module")
def one_app(one_platform: Platform) -> Any:
    """The web application, made once for a module."""
    from app import create_app

    made = create_app(one_platform)
    made.testing = True
    return made


@pytest.fixture
def app(one_app: Any, platform: Platform) -> Any:
    """The module's application on the test's database."""
    return one_app


@pytest.fixture
def people(platform: Platform, system: Actor) -> Callable[..., list[UUID]]:
    """Make members: ``people(3)`` returns their ids, sorted."""

    def make(number: int = 1, **values: Any) -> list[UUID]:
        with platform.unit_of_work(system) as session:
            return add_people(session, number, **values)

    return make


@pytest.fixture
def badge(platform: Platform, system: Actor) -> Callable[..., UUID]:
    """Make a badge: ``badge("slug", criteria, supply_limit=3)`` returns its id."""

    def make(slug: str, criteria: Criteria, **values: Any) -> UUID:
        with platform.unit_of_work(system) as session:
            return add_badge(session, system, slug, criteria, **values).id

    return make


@pytest.fixture
def contribute(platform: Platform, system: Actor) -> Callable[..., UUID]:
    """Record a contribution: ``contribute(member_id, "git.commit")`` returns its id."""

    def make(member_id: UUID, type: str, **values: Any) -> UUID:
        with platform.unit_of_work(system) as session:
            values = {"event_key": str(new_id()), **values}
            return contributions.record(session, system, member_id=member_id, type=type, **values).id

    return make


@pytest.fixture
def drain(platform: Platform) -> Callable[[], int]:
    """Deliver everything that is due."""
    return lambda: Deliverer(platform.database).drain()
