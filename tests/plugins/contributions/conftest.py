"""People and shortcuts for tests of contributions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest

from core.platform import Platform
from guildhall import Actor, Member, new_id


@pytest.fixture
def people(platform: Platform, system: Actor) -> Callable[..., list[UUID]]:
    """Make members: ``people(3, time_zone="Asia/Tokyo")`` returns their ids."""

    def make(count: int = 1, **values: Any) -> list[UUID]:
        ids = sorted(new_id() for _ in range(count))
        with platform.unit_of_work(system) as session:
            session.add_all(Member(id=key, display_name=f"Member {n}", **values) for n, key in enumerate(ids))
        return ids

    return make
