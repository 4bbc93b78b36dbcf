"""A field or a resource under another name keeps what it holds: the revision renames, up and down, and says so."""

from __future__ import annotations

import json
from typing import Any

import pytest
from sqlalchemy import text

from core.actor import Actor
from core.db import migrate
from core.db.branch import Branch
from core.studio.drafts import Draft
from core.studio.errors import DesignUnusable, LossNotAccepted
from core.studio.merging import merged
from core.studio.service import Loss
from core.studio.writing import write
from core.yamlplugin.source import parse
from tests.core.studio.conftest import Desk
from tests.core.studio.test_design_text import field_of, form_of
from tests.core.studio.test_writing_designs import put, written

CLUB = """name: {name}
version: 0.1.0
label: Club
resources:
  room:
    title: name
    order: opened_on
    unique_together: [[name, floor]]
    fields:
      name: {{type: text, required: true, search: true, translated: true}}
      about: {{type: long_text, search: true, translated: true}}
      floor: {{type: integer, unique: true}}
      new: {{type: choice, values: [new, old], default: new, required: true}}
      opened_on: {{type: date, required: true}}
  booking:
    fields:
      room: {{type: reference, to: room, required: true}}
      kind: {{type: choice, values: [a, b], default: a, required: true}}
      other_kind: {{type: choice, values: [a, b]}}
"""
CHANGED = """name: {name}
version: 0.1.0
label: Club
resources:
  hall:
    was: room
    title: title
    order: opened
    unique_together: [[title, storey]]
    fields:
      title: {{was: name, type: text, required: true, search: true, translated: true, max_length: 200}}
      summary: {{was: about, type: long_text, search: true, translated: true}}
      storey: {{was: floor, type: integer, unique: true}}
      state: {{was: new, type: choice, values: [new, old], default: new, required: true}}
      opened: {{was: opened_on, type: date, required: true}}
  booking:
    fields:
      hall: {{was: room, type: reference, to: hall, required: true}}
      kind: {{type: choice, values: [a, b], default: a, required: true}}
      another_kind: {{was: other_kind, type: choice, values: [a, b]}}
"""
NAMES = """
    SELECT conname FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid WHERE relname LIKE :like
    UNION SELECT indexname FROM pg_indexes WHERE tablename LIKE :like
"""


def query(desk: Desk, sql: str, **values: Any) -> list[Any]:
    with desk.platform.database.engine.begin() as connection:
        return list(connection.execute(text(sql), values).scalars())


def names(desk: Desk, name: str) -> set[str]:
    return set(query(desk, NAMES, like=f"{name}\\_%"))


def filled(desk: Desk, name: str) -> Draft:
    """A club that was written, with a room and a booking."""
    draft = desk.draft(name, CLUB)
    put(desk, draft)
    with desk.platform.database.engine.begin() as connection:
        columns = "(id, name, about, floor, opened_on, translations)"
        values = "(uuidv7(), 'Red', 'Big and red', 2, '2030-01-01', CAST(:texts AS jsonb))"
        texts = {"fr": {"name": "Rouge", "about": "Grande"}, "de": {"about": "Rot"}}
        insert = text(f"INSERT INTO {name}_room {columns} VALUES {values} RETURNING id")
        room = connection.scalar(insert, {"texts": json.dumps(texts)})
        connection.execute(text(f"INSERT INTO {name}_booking (id, room) VALUES (uuidv7(), :room)"), {"room": room})
        connection.execute(text(f"INSERT INTO {name}_room (id, name, opened_on) VALUES (uuidv7(), 'B', '2030-01-01')"))
    return desk.studio.drafts.get(draft.id)


def rewritten(desk: Desk, draft: Draft, content: str) -> Draft:
    return desk.studio.drafts.save(draft.id, content, draft.mark)


