"""The trail can be searched and handed out, and tells that it was."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from core.actor import Actor
from core.audit import search as searching
from core.audit.models import AuditRow
from core.audit.search import COLUMNS, Search, export, lines
from core.audit.trail import record
from core.clock import frozen
from core.errors import Invalid, PermissionMissing
from core.platform import Platform
from guildhall import new_id

T0 = datetime(2031, 5, 1, 12, tzinfo=UTC)
AMINA = Actor(kind="member", name="Amina", member_id=new_id())
BO = Actor(kind="member", name="Bo 100%", member_id=new_id())
CLERK = Actor(kind="member", name="Clerk", permissions=frozenset({"core:audit:export"}))
MEMBER = "INSERT INTO core_member (id, display_name, joined_at) VALUES (:id, :name, now()) ON CONFLICT DO NOTHING"
ROWS = [
    (AMINA, "core.member.updated", "core.member", "1", T0),
    (AMINA, "core.member.deleted", "core.member", "2", T0 + timedelta(hours=12)),
    (BO, "wallet.transfer.created", "wallet.transfer", "1", T0 + timedelta(days=1)),
    (BO, "core_more.thing.done", "core_more.thing", "x y", T0 + timedelta(days=2)),
]


@pytest.fixture
def house(shop: Any) -> Platform:
    platform: Platform = shop.made[0] if shop.made else shop.open()
    with platform.database.engine.begin() as connection:
        connection.execute(text("SET LOCAL session_replication_role = replica"))
        connection.execute(text("TRUNCATE core_audit, core_audit_seal"))
        for actor in (AMINA, BO):
            values = {"id": actor.member_id, "name": actor.name}
            connection.execute(text(MEMBER), values)
    for actor, action, kind, key, at in ROWS:
        with platform.unit_of_work(actor) as session, frozen(at):
            record(session, actor, action, subject_type=kind, subject_id=key)
    return platform


def found(house: Platform, **fields: str) -> list[int]:
    """Which of the rows are found, by their place."""
    with house.unit_of_work() as session:
        actions = [row.action for row in session.scalars(Search(**fields).query().order_by(AuditRow.id))]
    return [number for number, row in enumerate(ROWS) if row[1] in actions]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, [0, 1, 2, 3]),
        ({"actor": "Am"}, [0, 1]),
        ({"actor": str(BO.member_id)}, [2, 3]),
        ({"actor": "%"}, []),
        ({"actor": "Bo 100%"}, [2, 3]),
        ({"action": "core."}, [0, 1]),
        ({"action": "core_"}, [3]),
        ({"action": "core.member.deleted"}, [1]),
        ({"subject": "core.member"}, [0, 1]),
        ({"subject": "1"}, [0, 2]),
        ({"subject": "wallet.transfer 1"}, [2]),
        ({"subject": "core_more.thing x y"}, [3]),
        ({"since": "2031-05-02"}, [1, 2, 3]),
        ({"until": "2031-05-01"}, [0]),
        ({"until": "2031-05-02"}, [0, 1, 2]),
        ({"since": "2031-05-01T12:00:01Z", "until": "2031-05-02T12:00:00+00:00"}, [1]),
        ({"actor": "Amina", "action": "core.member", "since": "2031-05-02"}, [1]),
    ],
)
def test_rows_are_found_by_who_what_on_what_and_when(
    house: Platform, fields: dict[str, str], expected: list[int]
) -> None:
    assert found(house, **fields) == expected


@pytest.mark.parametrize("given", ["yesterday", "2031-13-01", "9999-12-31", "2031-05-01T99"])
def test_a_time_that_is_none_is_refused(house: Platform, given: str) -> None:
    with pytest.raises(Invalid) as refused:
        found(house, until=given)
    assert refused.value.details == {"until": ["Give a day like 2031-05-01."]}


def handed_out(house: Platform, format: Any, **fields: str) -> str:
    return "".join(lines(house.unit_of_work, Search(**fields), format))


def test_json_lines_hold_every_column_oldest_first(house: Platform, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "CHUNK", 2)
    rows = [json.loads(line) for line in handed_out(house, "ndjson").splitlines()]
    assert [row["action"] for row in rows] == [row[1] for row in ROWS]
    assert set(rows[0]) == set(COLUMNS)
    assert (rows[0]["at"], rows[0]["actor_id"]) == ("2031-05-01T12:00:00Z", str(AMINA.member_id))
    assert len(rows[0]["digest"]) == 64


def test_csv_has_a_heading_and_a_row_each(house: Platform) -> None:
    rows = list(csv.DictReader(io.StringIO(handed_out(house, "csv", action="core.member"))))
    assert [row["subject_id"] for row in rows] == ["1", "2"]
    assert list(rows[0]) == list(COLUMNS)
    assert rows[0]["reason"] == ""


HOSTILE = ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "=cmd|' /C calc'!A0", "%0A=1"]


@pytest.mark.parametrize("cell", HOSTILE)
def test_no_cell_is_taken_for_a_formula(house: Platform, cell: str) -> None:
    with house.unit_of_work(AMINA) as session:
        record(session, AMINA, "evil.cell.made", subject_type=cell, subject_id=cell, reason=cell)
    [row] = csv.DictReader(io.StringIO(handed_out(house, "csv", action="evil"), newline=""))
    assert {row["subject_type"], row["subject_id"], row["reason"]} == {"'" + cell}
    [line] = handed_out(house, "ndjson", action="evil").splitlines()
    assert json.loads(line)["reason"] == cell


def test_an_export_is_itself_in_the_trail_and_needs_its_permission(house: Platform) -> None:
    with house.unit_of_work(CLERK) as session:
        export(session, CLERK, Search(action="core."), "csv")
    [row] = (json.loads(line) for line in handed_out(house, "ndjson", action="core.audit").splitlines())
    assert (row["action"], row["actor_name"]) == ("core.audit.exported", "Clerk")
    assert row["changes"] == {"format": [None, "csv"], "action": [None, "core."]}
    with pytest.raises(PermissionMissing), house.unit_of_work(AMINA) as session:
        export(session, AMINA, Search(), "csv")


def test_over_http_it_is_streamed_to_who_may(clients: Any, app: Any) -> None:
    admin, user = clients("Admin"), clients("User")
    given = admin.get("/admin/audit/export?format=csv&action=core.audit")
    assert (given.status_code, given.mimetype) == (200, "text/csv")
    assert given.headers["Content-Disposition"].startswith("attachment; filename=audit-")
    assert "core.audit.exported" in given.text
    lines = admin.get("/admin/audit/export?format=ndjson&action=core.audit").text.splitlines()
    assert [json.loads(line)["subject_id"] for line in lines] == ["csv", "ndjson"]
    assert user.get("/admin/audit/export").status_code == 403
    assert admin.get("/admin/audit/export?since=nonsense").status_code == 422


def test_the_page_searches_and_tells_of_a_time_that_is_none(clients: Any) -> None:
    admin = clients("Admin")
    assert admin.get("/admin/audit?action=core.nothing&since=2031-05-01").status_code == 200
    wrong = admin.get("/admin/audit?since=nonsense")
    assert wrong.status_code == 200
    assert "Give a day like 2031-05-01." in wrong.text
