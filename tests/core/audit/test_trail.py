"""Changes of a declared resource write themselves into the trail; the database refuses to change it."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Identity, String, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Mapped, mapped_column

from core.actor import Actor
from core.audit.models import AuditRow
from core.audit.reading import shown
from core.audit.seal import seal, verify
from core.audit.trail import MASK, digest, plain, record
from core.db.base import Count, Id, Model, ShortText, metadata
from core.platform import Platform
from core.plugin import Plugin
from core.resources.resource import Resource
from guildhall import new_id

AMINA = Actor(kind="member", name="Amina", member_id=new_id(), ip="192.0.2.7", request_id="request-1")


class Safe(Model):
    __tablename__ = "vault_safe"

    id: Mapped[Id]
    label: Mapped[ShortText]
    shelf: Mapped[Count] = mapped_column(default=3)
    code: Mapped[str | None] = mapped_column(String(40), info={"secret": True})
    owner: Mapped[str | None] = mapped_column(String(40), info={"pii": True})
    seen: Mapped[int] = mapped_column(default=0, info={"audit": False})


class Key(Model):
    """Its primary key is text, and is not called id."""

    __tablename__ = "vault_key"

    name: Mapped[str] = mapped_column(String(40), primary_key=True)
    teeth: Mapped[int]


class Door(Model):
    """The database numbers it."""

    __tablename__ = "vault_door"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    label: Mapped[ShortText]


class Sand(Model):
    __tablename__ = "vault_sand"

    id: Mapped[Id]
    label: Mapped[ShortText]


TABLES: list[Any] = [model.__table__ for model in (Safe, Key, Door, Sand)]
VAULT = Plugin(
    "vault",
    version="1",
    label="",
    resources=[Resource(Safe), Resource(Key, order="name"), Resource(Door), Resource(Sand, audit=False)],
)


@pytest.fixture(scope="module")
def vault(shop: Any) -> Platform:
    platform: Platform = shop.open(VAULT)
    metadata.create_all(platform.database.engine, tables=TABLES)
    return platform


class Trail:
    """What one test adds to the trail."""

    def __init__(self, platform: Platform) -> None:
        self.platform = platform
        with platform.unit_of_work() as session:
            self.before = set(session.scalars(select(AuditRow.id)))

    def rows(self) -> list[AuditRow]:
        with self.platform.unit_of_work() as session:
            return [row for row in session.scalars(select(AuditRow).order_by(AuditRow.id)) if row.id not in self.before]

    def row(self) -> AuditRow:
        [row] = self.rows()
        return row


@pytest.fixture
def trail(vault: Platform) -> Trail:
    return Trail(vault)


def add(vault: Platform, item: Any, actor: Actor | None = AMINA) -> Any:
    with vault.unit_of_work(actor) as session:
        session.add(item)
    return item


def test_a_creation_tells_what_who_and_whence(vault: Platform, trail: Trail) -> None:
    safe = add(vault, Safe(label="north"))
    row = trail.row()
    assert (row.action, row.subject_type, row.subject_id) == ("vault.safe.created", "vault.safe", str(safe.id))
    assert row.changes == {"id": [None, str(safe.id)], "label": [None, "north"], "shelf": [None, 3]}
    assert (row.actor_kind, row.actor_id, row.actor_name) == ("member", AMINA.member_id, "")
    assert (row.request_id, row.correlation_id) == ("request-1", AMINA.correlation_id)
    assert "192.0.2.7" not in (row.ip or "")
    with vault.unit_of_work() as session:
        assert [one.ip for one in shown(session, Actor.system("test"), [row])] == ["192.0.2.7"]


def test_a_change_tells_before_and_after_of_what_differs(vault: Platform) -> None:
    safe = add(vault, Safe(label="north"))
    trail = Trail(vault)
    with vault.unit_of_work(AMINA) as session:
        found = session.get_one(Safe, safe.id)
        found.label, found.shelf = "south", 3
    row = trail.row()
    assert (row.action, row.subject_id, row.changes) == (
        "vault.safe.updated", str(safe.id), {"label": ["north", "south"]},
    )  # fmt: skip


def test_a_change_that_changes_nothing_is_not_told(vault: Platform) -> None:
    safe = add(vault, Safe(label="north"))
    trail = Trail(vault)
    with vault.unit_of_work(AMINA) as session:
        session.get_one(Safe, safe.id).label = "north"
    assert trail.rows() == []


def test_a_deletion_tells_what_was_there(vault: Platform) -> None:
    safe = add(vault, Safe(label="north"))
    trail = Trail(vault)
    with vault.unit_of_work(AMINA) as session:
        session.delete(session.get_one(Safe, safe.id))
    row = trail.row()
    assert (row.action, row.subject_id) == ("vault.safe.deleted", str(safe.id))
    assert row.changes["label"] == ["north", None]


def test_each_flush_tells_its_own_part(vault: Platform, trail: Trail) -> None:
    with vault.unit_of_work(AMINA) as session:
        safe = Safe(label="north")
        session.add(safe)
        session.flush()
        safe.label = "south"
        session.flush()
        session.delete(safe)
    assert [row.action.rpartition(".")[2] for row in trail.rows()] == ["created", "updated", "deleted"]


def test_secrets_and_personal_values_are_masked(vault: Platform, trail: Trail) -> None:
    safe = add(vault, Safe(label="north", code="1234", owner="Amina"))
    with vault.unit_of_work(AMINA) as session:
        session.get_one(Safe, safe.id).code = "9876"
    with vault.unit_of_work(AMINA) as session:
        session.delete(session.get_one(Safe, safe.id))
    rows = trail.rows()
    assert [row.changes.get("code") for row in rows] == [[MASK, MASK]] * 3
    assert rows[0].changes["owner"] == [MASK, MASK]
    written = " ".join(str(row.changes) for row in rows)
    assert not any(secret in written for secret in ("1234", "9876", "Amina"))


def test_columns_marked_so_are_left_out(vault: Platform) -> None:
    safe = add(vault, Safe(label="north"))
    trail = Trail(vault)
    with vault.unit_of_work(AMINA) as session:
        session.get_one(Safe, safe.id).seen = 5
    assert trail.rows() == []


def test_a_text_key_names_its_record(vault: Platform, trail: Trail) -> None:
    add(vault, Key(name="gold", teeth=3))
    with vault.unit_of_work(AMINA) as session:
        session.get_one(Key, "gold").teeth = 4
    with vault.unit_of_work(AMINA) as session:
        session.delete(session.get_one(Key, "gold"))
    assert [row.subject_id for row in trail.rows()] == ["gold"] * 3


def test_a_key_made_by_the_database_names_its_record(vault: Platform, trail: Trail) -> None:
    door = add(vault, Door(label="front"))
    assert trail.row().subject_id == str(door.id)
    assert trail.row().changes["id"] == [None, door.id]


def test_a_resource_may_do_without(vault: Platform, trail: Trail) -> None:
    add(vault, Sand(label="dune"))
    assert trail.rows() == []


def test_what_is_rolled_back_was_never_told(vault: Platform, trail: Trail) -> None:
    with pytest.raises(RuntimeError), vault.unit_of_work(AMINA) as session:
        session.add(Safe(label="north"))
        session.flush()
        raise RuntimeError
    assert trail.rows() == []


def test_who_changes_something_namelessly_is_told_as_unknown(vault: Platform, trail: Trail) -> None:
    with vault.unit_of_work() as session:
        session.add(Safe(label="north"))
        session.add(Key(name="nameless", teeth=1))
    rows = trail.rows()
    assert [(row.actor_kind, row.actor_name, row.actor_id) for row in rows] == [("system", "unknown", None)] * 2
    assert len({row.correlation_id for row in rows}) == 1


def test_an_act_is_told_with_its_reason(vault: Platform, trail: Trail) -> None:
    with vault.unit_of_work(AMINA) as session:
        record(session, AMINA, "vault.alarm.rung", subject_type="vault", subject_id=7, reason="drill")
    row = trail.row()
    assert (row.action, row.subject_id, row.reason, row.changes) == ("vault.alarm.rung", "7", "drill", {})


VALUES = [
    None, True, 0, -1, 10**30, 0.1, 1.0, 1e16, 1e22, -0.0, 1e-7, 2.5e300, "", "ü \"quoted\" \\ 💥", "\u2028",
    Decimal("1.10"), datetime(2031, 5, 1, 12, 0, 0, 5, UTC), UUID(int=7), b"\x00\xff", {"b": [1, {"a": 2.0}], "a": ()},
    {1: "one"}, frozenset({3}), float("inf"), float("nan"),
]  # fmt: skip


@pytest.mark.parametrize("value", VALUES, ids=repr)
def test_any_value_is_read_back_with_the_digest_it_was_written_with(vault: Platform, trail: Trail, value: Any) -> None:
    with vault.unit_of_work(AMINA) as session:
        record(session, AMINA, "vault.x.done", subject_type="x", subject_id=1, changes={"value": [None, value]})
    assert digest(trail.row()) == trail.row().digest


def test_plain_values_are_json() -> None:
    key = UUID(int=1)
    assert plain({key: [Decimal("1.50"), datetime(2031, 1, 1, tzinfo=UTC)]}) == {
        str(key): ["1.50", "2031-01-01T00:00:00Z"]
    }


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE core_audit SET reason = 'other'",
        "DELETE FROM core_audit",
        "TRUNCATE core_audit CASCADE",
        "UPDATE core_audit_seal SET seq = 99",
        "DELETE FROM core_audit_seal",
        "TRUNCATE core_audit_seal",
    ],
)
def test_the_database_refuses_to_change_the_trail(vault: Platform, statement: str) -> None:
    with pytest.raises(DBAPIError, match="is append-only"), vault.unit_of_work() as session:
        session.execute(text(statement))


def test_a_written_trail_can_be_sealed_and_holds(vault: Platform) -> None:
    add(vault, Safe(label="north", code="1"))
    with vault.unit_of_work() as session:
        while seal(session):
            pass
    with vault.unit_of_work() as session:
        assert verify(session).problems == ()
