"""Studio's pages: for admins alone, with a fresh password to write, and a frame that can do nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from tests.core.doors import Person
from tests.core.studio.conftest import Desk
from tests.core.studio.test_design_text import form_of
from tests.core.studio.test_writing_designs import written


@pytest.fixture
def studio(web: Flask, desk: Desk) -> Iterator[Desk]:
    """The desk, in place of the site's own Studio."""
    before = web.extensions["guildhall.studio"]
    web.extensions["guildhall.studio"] = desk.studio
    yield desk
    web.extensions["guildhall.studio"] = before


@pytest.fixture
def admin(people: Callable[..., Person], studio: Desk) -> Person:
    return people("Admin", browser=True)


def begin(admin: Person, name: str) -> str:
    """The address of a new design."""
    answer = admin.send("/admin/studio/new", label="Reading room", name=name)
    assert answer.status_code == 303, answer.text
    return str(answer.location)


def keep(admin: Person, address: str, body: dict[str, Any]) -> Any:
    return admin.post(address, body, headers={"X-CSRFToken": admin.csrf, "Accept": "application/json"})


def mark_of(admin: Person, address: str) -> str:
    found = re.search(r'data-mark="(\w+)"', admin.get(address).text)
    assert found
    return found[1]


def test_nobody_but_an_admin_designs(people: Callable[..., Person], studio: Desk) -> None:
    draft = studio.draft("secret")
    for path in ("", f"/{draft.id}", f"/{draft.id}/changes", f"/{draft.id}/download", f"/{draft.id}/preview/room/list"):
        assert people("Moderator", browser=True).get(f"/admin/studio{path}").status_code == 403
        assert people().get(f"/admin/studio{path}").status_code == 302
    moderator = people("Moderator", browser=True)
    for path in ("new", "open", f"{draft.id}/write", f"{draft.id}/delete", "unfinished/secret/finish"):
        assert moderator.send(f"/admin/studio/{path}").status_code == 403
    assert keep(moderator, f"/admin/studio/{draft.id}", {"mark": draft.mark, "text": "x"}).status_code == 403
    assert studio.studio.drafts.get(draft.id) == draft


def test_a_design_begins_is_kept_and_is_there_again(admin: Person) -> None:
    address = begin(admin, "reading_room")
    mark = mark_of(admin, address)
    text = 'name: reading_room\nversion: "1.0"\nlabel: Library\nresources:\n  book: {fields: {title: {type: text}}}\n'
    answer = keep(admin, address, {"mark": mark, "text": text, "draw": True}).json
    assert answer["mistakes"] == [] and answer["resources"] == ["book"] and 'value="Library"' in answer["form"]
    assert "Library" in admin.get(address).text and "Library" in admin.get("/admin/studio").text
    form = form_of(text)
    form["resources"][0]["fields"][0].update(name="heading", label="<b>Heading")
    answer = keep(admin, address, {"mark": answer["mark"], "form": form, "draw": True}).json
    assert "heading: {type: text, label: <b>Heading}" in answer["text"]
    assert "<b>Heading" not in answer["form"] and "&lt;b&gt;Heading" in answer["form"]


def test_who_saw_an_older_text_is_told_and_loses_nothing(admin: Person) -> None:
    address = begin(admin, "shared")
    mark = mark_of(admin, address)
    assert keep(admin, address, {"mark": mark, "text": "name: a"}).status_code == 200
    late = keep(admin, address, {"mark": mark, "text": "name: b"})
    assert late.status_code == 409 and late.json["error"]["code"] == "STUDIO_DRAFT_CHANGED"
    for body in ({}, [], {"mark": 3}, {"mark": "x", "form": {"name": []}}, {"mark": mark}, {"mark": "", "text": 7}):
        assert keep(admin, address, body).status_code == 422  # type: ignore[arg-type]


def test_a_mistake_is_told_at_once_with_its_place(admin: Person) -> None:
    address = begin(admin, "mistaken")
    answer = keep(admin, address, {"mark": mark_of(admin, address), "text": "name: mistaken\nlabel: [\n", "draw": True})
    assert [one["line"] for one in answer.json["mistakes"]] == [3]
    assert "Mend it there" in answer.json["form"]
    page = admin.get(f"{address}/changes")
    assert page.status_code == 409 and "3:1" in page.text
    unseen = admin.get(f"{address}/preview/item/list")
    assert (unseen.status_code, "The design has mistakes." in unseen.text) == (200, True)


def test_the_frame_of_the_preview_runs_and_sends_nothing(admin: Person) -> None:
    address = begin(admin, "framed")
    answer = admin.get(f"{address}/preview/item/form?theme=dark")
    assert answer.status_code == 200 and 'data-bs-theme="dark"' in answer.text and "<script" not in answer.text
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "frame-ancestors 'self'" in policy and "sandbox" in policy
    assert "form-action 'none'" in policy and answer.headers["X-Frame-Options"] == "SAMEORIGIN"
    assert admin.get(f"{address}/preview/item/other").status_code == 404
    assert admin.get(f"{address}/preview/nothing/list").status_code == 503


def test_what_it_would_do_is_shown_and_handed_out(admin: Person) -> None:
    address = begin(admin, "handed")
    page = admin.get(f"{address}/changes").text
    assert "CREATE TABLE handed_item" in page and "Nothing in it disturbs what runs." in page
    archive = admin.get(f"{address}/download")
    assert archive.mimetype == "application/zip" and archive.data == admin.get(f"{address}/download").data


def test_writing_asks_for_the_password_again(
    admin: Person, studio: Desk, site: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = begin(admin, "confirmed")
    shown = re.search(r'name="digest" value="(\w+)"', admin.get(f"{address}/changes").text)
    assert shown
    monkeypatch.setattr("core.actor.STEP_UP_LIFETIME", timedelta(seconds=-1))
    refused = admin.send(f"{address}/write", digest=shown[1])
    assert refused.status_code == 303 and "/confirm" in refused.location
    assert not (studio.folder / "confirmed").exists()
    monkeypatch.undo()
    assert admin.send(f"{address}/write", digest=shown[1]).location.endswith("/changes")
    assert studio.tables("confirmed") == {"confirmed_item"}
    page = admin.get(f"{address}/changes").text
    assert "Start Guildhall again" in page and "systemctl restart" in page
    assert "confirmed" in admin.get("/admin/studio").text


def test_other_names_and_what_goes_are_said_and_the_name_is_asked_for(admin: Person, studio: Desk) -> None:
    draft = written(studio, "typed")
    with studio.platform.database.engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO typed_room (id, name, seats) VALUES (uuidv7(), 'A', 3)")
    address = f"/admin/studio/{draft.id}"
    form = form_of(draft.text)
    [name, _seats] = form["resources"][0]["fields"]
    name["name"] = "called"
    form["resources"][0]["fields"] = [name]
    kept = keep(admin, address, {"mark": draft.mark, "form": form, "draw": True}).json
    assert "was: name" in kept["text"] and "Called name until it is written" in kept["form"]
    page = admin.get(f"{address}/changes").text
    assert "<code>room.name</code> → <code>room.called</code>" in page and "1 row holds a value" in page
    shown = re.search(r'name="digest" value="(\w+)"', page)
    assert shown
    admin.send(f"{address}/write", digest=shown[1], losses="seats")
    assert "Type each name to say that you know" in admin.get(f"{address}/changes").text
    assert studio.columns("typed_room") == {"id", "name", "seats"}
    admin.send(f"{address}/write", digest=shown[1], losses=" room.seats ")
    assert studio.columns("typed_room") == {"id", "called"}
