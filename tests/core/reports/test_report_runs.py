"""How a report runs: read only, within its time, on the replica where there is one; the core's own tell what is so."""

from __future__ import annotations

import random
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from statistics import median
from typing import Any

import pytest
from psycopg.errors import ReadOnlySqlTransaction
from sqlalchemy import insert, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from core.actor import Actor
from core.errors import NotFound, PermissionMissing
from core.events.models import Delivery, EventRow
from core.loader import load
from core.members.models import Member
from core.platform import Platform
from core.platform_settings import PlatformSettings
from core.plugin import Permission, Plugin
from core.reports.errors import ParameterInvalid, ReportTooSlow
from core.reports.period import Period
from core.reports.report import Chart, Parameter, Report, ReportColumn
from core.reports.run import run
from core.reviews.models import Review
from core.settings import write
from guildhall import new_id
from tests.conftest import test_config
from tests.core.workshop import Shop

SYSTEM = Actor.system("test")
JANUARY = Period(date(2026, 1, 1), date(2026, 1, 31))
WHO = text("SELECT pg_backend_pid(), current_setting('transaction_read_only')")


def nap(session: Session, _period: Period, _parameters: Mapping[str, str]) -> Any:
    return session.execute(text("SELECT 1 FROM pg_sleep(30)")).all()


def scribble(session: Session, _period: Period, _parameters: Mapping[str, str]) -> Any:
    session.execute(text("INSERT INTO core_setting VALUES ('core', 'scribbled', '1')"))
    return []


def witness(session: Session, _period: Period, parameters: Mapping[str, str]) -> Any:
    return [(*session.execute(WHO).one(), parameters["colour"])]


COLUMNS = (ReportColumn(name="pid", label="Process", kind="integer"), ReportColumn(name="mode", label="Mode"))
odd = Plugin(
    "odd",
    version="1",
    label="Odd",
    permissions=[Permission("odd:thing:list", "See odd things")],
    reports=[
        Report(name="nap", label="Nap", permission="odd:thing:list", columns=COLUMNS, load=nap),
        Report(name="scribble", label="Scribble", permission="odd:thing:list", columns=COLUMNS, load=scribble),
        Report(
            name="witness",
            label="Witness",
            permission="odd:thing:list",
            columns=(*COLUMNS, ReportColumn(name="colour", label="Colour")),
            load=witness,
            parameters=[
                Parameter(name="colour", label="Colour", choices=lambda _s: [("red", "Red"), ("blue", "Blue")])
            ],
        ),
    ],
)


@pytest.fixture
def platform(shop: Shop) -> Platform:
    made = shop.open(odd)
    shop.clear(made)
    return made


def test_a_report_that_takes_too_long_is_stopped_and_the_session_goes_on(platform: Platform) -> None:
    with platform.unit_of_work(SYSTEM) as session:
        write(session, SYSTEM, PlatformSettings, {"report_seconds": 1})
    platform.registry.cache.forget()
    with platform.unit_of_work(SYSTEM) as session:
        with pytest.raises(ReportTooSlow) as refused:
            run(session, SYSTEM, "odd.nap", JANUARY)
        assert "longer than 1 seconds" in refused.value.message
        assert session.scalar(text("SHOW statement_timeout")) == "0"
        session.execute(text("INSERT INTO core_setting VALUES ('core', 'after', '1')"))


def test_a_report_cannot_write(platform: Platform) -> None:
    with platform.unit_of_work(SYSTEM) as session:
        with pytest.raises(DBAPIError) as refused:
            run(session, SYSTEM, "odd.scribble", JANUARY)
        assert isinstance(refused.value.orig, ReadOnlySqlTransaction)
        assert session.scalar(text("SHOW transaction_read_only")) == "off"
        assert not session.scalar(text("SELECT count(*) FROM core_setting WHERE name = 'scribbled'"))


def test_it_reads_where_it_is_asked_unless_there_is_a_replica(shop: Shop, platform: Platform) -> None:
    with platform.unit_of_work(SYSTEM) as session:
        mine = session.scalar(text("SELECT pg_backend_pid()"))
        assert run(session, SYSTEM, "odd.witness", JANUARY).rows == [(mine, "on", "red")]
    copy = shop.open(odd, replica_url=shop.url)
    with copy.unit_of_work(SYSTEM) as session:
        mine = session.scalar(text("SELECT pg_backend_pid()"))
        [(other, mode, colour)] = run(session, SYSTEM, "odd.witness", JANUARY, {"colour": "blue"}).rows
    assert other != mine and (mode, colour) == ("on", "blue")
    assert copy.replica is not None
    copy.replica.dispose()


def test_a_replica_that_is_gone_is_passed_over(shop: Shop) -> None:
    gone = shop.open(odd, replica_url="postgresql+psycopg://nobody@127.0.0.1:1/nothing")
    with gone.unit_of_work(SYSTEM) as session:
        assert run(session, SYSTEM, "odd.witness", JANUARY).rows[0][1] == "on"


