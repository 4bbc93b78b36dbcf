"""Writing a design: all of it or nothing, whoever is quicker, wherever it stops, and never more than was shown."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import text

from core.actor import Actor
from core.db import migrate
from core.errors import DomainError, NotFound
from core.studio import writing
from core.studio.drafts import Draft
from core.studio.errors import (
    Busy,
    FolderChanged,
    FolderUnwritable,
    LossNotAccepted,
    NameTaken,
    NotMigrated,
    PlanChanged,
    StudioOff,
    Unfinished,
)
from core.studio.service import Loss, Plan, Studio
from core.studio.writing import finish, take_back, unfinished, write
from tests.conftest import test_config
from tests.core.studio.conftest import Desk

ADMIN = Actor.system("admin")


class Killed(BaseException):
    """The process ends here."""


def written(desk: Desk, name: str) -> Draft:
    """A plugin that was written; its draft as it is then."""
    draft = desk.draft(name)
    put(desk, draft)
    return desk.studio.drafts.get(draft.id)


def put(desk: Desk, draft: Draft, *, losses: Sequence[str] = ()) -> Plan:
    return write(desk.studio, ADMIN, draft, desk.studio.plan(draft).digest, losses=losses)


def nothing_is_left(desk: Desk, name: str) -> None:
    assert not (desk.folder / name).exists()
    assert desk.tables(name) == set() and desk.revisions(name) == []
    assert unfinished(desk.studio) == [] and not list((desk.folder / ".studio").iterdir())


def test_files_tables_and_trail_are_there_and_the_process_knows_nothing_of_it(desk: Desk) -> None:
    draft = desk.draft("whole")
    plan = put(desk, draft)
    folder = desk.folder / "whole"
    assert {path: (folder / path).read_text() for path in plan.files} == plan.files
    assert desk.tables("whole") == {"whole_room", "whole_booking"} and desk.revisions("whole") == ["whole_0001"]
    assert desk.audited("whole") == ["write_begun", "written"]
    assert "whole" not in desk.platform.registry.plugins and "whole" in desk.studio.waiting()
    assert desk.studio.drafts.get(draft.id).plugin == "whole" and unfinished(desk.studio) == []
    assert desk.studio.plan(desk.studio.drafts.get(draft.id)).sql == ""


def test_a_change_adds_a_revision_and_says_what_would_be_lost(desk: Desk) -> None:
    draft = written(desk, "grown")
    with desk.platform.database.engine.begin() as connection:
        row = "INSERT INTO grown_room (id, name, seats) VALUES (uuidv7(), 'A', 3)"
        connection.exec_driver_sql(row)
    draft = desk.redraft(draft, "seats: {type: integer, required: true, default: 4}", "floor: {type: integer}")
    draft = desk.redraft(draft, "[asked, granted, refused]", "[asked, granted, refused, late]")
    plan = desk.studio.plan(draft)
    assert (
        plan.losses == [Loss("room.seats", 1)]
        and plan.renamed == []
        and "ADD COLUMN floor" in plan.sql
        and "'late'" in plan.sql
    )
    assert sorted(plan.files) == ["migrations/grown_0002_changes.py", "plugin.yaml"]
    for typed in ([], ["seats"], ["room.seat"]):
        with pytest.raises(LossNotAccepted, match=r"in room\.seats"):
            put(desk, draft, losses=typed)
    put(desk, draft, losses=["room.seats"])
    assert desk.columns("grown_room") == {"id", "name", "floor"}
    with desk.platform.database.engine.begin() as connection:
        checks = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'grown_booking'::regclass"
        assert any("'late'" in one for one in connection.scalars(text(f"{checks} AND contype = 'c'")))


def test_what_changes_no_table_needs_no_revision(desk: Desk) -> None:
    draft = desk.redraft(written(desk, "calm"), "label: Reading room", "label: Quiet room")
    plan = put(desk, draft)
    assert plan.sql == "" and sorted(plan.files) == ["plugin.yaml"]
    assert "Quiet room" in (desk.folder / "calm" / "plugin.yaml").read_text()
    assert desk.revisions("calm") == ["calm_0001"]


@pytest.mark.parametrize(
    ("place", "way"),
    [
        ("before the files", "finish"),
        ("between the files", "take back"),
        ("before the migration", "finish"),
        ("before the migration", "take back"),
        ("after the migration", "take back"),
    ],
)
def test_wherever_the_process_ends_it_can_be_finished_or_taken_back(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, place: str, way: str
) -> None:
    name = f"{way[:4]}_{place.replace('the ', '').replace(' ', '_')}".replace(" ", "")
    draft = desk.redraft(written(desk, name), "seats: {", "size: {type: integer}\n      seats: {")
    before = (desk.folder / name / "plugin.yaml").read_bytes()
    real: Any = {"_put_in_place": writing._put_in_place, "_lay": writing._lay, "upgrade": migrate.upgrade_branch}

    def stop(*_arguments: Any, **_named: Any) -> Any:
        raise Killed

    def stop_at_the_second(path: Any, content: bytes) -> None:
        if path == desk.folder / name / "plugin.yaml":
            raise Killed
        real["_lay"](path, content)

    def stop_after(*arguments: Any) -> Any:
        real["upgrade"](*arguments)
        raise Killed

    with monkeypatch.context() as patched:
        if place == "before the files":
            patched.setattr(writing, "_put_in_place", stop)
        elif place == "between the files":
            patched.setattr(writing, "_lay", stop_at_the_second)
        else:
            patched.setattr(migrate, "upgrade_branch", stop if place == "before the migration" else stop_after)
        with pytest.raises(Killed):
            put(desk, draft)
    assert [one.name for one in unfinished(desk.studio)] == [name]
    with pytest.raises(Unfinished):
        write(desk.studio, ADMIN, desk.draft("meanwhile"), "")
    if way == "take back" and place != "after the migration":
        take_back(desk.studio, ADMIN, name)
        assert (desk.folder / name / "plugin.yaml").read_bytes() == before
        assert desk.revisions(name) == [f"{name}_0001"] and "size" not in desk.columns(f"{name}_room")
        assert len(list((desk.folder / name / "migrations").glob("*.py"))) == 1
    elif way == "take back":
        with pytest.raises(NotMigrated, match="applied already"):
            take_back(desk.studio, ADMIN, name)
        finish(desk.studio, ADMIN, name)
    else:
        finish(desk.studio, ADMIN, name)
        assert b"size: {" in (desk.folder / name / "plugin.yaml").read_bytes()
        assert desk.revisions(name) == [f"{name}_0002"] and "size" in desk.columns(f"{name}_room")
    assert unfinished(desk.studio) == []
    with pytest.raises(NotFound):
        finish(desk.studio, ADMIN, name)


def test_a_new_plugin_that_stopped_before_its_migration_is_taken_back_whole(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_arguments: Any) -> Any:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(migrate, "upgrade_branch", stop)
        with pytest.raises(Killed):
            put(desk, desk.draft("undone"))
    assert (desk.folder / "undone" / "plugin.yaml").exists()
    take_back(desk.studio, ADMIN, "undone")
    nothing_is_left(desk, "undone")


def test_a_migration_that_fails_leaves_nothing(desk: Desk) -> None:
    draft = desk.draft("failing")
    digest = desk.studio.plan(draft).digest
    with desk.platform.database.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TYPE failing_room AS (a integer)")  # takes the name of a table
    with pytest.raises(NotMigrated, match="failing_room"):
        write(desk.studio, ADMIN, draft, digest)
    nothing_is_left(desk, "failing")
    assert desk.audited("failing") == ["write_begun", "write_failed"]


def test_a_change_that_fails_brings_the_former_text_back(desk: Desk) -> None:
    draft = written(desk, "strict")
    with desk.platform.database.engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO strict_room (id, name, seats) VALUES (uuidv7(), 'A', 3)")
    before = (desk.folder / "strict" / "plugin.yaml").read_bytes()
    draft = desk.redraft(draft, "seats: {", "size: {type: integer, required: true}\n      seats: {")
    assert [one["code"] for one in desk.studio.plan(draft).advice] == ["COLUMN_REQUIRED"]
    with pytest.raises(NotMigrated, match="size"):
        put(desk, draft)
    assert (desk.folder / "strict" / "plugin.yaml").read_bytes() == before
    assert [one.name for one in (desk.folder / "strict" / "migrations").glob("*.py")] == ["strict_0001_first_tables.py"]


def test_of_two_admins_at_once_one_writes_and_the_other_is_told(desk: Desk) -> None:
    drafts = [desk.draft("raced") for _ in range(2)]
    digests = [desk.studio.plan(one).digest for one in drafts]

    def attempt(number: int) -> str:
        try:
            write(desk.studio, ADMIN, drafts[number], digests[number])
        except (Busy, NameTaken, DomainError) as problem:
            return problem.code
        return "written"

    with ThreadPoolExecutor(2) as threads:
        outcomes = sorted(threads.map(attempt, range(2)))
    assert outcomes[1] == "written" and outcomes[0] in ("STUDIO_BUSY", "STUDIO_NAME_TAKEN", "STUDIO_DESIGN_UNUSABLE")
    assert desk.tables("raced") == {"raced_room", "raced_booking"} and unfinished(desk.studio) == []


def test_a_folder_that_somebody_else_made_is_never_touched(desk: Desk) -> None:
    draft = desk.draft("theirs")
    digest = desk.studio.plan(draft).digest
    (desk.folder / "theirs").mkdir()
    (desk.folder / "theirs" / "notes.txt").write_text("mine")
    with pytest.raises(NameTaken):
        write(desk.studio, ADMIN, draft, digest)
    assert [one.name for one in (desk.folder / "theirs").iterdir()] == ["notes.txt"]
    assert desk.tables("theirs") == set()


def test_a_file_that_was_changed_meanwhile_is_never_overwritten(desk: Desk) -> None:
    draft = desk.redraft(written(desk, "edited"), "label: Reading room", "label: Mine")
    path = desk.folder / "edited" / "plugin.yaml"
    path.write_text(path.read_text().replace("label: Reading room", "label: Theirs"))
    with pytest.raises(FolderChanged, match=r"plugin\.yaml"):
        put(desk, draft)
    assert "label: Theirs" in path.read_text()


def test_only_what_was_shown_is_written(desk: Desk) -> None:
    draft = desk.draft("other_plan")
    seen = desk.studio.plan(draft).digest
    draft = desk.redraft(draft, "seats", "chairs")
    with pytest.raises(PlanChanged):
        write(desk.studio, ADMIN, draft, seen)
    assert not (desk.folder / "other_plan").exists()


def test_a_disk_that_refuses_half_way_leaves_nothing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: Any) -> Any:
        raise OSError(errno.EROFS, "Read-only file system")

    draft = desk.draft("readonly")
    digest = desk.studio.plan(draft).digest
    with monkeypatch.context() as patched:
        patched.setattr(writing.os, "rename", refuse)
        with pytest.raises(FolderUnwritable, match="Read-only"):
            write(desk.studio, ADMIN, draft, digest)
    nothing_is_left(desk, "readonly")


def test_it_is_off_until_the_operator_allows_it(desk: Desk) -> None:
    draft = desk.draft("off")
    off = Studio(desk.platform)
    config = desk.platform.config
    desk.platform.config = test_config(home=config.home, plugin_path=config.plugin_path)
    try:
        with pytest.raises(StudioOff):
            write(off, ADMIN, draft, "")
    finally:
        desk.platform.config = config
    assert not test_config().studio and not (desk.folder / "off").exists()


def test_a_plugin_that_stopped_without_a_plan_does_not_count(desk: Desk) -> None:
    folder = desk.folder / ".studio" / "begun"
    (folder / "after").mkdir(parents=True)
    assert unfinished(desk.studio) == []
    put(desk, desk.draft("begun"))
    assert not folder.exists()
