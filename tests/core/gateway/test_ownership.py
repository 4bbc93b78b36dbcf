"""Every resource with an owner, asked for one's own record, another's, and one that is not: pages and REST alike."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from core import access
from core.clock import now
from core.ids import new_id
from core.platform import Platform
from core.resources.resource import BoundResource
from tests.core.doors import Person

DRAWN = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}|nonce=\"[^\"]+|I[jm][\w.-]{40,}")
ROLES = ("", "User", "Moderator", "Admin")


@pytest.fixture(scope="module")
def owned(site: Platform) -> list[BoundResource]:
    found = [bound for bound in site.registry.resources.values() if bound.resource.owner]
    assert len(found) >= 5
    return found


def value(session: Session, column: Any) -> Any:
    """Something that a column without a default takes: what it refers to where there is any, else made up."""
    for reference in column.foreign_keys:
        if (there := session.scalar(sa.select(reference.column).limit(1))) is not None:
            return there
    kind = column.type
    for check in column.table.constraints:
        words = f"{column.name} IN "
        if isinstance(check, sa.CheckConstraint) and (found := re.search(words + r"\('(\w+)'", str(check.sqltext))):
            return found[1]
    if isinstance(kind, sa.Uuid):
        return new_id()
    if isinstance(kind, sa.String):
        return new_id().hex[: kind.length or 32]
    if isinstance(kind, (sa.DateTime, sa.Date)):
        return now()
    if isinstance(kind, sa.Boolean):
        return False
    return {} if isinstance(kind, sa.JSON) else 1


@pytest.fixture
def put(site: Platform) -> Callable[[BoundResource, Person], str]:
    """Puts a record of a person into a table, past services and constraints between tables."""

    def insert(bound: BoundResource, person: Person) -> str:
        table = bound.resource.model.__table__
        columns = bound.resource.columns_of_model
        with site.unit_of_work() as session:
            session.execute(sa.text("SET LOCAL session_replication_role = replica"))
            row = {
                column.name: value(session, column)
                for column in table.columns
                if not column.nullable and column.default is None and column.server_default is None
            }
            row |= {columns[bound.resource.owner or ""].name: person.id, columns[bound.resource.key].name: new_id()}
            key = session.execute(sa.insert(table).values(row).returning(*table.primary_key)).scalar_one()
        return str(key)

    return insert


def told(answer: Any) -> tuple[int, str]:
    """Status and body, without what differs between two answers by itself."""
    return answer.status_code, DRAWN.sub("", answer.text)


def ways(bound: BoundResource) -> list[tuple[str, str, str]]:
    """(action, method, address with a place for the key) of every route to one record."""
    rest = f"/api/v1/{bound.plugin.replace('_', '-')}/{bound.path}/{{}}"
    page = f"/admin/{bound.plugin.replace('_', '-')}/{bound.name.replace('_', '-')}"
    wanted = [("show", "GET", rest), ("update", "PATCH", rest), ("delete", "DELETE", rest)]
    wanted = wanted if bound.resource.rest else []
    if not bound.resource.page:
        wanted.append(("show", "GET", f"{page}/show/{{}}"))
    wanted += [("update", "GET", f"{page}/edit/{{}}"), ("delete", "POST", f"{page}/delete/{{}}")]
    return [way for way in wanted if way[0] in bound.resource.actions]


@pytest.mark.parametrize("role", ROLES)
def test_own_and_others_records(
    site: Platform, owned: list[BoundResource], people: Callable[..., Person], put: Any, role: str
) -> None:
    me, other = people(role), people("")
    wrong = {}
    for bound in owned:
        for action, method, address in ways(bound):
            may = me_can(site, role, bound.permission(action))
            own, foreign = put(bound, me), put(bound, other)
            keys = {"own": own, "foreign": foreign, "random": str(new_id())}
            asked = {who: me.open(method, address.format(key), **body(method)) for who, key in keys.items()}
            reads = action == "show"
            expected = {
                "own": (403,) if not may and not reads else (200, 204, 302),
                "foreign": (404 if reads else 403,) if not may else (200, 204, 302),
                "random": (404,) if may or reads else (403,),
            }
            for who, answer in asked.items():
                if answer.status_code not in expected[who]:
                    wrong[f"{who} {method} {address}"] = answer.status
            if not may and told(asked["foreign"]) != told(asked["random"]):
                wrong[f"differs {method} {address}"] = asked["foreign"].text
    assert wrong == {}


def test_who_is_not_signed_in_learns_nothing_of_any(
    owned: list[BoundResource], people: Callable[..., Person], put: Any
) -> None:
    nobody, somebody = people(), people("")
    for bound in owned:
        for _action, method, address in ways(bound):
            given = body(method)
            if method == "POST":
                given = {"headers": {"X-CSRFToken": nobody.csrf}}
            there, nowhere = (
                nobody.open(method, address.format(key), **given) for key in (put(bound, somebody), new_id())
            )
            assert there.status_code == nowhere.status_code == (401 if address.startswith("/api") else 302)
            assert told(there) == told(nowhere)


@pytest.mark.parametrize("role", ["", "User"])
def test_a_list_counts_ones_own_alone(
    site: Platform, owned: list[BoundResource], people: Callable[..., Person], put: Any, role: str
) -> None:
    me, other = people(role), people("")
    for bound in owned:
        if me_can(site, role, bound.permission("list")):
            continue
        mine = {put(bound, me), put(bound, me)}
        foreign = put(bound, other)
        if bound.resource.rest and "list" in bound.resource.actions:
            rows = me.get(f"/api/v1/{bound.plugin.replace('_', '-')}/{bound.path}").json["data"]
            assert {str(row[bound.resource.key]) for row in rows} == mine
        page = me.get(f"/admin/{bound.plugin.replace('_', '-')}/{bound.name.replace('_', '-')}/list/").text
        assert foreign not in page
        assert bound.resource.page or all(key in page for key in mine), bound.key


def me_can(site: Platform, role: str, permission: str) -> bool:
    """Whether ``role`` grants ``permission`` in this installation."""
    with site.unit_of_work() as session:
        return permission in access.grants(session).get(role, ())


def body(method: str) -> dict[str, Any]:
    return {"body": {}} if method == "PATCH" else {}
