"""A record that is deleted softly is out of everybody's sight, and comes back as it was, or goes for good."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import select, text

from core.actor import Actor
from core.audit.models import AuditRow
from core.clock import now
from core.files.models import StoredFile
from core.ids import new_id
from core.jobs.queue import enqueue
from core.jobs.run import run_next
from core.platform import Platform
from core.privacy.erase import erase_rows
from tests.core.doors import Person
from tests.core.imports.conftest import Desk as Importer
from tests.core.imports.conftest import written
from tests.core.resources.conftest import API, PAGES, article, asked, at_once, moved
from tests.core.resources.press import Article, Desk
from tests.core.resources.test_file_fields import cover

LISTS = "/admin/lists/press.article"
DESKS = "/api/v1/press/desks"


def gone(editor: Person, **values: Any) -> str:
    key: str = article(editor, **values)["id"]
    assert editor.delete(f"{API}/{key}").status_code == 204
    return key


def desk(editor: Person) -> str:
    return str(editor.post(DESKS, {"name": str(new_id())[-30:]}).json["data"]["id"])


def test_it_is_gone_at_every_door(editor: Person, admin: Person) -> None:
    place = desk(editor)
    key = gone(editor, title="Vanished 1", desk_id=place)
    for answer in (
        editor.get(f"{API}/{key}"),
        editor.patch(f"{API}/{key}", {"title": "Again"}),
        editor.delete(f"{API}/{key}"),
        editor.get(f"/api/v1/core/comments?resource=press.article&record_id={key}"),
        editor.post("/api/v1/core/comments", {"resource": "press.article", "record_id": key, "text": "Still here?"}),
        moved(editor, key, "review"),
        admin.get(f"{PAGES}/show/{key}"),
        admin.get(f"{PAGES}/edit/{key}"),
        admin.get(f"{PAGES}/deletion/{key}"),
        admin.get(f"{PAGES}/history/{key}"),
        admin.get(f"{PAGES}/comments/{key}"),
        admin.send(f"/admin/acts/press.article/review/{key}"),
        admin.send(f"{PAGES}/delete/{key}", reason="Twice"),
    ):
        assert answer.status_code == 404, answer.text[:300]
    assert editor.get(f"{API}?q=Vanished").json["data"] == []
    assert "Vanished 1" not in admin.get(f"{PAGES}/list/?q=Vanished").text
    assert admin.get("/admin/search?q=Vanished").json == []
    assert "Vanished 1" not in admin.get(f"/admin/press/desk/related/{place}/0").text
    assert "Vanished 1" not in admin.get(f"{LISTS}/export?format=csv").text
    found = asked(editor, f'{{ pressArticle(id: "{key}") {{ title }} pressArticles {{ edges {{ node {{ id }} }} }} }}')
    assert key not in str(found["data"]) and found["errors"][0]["extensions"]["code"] == "NOT_FOUND"


def test_work_on_many_passes_it_by(site: Platform, editor: Person, admin: Person) -> None:
    key = gone(editor, title="Still gone")
    for what in ({"what": "edit", "change": "likes", "likes": "9"}, {"what": "delete"}, {"what": "do-review"}):
        answer = admin.send(f"{LISTS}/bulk/run", run=str(new_id()), rowid=key, **what)
        assert answer.status_code == 422, what
        state = {"query": "deleted=yes"}  # a forged form that means the deleted ones
        admin.send(f"{LISTS}/bulk/run", run=str(new_id()), rowid=key, **what, **state)
    with site.unit_of_work() as session:
        found = session.get_one(Article, UUID(key))
        assert (found.likes, found.state, found.deleted_at is not None) == (0, "draft", True)


def test_who_may_delete_sees_and_restores_it(
    site: Platform, people: Callable[..., Person], editor: Person, admin: Person
) -> None:
    key = gone(editor, title="Back again")
    moderator, page = people("Moderator"), people("Moderator", browser=True)
    deleted = {row["id"]: row for row in editor.get(f"{API}?deleted=true&limit=200").json["data"]}
    one = editor.get(f"{API}/{key}?deleted=true").json["data"]
    assert one == deleted[key] and one["deleted_at"].endswith("Z") and one["title"] == "Back again"
    assert editor.get(f"{API}/{key}?deleted=false").status_code == editor.get(f"{API}/{key}").status_code == 404
    for way in (f"{API}?deleted=true", f"{API}/{key}?deleted=true"):
        assert moderator.get(way).status_code == 403
    assert moderator.post(f"{API}/{key}/restore", {}).status_code == 403
    assert page.get(f"{PAGES}/list/?deleted=yes").status_code == 403
    assert "deleted=yes" not in page.get(f"{PAGES}/list/").text
    assert page.get(f"{PAGES}/show/{key}?deleted=yes").status_code == 403
    listed = admin.get(f"{PAGES}/list/?deleted=yes&q=Back").text
    assert "Back again" in listed and "do-restore" in listed and "do-review" not in listed
    shown = admin.get(f"{PAGES}/show/{key}?deleted=yes").text
    assert "was deleted" in shown and f"/admin/acts/press.article/restore/{key}" in shown and "/edit/" not in shown
    assert admin.send(f"/admin/acts/press.article/restore/{key}").status_code == 303
    back = editor.get(f"{API}/{key}").json["data"]
    assert (back["title"], back["deleted_at"]) == ("Back again", None)
    assert editor.get(f"{API}/{key}?deleted=true").status_code == 404
    assert editor.patch(f"{API}/{key}", {"deleted_at": "2026-01-01T00:00:00Z"}).status_code == 422
    assert editor.post(f"{API}/{key}/restore", {}).status_code == 404
    with site.unit_of_work() as session:
        trail = session.scalars(select(AuditRow.action).where(AuditRow.subject_id == key).order_by(AuditRow.id))
        assert list(trail) == [f"press.article.{verb}" for verb in ("created", "deleted", "restored")]
        query = text("SELECT name FROM core_event WHERE payload->>'id' = :key ORDER BY id")
        told = [f"press.article.{verb}" for verb in ("created", "deleted", "restored")]
        assert list(session.scalars(query, {"key": key})) == told


def test_many_are_restored_from_the_list(editor: Person, admin: Person) -> None:
    keys = [gone(editor), gone(editor)]
    sent = {"what": "do-restore", "run": str(new_id()), "rowid": keys, "query": "deleted=yes"}
    assert admin.send(f"{LISTS}/bulk/run", **sent).status_code == 303
    assert [editor.get(f"{API}/{key}").status_code for key in keys] == [200, 200]


def test_another_may_take_its_place_and_then_it_cannot_come_back(editor: Person, admin: Person) -> None:
    slug = str(new_id())
    key = gone(editor, slug=slug)
    article(editor, slug=slug)
    answer = editor.post(f"{API}/{key}/restore", {})
    assert (answer.status_code, answer.json["error"]["code"]) == (409, "ALREADY_EXISTS")
    assert admin.send(f"/admin/acts/press.article/restore/{key}").status_code == 303
    assert "There is already one with the same" in admin.get(f"{PAGES}/list/?deleted=yes").text


def test_nothing_new_refers_to_what_is_deleted(editor: Person, admin: Person) -> None:
    place, other = desk(editor), article(editor)["id"]
    assert editor.delete(f"{DESKS}/{place}").status_code == 204
    for answer in (
        editor.post(API, {"title": "Late", "desk_id": place}),
        editor.patch(f"{API}/{other}", {"desk_id": place}),
    ):
        assert (answer.status_code, list(answer.json["error"]["details"])) == (422, ["desk_id"])
    assert "was deleted" in admin.send(f"{PAGES}/add", title="Late", desk_id=place, state="draft").text


@pytest.mark.parametrize("way", ["delete", "restore"])
def test_of_many_at_once_one_does_it(web: Flask, editor: Person, way: str) -> None:
    key = article(editor)["id"] if way == "delete" else gone(editor)

    def act(person: Person, _number: int) -> int:
        path = f"{API}/{key}"
        answer = person.delete(path) if way == "delete" else person.post(f"{path}/restore", {})
        return int(answer.status_code)

    assert Counter(at_once(web, editor, 16, act)) == {204 if way == "delete" else 200: 1, 404: 15}


def test_a_reference_and_a_deletion_at_once_leave_no_dangling_one(site: Platform, web: Flask, editor: Person) -> None:
    """Who refers first is there before the deletion; who comes after it is refused."""
    place = desk(editor)

    def act(person: Person, number: int) -> int:
        if number == 3:
            return int(person.delete(f"{DESKS}/{place}").status_code)
        return int(person.post(API, {"title": "Hurry", "desk_id": place}).status_code)

    answers = at_once(web, editor, 8, act)
    assert answers[3] == 204 and set(answers) <= {201, 204, 422}
    with site.unit_of_work() as session:
        deleted = session.get_one(Desk, UUID(place)).deleted_at
        late = select(Article).where(Article.desk_id == UUID(place), Article.created_at > deleted)
        assert len(session.scalars(late).all()) <= answers.count(201)


def test_after_its_days_it_goes_for_good_with_its_file(site: Platform, editor: Person) -> None:
    sent = cover(editor)
    old, young = gone(editor, cover_id=sent), gone(editor)
    place = desk(editor)
    article(editor, desk_id=place)
    assert editor.delete(f"{DESKS}/{place}").status_code == 204
    with site.unit_of_work() as session:
        session.get_one(Article, UUID(old)).deleted_at = now() - timedelta(days=31)
        session.get_one(Article, UUID(young)).deleted_at = now() - timedelta(days=29)
        session.get_one(Desk, UUID(place)).deleted_at = now() - timedelta(days=91)
        enqueue(session, Actor.system("test"), "core.purge_deleted_records")
    while run_next(site.database):
        pass
    with site.unit_of_work() as session:
        assert session.get(Article, UUID(old)) is None
        assert session.get(Article, UUID(young)) is not None
        assert session.get(Desk, UUID(place)) is not None  # an article refers to it
        assert session.get_one(StoredFile, UUID(sent)).state == "deleted"
        last = select(AuditRow.action).where(AuditRow.subject_id == old).order_by(AuditRow.id.desc()).limit(1)
        assert session.scalar(last) == "press.article.purged"


def test_erasing_its_author_erases_it_too(site: Platform, people: Callable[..., Person], editor: Person) -> None:
    author = people("User")
    key = article(author, title="My own name", body="My address")["id"]
    assert editor.delete(f"{API}/{key}").status_code == 204
    with site.unit_of_work() as session:
        erase_rows(session, UUID(author.id))
    with site.unit_of_work() as session:
        found = session.get_one(Article, UUID(key))
        assert "My" not in f"{found.title} {found.body}" and found.deleted_at is not None


def test_nobody_writes_when_it_was_deleted(editor: Person) -> None:
    assert article(editor)["deleted_at"] is None
    assert editor.post(API, {"title": "Odd", "deleted_at": "2031-01-01T00:00:00Z"}).status_code == 422


@pytest.mark.parametrize(("resource", "column"), [("press.desk", "name"), ("press.article", "title")])
def test_what_an_import_made_can_be_restored_after_it_was_undone(
    site: Platform, admin: Person, resource: str, column: str
) -> None:
    importer, word = Importer(site, admin), new_id().hex[-12:]
    key = importer.done(written([column], *([f"{word} {number}"] for number in range(3))), resource)
    importer.undo(key)
    assert importer.figures(key, "undone") == {"deleted": 3}
    model = site.registry.resources[resource].resource.model
    made = importer.all(model, getattr(model, column).like(f"{word}%"))
    assert [one.deleted_at is not None for one in made] == [True] * 3
    with site.unit_of_work() as session:
        query = select(AuditRow.action).where(AuditRow.subject_id == str(made[0].id)).order_by(AuditRow.id)
        assert list(session.scalars(query)) == [f"{resource}.created", f"{resource}.deleted"]
    path = site.registry.resources[resource].page_path
    assert admin.send(f"/admin/acts/{resource}/restore/{made[0].id}").status_code == 303
    assert f"{word} 0" in admin.get(f"{path}/list/?view=all").text