def test_rows_stay_and_every_name_follows_up_and_down(desk: Desk) -> None:
    draft = filled(desk, "renamed")
    before = names(desk, "renamed")
    draft = rewritten(desk, draft, CHANGED.format(name="renamed"))
    plan = desk.studio.plan(draft)
    assert plan.losses == []
    assert ("room", "hall") in plan.renamed and ("room.floor", "hall.storey") in plan.renamed
    assert "ALTER TABLE renamed_room RENAME TO renamed_hall" in plan.sql
    assert "ALTER TABLE renamed_hall RENAME COLUMN floor TO storey" in plan.sql
    assert "DROP" not in plan.sql and "CREATE" not in plan.sql and "ADD" not in plan.sql
    assert "ALTER COLUMN title TYPE VARCHAR(200)" in plan.sql  # what else differs is compared as ever
    assert {"TABLE_RENAMED", "COLUMN_RENAMED", "TYPE_CHANGED"} == {one["code"] for one in plan.advice}
    write(desk.studio, Actor.system(), draft, plan.digest)
    assert desk.tables("renamed") == {"renamed_hall", "renamed_booking"}
    [row] = query(desk, "SELECT to_jsonb(one) FROM renamed_hall AS one WHERE storey = 2")
    assert (row["title"], row["summary"], row["state"]) == ("Red", "Big and red", "new")
    assert row["translations"] == {"fr": {"title": "Rouge", "summary": "Grande"}, "de": {"summary": "Rot"}}
    assert query(desk, "SELECT title FROM renamed_booking JOIN renamed_hall h ON h.id = hall") == ["Red"]
    moved = names(desk, "renamed")
    assert len(moved) == len(before)
    assert not [one for one in moved if "renamed_room" in one or "_floor" in one or "_about" in one]
    assert {
        "ix_renamed_hall_title_search",
        "ix_renamed_hall_summary_words",
        "ix_renamed_hall_opened",
        "uq_renamed_hall_storey",
        "uq_renamed_hall_title_storey",
        "fk_renamed_booking_hall_renamed_hall",
        "ix_renamed_booking_hall",
        "pk_renamed_hall",
        "ck_renamed_booking_another_kind_values",
        "renamed_hall_opened_not_null",
    } <= moved
    assert desk.studio.plan(desk.studio.drafts.get(draft.id)).sql == ""
    alembic(desk, "renamed", "downgrade", "renamed_0001")
    assert names(desk, "renamed") == before
    [row] = query(desk, "SELECT to_jsonb(one) FROM renamed_room AS one WHERE floor = 2")
    assert (row["name"], row["translations"]["fr"]) == ("Red", {"name": "Rouge", "about": "Grande"})
    alembic(desk, "renamed", "upgrade", "renamed_0002")
    assert names(desk, "renamed") == moved


def alembic(desk: Desk, name: str, way: str, revision: str) -> None:
    """Undo the revisions after one of them, or apply them again."""
    from alembic import command

    branch = Branch(name, desk.folder / name / "migrations")
    others = [one for one in desk.platform.branches if one.name != name]
    others += [Branch(one, folder) for one, folder in desk.studio.besides(name).items()]
    with migrate._engine(desk.platform.database.url).connect() as connection:
        getattr(command, way)(migrate.settings([migrate.CORE, *others, branch], connection), revision)
        connection.commit()


def test_the_form_makes_it_a_rename_until_it_is_written(desk: Desk) -> None:
    draft = filled(desk, "formed")

    def entered(resource: int, **fields: str) -> None:
        nonlocal draft
        form = form_of(draft.text)
        for was, name in fields.items():
            field_of(form, resource, was)["name"] = name
        changed = merged(draft.text, form, {}, desk.studio.known("formed"))
        draft = rewritten(desk, draft, changed)

    entered(0, floor="level")
    entered(0, level="storey", name="title")  # on the way to another name
    room = parse(draft.text).value["resources"]["room"]
    assert room["fields"]["storey"] == {"type": "integer", "unique": True, "was": "floor"}
    assert room["unique_together"] == [["title", "storey"]] and room["title"] == "title"
    assert desk.studio.plan(draft).renamed == [("room.name", "room.title"), ("room.floor", "room.storey")]
    entered(0, title="name")
    assert "was" not in parse(draft.text).value["resources"]["room"]["fields"]["name"]
    form = form_of(draft.text)
    form["resources"][0]["name"] = "hall"
    draft = rewritten(desk, draft, merged(draft.text, form, {}, desk.studio.known("formed")))
    said = parse(draft.text).value["resources"]
    assert (said["hall"]["was"], said["booking"]["fields"]["room"]["to"]) == ("room", "hall")
    put(desk, draft)
    assert query(desk, "SELECT storey FROM formed_hall WHERE name = 'Red'") == [2]
    draft = desk.studio.drafts.get(draft.id)
    entered(0, storey="storey")
    assert "was" not in draft.text  # it is written, so it is over
    assert desk.studio.plan(draft).sql == ""


