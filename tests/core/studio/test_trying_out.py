"""A design is tried out in a process of its own: pages and SQL are seen, and nothing of it is left anywhere."""

from __future__ import annotations

import os
import signal
import sys
import zipfile
from io import BytesIO
from typing import Any

import pytest

from core.db.base import metadata
from core.studio.errors import BenchFailed, DesignUnusable, NameTaken
from tests.core.studio.conftest import ROOM, Desk


def shown(desk: Desk, name: str, resource: str, page: str, content: str = ROOM, **about: str) -> str:
    draft = desk.draft(name, content)
    return desk.studio.preview(draft, resource, page, **{"locale": "en", "theme": "light", **about})


def test_list_form_and_record_are_drawn_by_the_generated_pages(desk: Desk) -> None:
    rooms = shown(desk, "seen", "room", "list")
    assert "Called 1" in rooms and "Called 5" in rooms and 'placeholder="Search by called…"' in rooms
    bookings = shown(desk, "seen", "booking", "list")
    assert "gh-state is-wait" in bookings and "Asked" in bookings
    form = shown(desk, "seen", "booking", "form")
    assert '<option value="granted"' in form and 'type="date"' in form
    assert "Called 1" in shown(desk, "seen", "room", "record", theme="dark")
    assert "<script" not in rooms + bookings + form and "gh-side" not in rooms


def test_nothing_of_a_design_stays_in_this_process_or_in_the_database(desk: Desk) -> None:
    shown(desk, "ghost", "room", "list")
    desk.studio.plan(desk.draft("ghost"))
    assert not [one for one in metadata.tables if one.startswith("ghost_")]
    assert not [one for one in sys.modules if one.partition(".")[0] == "ghost"]
    assert desk.tables("ghost") == set() and desk.revisions("ghost") == []
    assert not (desk.folder / "ghost").exists() and "ghost" not in desk.platform.registry.plugins


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("to: room", "to: cellar", "cellar"),
        ("type: integer", "type: number", "number"),
        ("seats:", "__class__:", "class"),
        ("label: Reading room", "label: [", "YAML"),
    ],
    ids=["reference", "type", "name", "yaml"],
)
def test_a_broken_design_is_refused_before_it_is_tried(desk: Desk, old: str, new: str, said: str) -> None:
    with pytest.raises(DesignUnusable) as refused:
        shown(desk, "broken", "room", "list", ROOM.replace(old, new))
    assert said in str(refused.value.details)


def test_a_design_that_cannot_be_loaded_is_told_and_the_next_one_goes_on(desk: Desk) -> None:
    with pytest.raises(BenchFailed, match="html"):  # a package of Python's own
        shown(desk, "html", "room", "list")
    assert "Called 1" in shown(desk, "after", "room", "list")


def test_a_child_that_is_killed_is_started_again(desk: Desk) -> None:
    desk.studio.plan(desk.draft("first"))
    child: Any = desk.studio.bench._child
    os.kill(child._process.pid, signal.SIGKILL)
    child._process.wait()
    assert desk.studio.plan(desk.draft("second")).revision == "second_0001"


def test_the_plan_of_a_new_plugin_is_all_its_tables_and_the_same_each_time(desk: Desk) -> None:
    first, second = (desk.studio.plan(desk.draft("twice")) for _ in range(2))
    assert "CREATE TABLE twice_room" in first.sql and "CREATE TABLE twice_booking" in first.sql
    assert "CREATE INDEX ix_twice_room_name_search" in first.sql
    assert "CONSTRAINT ck_twice_booking_asked_granted_refused CHECK" in first.sql
    assert first.advice == [] and first.losses == []
    assert sorted(first.files) == [
        "README.md",
        "migrations/twice_0001_first_tables.py",
        "plugin.yaml",
        "translations/messages.pot",
    ]
    assert first.files == second.files and first.digest == second.digest
    draft = desk.draft("twice")
    archives = [desk.studio.package(draft, plan) for plan in (first, second)]
    assert archives[0] == archives[1]
    with zipfile.ZipFile(BytesIO(archives[0])) as archive:
        assert archive.read("twice/plugin.yaml").decode() == draft.text
        assert 'msgid "Called"' in archive.read("twice/translations/messages.pot").decode()


def test_tables_that_a_plugin_left_behind_are_not_taken_over(desk: Desk) -> None:
    with desk.platform.database.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE left_over_thing (id integer)")
    with pytest.raises(NameTaken, match="left_over_thing"):
        desk.studio.plan(desk.draft("left_over"))
