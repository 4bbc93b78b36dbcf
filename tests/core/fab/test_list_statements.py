"""Every generated list takes at most six statements, whatever it is filtered and searched by."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from core.actor import Actor
from core.ids import new_id
from core.lists.conditions import kind_of, operators
from core.platform import Platform
from core.registry import Registry
from core.resources.resource import BoundResource
from plugins.badges.models import Award, Badge
from tests.core.doors import Person
from tests.core.fab.test_record_lists import counted

MOST = 6
SYSTEM = Actor.system("test")
VALUES = {"date": "2026-01-01", "bool": "y", "number": "1", "text": "a"}


def addresses(site: Platform, bound: BoundResource, me: str) -> list[str]:
    """The queries of a list: all of it, by search, by each operator of each filter, by all filters at once."""
    found = [
        "view=all",
        *(["q=ab"] if bound.resource.search else []),
        *(["deleted=yes"] if bound.resource.soft_delete else []),
    ]
    for key in bound.resource.filters:
        column: Any = bound.resource.columns_known[key]
        value = VALUES.get(kind_of(bound, key)) or (getattr(column.type, "enums", None) or ["a"])[0]
        for foreign in column.foreign_keys:
            with site.unit_of_work() as session:
                held = select(foreign.column).limit(1)
                member = foreign.column.table.name == "core_member"
                value = me if member else session.scalar(held) or (new_id() if kind_of(bound, key) != "choice" else "a")
        for number, one in enumerate(operators(bound, key)):
            found.append(f"_flt_{number}_{key}={'y' if one.code == 'empty' else value}")
    return [*found, "&".join(one for one in found if one.startswith("_flt_0_")) or "view=all"]


@pytest.fixture
def awarded(site: Platform, people: Callable[..., Person]) -> Person:
    """An admin who holds every badge."""
    admin = people("Admin", browser=True)
    with site.unit_of_work(SYSTEM) as session:
        for badge in session.scalars(select(Badge)):
            about = {"badge_version": badge.version, "facts": {}, "source": "manual"}
            session.add(Award(badge_id=badge.id, member_id=UUID(admin.id), **about))
    return admin


def test_no_list_takes_more_statements_than_six(site: Platform, awarded: Person) -> None:
    registry: Registry = site.registry
    seen, above = 0, []
    for bound in registry.resources.values():
        base = f"{bound.page_path}/list/"
        if "list" not in bound.resource.actions or awarded.get(f"{base}?view=all").status_code != 200:
            continue
        for query in addresses(site, bound, awarded.id):
            with counted(site) as statements:
                answer = awarded.get(f"{base}?{query}")
            seen += 1
            assert answer.status_code == 200, f"{base}?{query}"
            if len(statements) > MOST:
                above.append(
                    f"{bound.key} {query}: {len(statements)}\n  " + "\n  ".join(one[:160] for one in statements)
                )
    assert above == [], "\n".join(above)
    assert seen > 100