def test_what_is_translated_only_from_now_on_is_renamed_as_well(desk: Desk) -> None:
    draft = written(desk, "spoken")
    query(desk, "INSERT INTO spoken_room (id, name, seats) VALUES (uuidv7(), 'A', 3) RETURNING id")
    draft = desk.redraft(draft, "name: {type: text,", "called: {type: text, translated: true, was: name,")
    put(desk, desk.redraft(draft, "title: name", "title: called"))
    assert query(desk, "SELECT called || translations::text FROM spoken_room") == ["A{}"]


def test_of_a_design_that_was_never_written_nothing_is_renamed(desk: Desk) -> None:
    text = CLUB.format(name="fresh")
    form = form_of(text)
    field_of(form, 0, "floor")["name"] = "storey"
    form["resources"][0]["name"] = "hall"
    assert "was" not in merged(text, form, {}, desk.studio.known(""))


def test_what_goes_says_how_many_rows_hold_a_value_and_wants_its_name(desk: Desk) -> None:
    draft = filled(desk, "going")
    gone = draft.text.replace("      floor: {type: integer, unique: true}\n", "").replace("[[name, floor]]", "[[name]]")
    gone = gone[: gone.index("  booking:")]
    draft = rewritten(desk, draft, gone)
    assert sorted(desk.studio.plan(draft).losses, key=str) == [Loss("booking", 1), Loss("room.floor", 1)]
    with pytest.raises(LossNotAccepted, match="booking"):
        put(desk, draft, losses=["room.floor"])
    assert "going_booking" in desk.tables("going") and "floor" in desk.columns("going_room")
    put(desk, draft, losses=["booking", "room.floor"])
    assert desk.tables("going") == {"going_room"}
    draft = desk.studio.drafts.get(draft.id)
    draft = rewritten(desk, draft, draft.text.replace("opened_on:", "used: {type: date}\n      opened_on:"))
    put(desk, draft)
    draft = desk.studio.drafts.get(draft.id)
    draft = rewritten(desk, draft, draft.text.replace("used: {type: date}\n      ", ""))
    assert desk.studio.plan(draft).losses == [Loss("room.used", 0)]
    put(desk, draft)  # nothing was held, so nobody is asked


def test_a_value_that_comes_after_the_plan_was_shown_is_not_deleted(desk: Desk) -> None:
    draft = written(desk, "late")
    draft = desk.redraft(draft, "seats: {type: integer, required: true, default: 4}", "rows: {type: integer}")
    plan = desk.studio.plan(draft)
    assert plan.losses == [Loss("room.seats", 0)]
    query(desk, "INSERT INTO late_room (id, name, seats) VALUES (uuidv7(), 'A', 3) RETURNING id")
    with pytest.raises(LossNotAccepted):
        write(desk.studio, Actor.system(), draft, plan.digest)
    assert query(desk, "SELECT seats FROM late_room") == [3]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("about:", "about_it: {type: text, was: floor}\n      about:", "floor is here as well; take `was` away"),
        (
            "about: {",
            "one: {type: text, was: gone}\n      two: {type: text, was: gone}\n      about: {",
            "one was called gone already",
        ),
        ("  booking:", "  hall: {was: room, fields: {x: {type: date}}}\n  booking:", "room is here as well"),
    ],
    ids=["field", "twice", "resource"],
)
def test_a_former_name_that_cannot_be_one_is_told(desk: Desk, old: str, new: str, said: str) -> None:
    draft = desk.draft("odd_names", CLUB)
    draft = desk.redraft(draft, old, new)
    with pytest.raises(DesignUnusable) as refused:
        desk.studio.plan(draft)
    assert said in str(refused.value.details)