def test_what_is_not_there_or_not_allowed_is_refused(platform: Platform) -> None:
    nobody = Actor(kind="member", name="Amina")
    with platform.unit_of_work(SYSTEM) as session:
        with pytest.raises(PermissionMissing):
            run(session, nobody, "odd.witness", JANUARY)
        with pytest.raises(NotFound):
            run(session, SYSTEM, "odd.nothing", JANUARY)
        for wrong in ({"colour": "green"}, {"size": "1"}):
            with pytest.raises(ParameterInvalid):
                run(session, SYSTEM, "odd.witness", JANUARY, wrong)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"name": "Bad Name"}, "not a lower-case slug"),
        ({"permission": "odd:thing:dream"}, "which nothing declares"),
        ({"columns": (COLUMNS[0], COLUMNS[0])}, "two columns called pid"),
        ({"chart": Chart(kind="bar", x="pid", series=["wishes"])}, "draws columns that it does not have: wishes"),
    ],
)
def test_a_report_that_cannot_be_is_refused_at_the_start(changes: dict[str, Any], problem: str) -> None:
    about = {"name": "wrong", "label": "", "permission": "odd:thing:list", "columns": COLUMNS, "load": nap, **changes}
    bad = Plugin(
        "odd", version="1", label="", permissions=[Permission("odd:thing:list", "")], reports=[Report(**about)]
    )
    from core.manifest import core

    _registry, found = load(test_config(safe_mode=True), core, [bad])
    assert problem in found[0].reason


def test_new_members_are_counted_by_the_day_they_joined(session: Session) -> None:
    chance = random.Random(1)
    people = [
        Member(
            id=new_id(),
            display_name="Amina",
            joined_at=datetime(2025, 12, 20, tzinfo=UTC) + timedelta(minutes=chance.randrange(50 * 1440)),
            status=chance.choice(["active", "active", "suspended"]),
        )
        for _ in range(60)
    ]
    session.add_all(people)
    session.flush()
    told = run(session, SYSTEM, "core.new_members", JANUARY, compare=True)
    expected = [
        (
            day,
            len(mine := [one for one in people if one.joined_at.date() == day]),
            sum(one.status == "active" for one in mine),
        )
        for day in JANUARY.steps
    ]
    assert list(told.rows) == expected
    assert told.before is not None
    earlier = sum(one.joined_at < JANUARY.since for one in people)
    assert told.before.totals["joined"] == earlier
    assert told.change("joined") == round((told.totals["joined"] - earlier) * 100 / earlier, 1)


def test_decisions_and_the_hours_they_took(session: Session) -> None:
    chance = random.Random(2)
    cases = []
    for _ in range(50):
        opened = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=chance.randrange(40 * 1440))
        cases.append(
            Review(
                id=new_id(),
                kind=chance.choice(["wallet.adjustment", "gone.kind"]),
                subject_id=str(new_id()),
                title="A case",
                state=chance.choice(["approved", "rejected", "withdrawn"]),
                opened_at=opened,
                due_at=opened + timedelta(hours=24),
                decided_at=opened + timedelta(minutes=chance.randrange(1, 4000)),
                correlation_id=new_id(),
            )
        )
    session.add_all(cases)
    session.flush()
    told = {row[0]: row for row in run(session, SYSTEM, "core.reviews_decided", JANUARY).rows}
    for kind in ("wallet.adjustment", "gone.kind"):
        mine = [
            one
            for one in cases
            if one.kind == kind and one.state != "withdrawn" and JANUARY.since <= one.decided_at < JANUARY.until
        ]
        hours = [(one.decided_at - one.opened_at).total_seconds() / 3600 for one in mine]
        row = told[kind]
        states = [sum(one.state == state for one in mine) for state in ("approved", "rejected")]
        assert list(row[2:6]) == [len(mine), *states, sum(one.decided_at > one.due_at for one in mine)]
        assert abs(float(row[6]) - median(hours)) <= 0.051 and abs(float(row[7]) - max(hours)) <= 0.051
        assert isinstance(row[6], Decimal)


def test_deliveries_and_failures(session: Session) -> None:
    chance = random.Random(4)
    event = new_id()
    at = JANUARY.since
    session.execute(
        insert(EventRow).values(
            id=event, name="x.y.z", version=1, payload={}, occurred_at=at, actor_kind="system", correlation_id=new_id()
        )
    )
    rows = []
    for number in range(80):
        state, ended = chance.choice(["done", "dead", "pending"]), at + timedelta(hours=chance.randrange(-48, 900))
        rows.append(
            {
                "event_id": event,
                "subscriber": f"s.{number % 3}.{number}" if number > 60 else f"s.{number % 3}",
                "due_at": at,
                "state": state,
                "attempts": chance.randrange(4),
                "done_at": ended if state == "done" else None,
                "failed_at": ended if state == "dead" else None,
            }
        )
    unique = list({row["subscriber"]: row for row in rows if row["state"] != "pending"}.values())
    session.execute(insert(Delivery), unique)
    told = {row[0]: row[1:] for row in run(session, SYSTEM, "core.deliveries", JANUARY).rows}
    for row in unique:
        ended = row["done_at"] or row["failed_at"]
        inside = JANUARY.since <= ended < JANUARY.until
        done = int(row["state"] == "done")
        counts = (1, done, 1 - done, int(row["attempts"] > 1))
        assert told.get(row["subscriber"]) == (counts if inside else None)
